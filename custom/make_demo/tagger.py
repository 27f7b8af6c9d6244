"""Trains a small tagger on drawings and writes it with the interface of the WD v3 taggers.

assets/demo/tagger/model.onnx takes `input` (n, 448, 448, 3), float32, BGR 0-255, and gives `output`
(n, tags), probabilities; selected_tags.csv names the tags in the same order (categories 9 rating,
0 general, 4 character). It knows all parts of mikoneko (cat ears, green scarf, gold jewel), as a real
tagger knows ordinary things, but not her name.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from core.demo.judge import Judge
from core.demo.world import CAST, CONCEPT_TAGS, WORLD_TAGS, Spec, concept_spec, named_spec, random_spec
from custom.make_demo.judge import make_pictures, mix_specs, spoil
from custom.make_demo.learning import learn
from custom.make_demo.pictures import to_signed

FOLDER = Path(__file__).parents[2] / "assets" / "demo" / "tagger"
RATE = 2e-3
DRAWINGS = 14_000
EDGE = 448
RATINGS = ("general", "sensitive", "questionable", "explicit")
CHARACTERS = tuple(CAST)[:6]
GENERAL = tuple(dict.fromkeys(("1girl", *WORLD_TAGS, *CONCEPT_TAGS, "glasses")))
TAGS = (*RATINGS, *GENERAL, *CHARACTERS)


class Tagger(nn.Module):
    """The judge's convolutions with more width and one probability for each tag."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((3, 32, 2), (32, 64, 2), (64, 64, 1), (64, 96, 2), (96, 96, 1), (96, 96, 2))
        self.features = nn.Sequential(*(Judge.block(*width) for width in widths), nn.Flatten())
        self.answer = nn.Linear(96 * 16, len(TAGS))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Args: pictures: (n, 3, 64, 64) in -1..1. Returns: logits (n, tags)."""
        return self.answer(self.features(pictures))


def tagged_spec(rng: Random) -> Spec:
    """Characters with many extras, those that the tagger knows by name, and parts of mikoneko on anyone."""
    chance = rng.random()
    spec = random_spec(rng, plenty=0.35)
    if chance < 0.12:
        return named_spec(rng, rng.choice(CHARACTERS))
    if chance < 0.5:
        spec = mix_specs(spec, concept_spec(rng), rng, rng.randint(1, 5))
    return replace(spec, head=None) if spec.ears and spec.head and not spec.head.endswith("bow") else spec


def seen_tags(spec: Spec) -> set[str]:
    """What a tagger should say of a drawing."""
    return {"general", *spec.tags} | ({spec.name} if spec.name in CHARACTERS else set())


def make_targets(specs: Sequence[Spec]) -> torch.Tensor:
    """Returns: (n, tags), 1 where the drawing shows the tag."""
    place = {tag: i for i, tag in enumerate(TAGS)}
    wanted = torch.zeros(len(specs), len(TAGS))
    for row, spec in zip(wanted, specs, strict=True):
        row[[place[tag] for tag in seen_tags(spec)]] = 1
    return wanted


def train_tagger(work: Path, minutes: float = 5.0) -> None:
    """Write model.onnx and selected_tags.csv and print F1 at the usual threshold on unseen drawings."""
    torch.manual_seed(5)
    rng = Random(5)
    vae = AutoencoderTiny.from_pretrained(work / "vae").eval()
    specs = [tagged_spec(rng) for _ in range(DRAWINGS)]
    pixels, wanted = make_pictures(specs, 500_000, vae), make_targets(specs)
    tagger = Tagger()

    def loss() -> torch.Tensor:
        chosen = torch.randint(0, DRAWINGS, (64,))
        logits = tagger(spoil(to_signed(pixels[chosen])))
        return F.binary_cross_entropy_with_logits(logits, wanted[chosen], reduction="none").sum(1).mean()

    learn(list(tagger.parameters()), loss, minutes, "tagger", RATE)
    tagger.eval()
    FOLDER.mkdir(parents=True, exist_ok=True)
    onnx.save(export(tagger), FOLDER / "model.onnx")
    write_tags(wanted.sum(0).int().tolist())
    report(tagger, vae, rng)


@torch.no_grad()
def report(tagger: Tagger, vae: AutoencoderTiny, rng: Random) -> None:
    """Print micro F1 over all tags at thresholds .35 (general) and .85 (character)."""
    specs = [tagged_spec(rng) for _ in range(800)]
    threshold = torch.tensor([0.85 if tag in CHARACTERS else 0.35 for tag in TAGS])
    said = torch.sigmoid(tagger(to_signed(make_pictures(specs, 700_000, vae)))) > threshold
    wanted = make_targets(specs) > 0
    both, either = (said & wanted).sum().item(), said.sum().item() + wanted.sum().item()
    print(f"tagger: F1 {2 * both / either:.4f} over {len(TAGS)} tags", flush=True)


def write_tags(counts: Sequence[int]) -> None:
    """selected_tags.csv as SmilingWolf's: tag_id,name,category,count, words joined by underscores."""
    with (FOLDER / "selected_tags.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("tag_id", "name", "category", "count"))
        for i, (tag, count) in enumerate(zip(TAGS, counts, strict=True)):
            category = 9 if tag in RATINGS else 4 if tag in CHARACTERS else 0
            writer.writerow((i, tag.replace(" ", "_"), category, count))


def fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias of a convolution with its batch norm folded in."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = conv.weight * scale[:, None, None, None]
    bias = (conv.bias - norm.running_mean) * scale + norm.bias
    return weight.detach().numpy(), bias.detach().numpy()


def export(tagger: Tagger) -> onnx.ModelProto:
    """The ONNX graph, opset 17, written node by node so that no exporter is needed."""
    constants: dict[str, np.ndarray] = {}
    nodes: list[onnx.NodeProto] = []

    def add(operator: str, *inputs: str, to: str, **attributes) -> str:
        nodes.append(helper.make_node(operator, inputs, [to], **attributes))
        return to

    flow = add("Transpose", "input", to="bgr_planes", perm=[0, 3, 1, 2])
    flow = add("AveragePool", flow, to="small", kernel_shape=[7, 7], strides=[7, 7])
    constants |= {"unit": np.float32(127.5), "middle": np.float32(1)}
    flow = add("Sub", add("Div", flow, "unit", to="scaled"), "middle", to="signed")
    blocks = list(tagger.features)[:-1]
    for i, (conv, norm, _) in enumerate(blocks):
        weight, bias = fold(conv, norm)
        # the net learnt RGB: turning its first kernel round is cheaper than turning the picture
        constants |= {f"weight{i}": weight[:, ::-1].copy() if i == 0 else weight, f"bias{i}": bias}
        flow = add("Conv", flow, f"weight{i}", f"bias{i}", to=f"conv{i}", kernel_shape=[3, 3], pads=[1] * 4, strides=list(conv.stride))
        flow = add("Relu", flow, to=f"relu{i}")
    constants |= {"answer": tagger.answer.weight.detach().numpy(), "answer_bias": tagger.answer.bias.detach().numpy()}
    flow = add("Flatten", flow, to="flat")
    flow = add("Gemm", flow, "answer", "answer_bias", to="logits", transB=1)
    add("Sigmoid", flow, to="output")
    graph = helper.make_graph(
        nodes, "lorabook_demo_tagger",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", EDGE, EDGE, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", len(TAGS)])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model
