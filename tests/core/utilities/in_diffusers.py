"""What diffusers and PEFT compute with a LoRA file, and what a model computes whose weights were changed by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file

from core.diffusion import load_model
from core.utilities.checkpoints.baking import BakeSettings, bake_loras
from core.utilities.checkpoints.extracting import ExtractSettings, extract_lora
from core.utilities.files.metadata import MetadataSettings, edit_metadata
from core.utilities.merging.averaging import AverageSettings, average_loras
from core.utilities.merging.merging import MergeSettings, merge_loras
from core.utilities.merging.weighing import WeighSettings, weigh_lora
from core.utilities.names.converting import ConvertSettings, convert_lora
from core.utilities.resizing.resizing import ResizeLoraSettings, resize_lora
from tests.core.utilities.layers import update_of

Updates = Mapping[str, Callable[[], torch.Tensor]]
"""Formed when they are asked for: all layers of a real model at once would not fit into memory."""
Answers = tuple[torch.Tensor, torch.Tensor]


class Bench:
    """A model of Stable Diffusion 1.x, opened by Lorabook and driven by diffusers."""

    def __init__(self, model: Path, tokenizer: Path | None = None) -> None:
        from diffusers import DDIMScheduler, StableDiffusionPipeline

        found = load_model(model, device="cpu", dtype=torch.float32, tokenizer_dir=tokenizer)
        self.path = model
        scheduler = DDIMScheduler(steps_offset=1, clip_sample=False)
        self.pipe = StableDiffusionPipeline(found.vae, found.text_encoders[0], found.tokenizers[0], found.unet, scheduler, None, None,
                                            requires_safety_checker=False)
        chance = torch.Generator().manual_seed(7)
        self._given = (torch.randn(1, 4, 16, 16, generator=chance), torch.tensor([400]))
        self._words = torch.randint(3, 200, (1, 7), generator=chance)
        self.modules = {f"lora_unet_{name.replace('.', '_')}": module for name, module in self.pipe.unet.named_modules()}
        for name, module in self.pipe.text_encoder.named_modules():
            self.modules[f"lora_te_text_model_{name.removeprefix('text_model.').replace('.', '_')}"] = module

    @torch.no_grad()
    def answer(self) -> Answers:
        """What the text encoder says of some words, and the U-Net of noise and these."""
        told = self.pipe.text_encoder(self._words)[0]
        return told, self.pipe.unet(*self._given, told).sample

    def with_file(self, path: Path) -> Answers:
        """With a LoRA file, loaded by diffusers."""
        self.pipe.load_lora_weights(path.parent, weight_name=path.name)
        found = self.answer()
        self.pipe.unload_lora_weights()
        return found

    @contextmanager
    def changed(self, updates: Updates) -> Iterator[None]:
        """Its weights plus these updates, by sd-scripts' names."""
        before = {name: _kept(self.modules[name].weight.detach()) for name in updates}
        with torch.no_grad():
            for name, update in updates.items():
                self.modules[name].weight += update().to(torch.float32)
        yield
        with torch.no_grad():
            for name, weight in before.items():
                self.modules[name].weight.copy_(weight)

    def with_updates(self, updates: Updates) -> Answers:
        """With weights that were changed by hand."""
        with self.changed(updates):
            return self.answer()


def _kept(weight: torch.Tensor) -> torch.Tensor:
    """A copy, in half the room where it can be had back from that: real checkpoints are in half precision."""
    half = weight.half()
    return half if torch.equal(half.float(), weight) else weight.clone()


def updates_of(path: Path) -> Updates:
    """The whole update of each layer of a file with LoRA under sd-scripts' names."""
    state = load_file(path)
    return {name: partial(update_of, state, name) for name in sorted({name.partition(".")[0] for name in state})}


def cut(updates: Updates, rank: int) -> Updates:
    """The best of a rank of each."""
    return {name: partial(best_of, update, rank) for name, update in updates.items()}


def best_of(update: Callable[[], torch.Tensor], rank: int, columns: int = 24) -> torch.Tensor:
    """Of an update whose own rank is below `columns`: so many random combinations of its columns hold all of it."""
    whole, chance = update(), torch.Generator().manual_seed(1)
    matrix = whole.flatten(1)
    span = torch.linalg.qr(matrix @ torch.randn(matrix.shape[1], columns, generator=chance, dtype=matrix.dtype))[0]
    left, values, right = torch.linalg.svd(span.t() @ matrix, full_matrices=False)
    return ((span @ left[:, :rank]) * values[:rank] @ right[:rank]).reshape(whole.shape)


def added(parts: Sequence[tuple[Updates, float]]) -> Updates:
    """The weighted sum of each layer's."""
    def total(name: str) -> torch.Tensor:
        return sum(weight * updates[name]() for updates, weight in parts)

    return {name: partial(total, name) for name in parts[0][0]}


def written_by_every_tool(one: Path, two: Path, rank: int, base: Path | None, folder: Path) -> Iterator[tuple[str, Path, Updates]]:
    """Each tool's file of two trained ones, and the updates that it must compute, found by hand.

    Args:
        rank: of the trained files' layers.
        base: a checkpoint in the original layout and in full precision, into which one is put and out of which it is taken again; None:
            neither is done, for half precision rounds what is put in.
    """
    first, second = updates_of(one), updates_of(two)

    def at(name: str) -> Path:
        return folder / f"{name}.safetensors"

    usual = {"device": "cpu", "save_precision": "float"}
    resize_lora(ResizeLoraSettings.make(file=str(one), save_to=str(at("resized")), new_rank=rank, **usual))
    yield "resize, nothing lost", at("resized"), first
    resize_lora(ResizeLoraSettings.make(file=str(one), save_to=str(at("rank1")), new_rank=1, **usual))
    yield "resize to rank 1", at("rank1"), cut(first, 1)
    merge_loras(MergeSettings.make(files=(str(one), str(two)), weights=(0.8, -0.3), save_to=str(at("merged")), **usual))
    yield "merge", at("merged"), added([(first, 0.8), (second, -0.3)])
    merge_loras(MergeSettings.make(files=(str(at("merged")), str(two)), weights=(1, 0.3), save_to=str(at("subtracted")), **usual))
    yield "merge, then subtract", at("subtracted"), added([(first, 0.8)])
    average_loras(AverageSettings.make(files=(str(one), str(two)), save_to=str(at("average")), **usual))
    yield "average", at("average"), cut(added([(first, 0.5), (second, 0.5)]), rank)
    weigh_lora(WeighSettings.make(file=str(one), weight=0.7, save_to=str(at("weighed"))))
    yield "weigh", at("weighed"), added([(first, 0.7)])
    for naming in ("diffusers", "comfy"):
        convert_lora(ConvertSettings.make(file=str(one), naming=naming, save_to=str(at(naming))))
        convert_lora(ConvertSettings.make(file=str(at(naming)), naming="kohya", save_to=str(at(f"back-from-{naming}"))))
        yield f"convert to {naming} and back", at(f"back-from-{naming}"), first
    yield "convert to diffusers", at("diffusers"), first
    if base is not None:
        bake_loras(BakeSettings.make(base=str(base), files=(str(one),), weights=(0.8,), save_to=str(at("baked")), device="cpu"))
        extract_lora(ExtractSettings.make(base=str(base), tuned=str(at("baked")), new_rank=rank, save_to=str(at("extracted")), **usual))
        yield "extract what was baked", at("extracted"), added([(first, 0.8)])
    at("told").write_bytes(one.read_bytes())
    edit_metadata(MetadataSettings.make(file=str(at("told")), name="Told", trigger="mika"))
    yield "metadata", at("told"), first


def check_every_tool(bench: Bench, one: Path, two: Path, rank: int, base: Path | None, folder: Path) -> int:
    """Every tool's file draws as the weights do that were changed by hand. Returns: how many files were drawn with."""
    folder.mkdir(exist_ok=True)
    plain, count = bench.answer(), 0
    for words, path, updates in written_by_every_tool(one, two, rank, base, folder):
        wanted, drawn = bench.with_updates(updates), bench.with_file(path)
        assert all(float((new - old).abs().max()) > 1e-4 for new, old in zip(wanted, plain, strict=True)), f"{words}: nothing was changed"
        for found, right in zip(drawn, wanted, strict=True):
            torch.testing.assert_close(found, right, atol=1e-5, rtol=1e-4, msg=lambda text, words=words: f"{words}: {text}")
        count += 1
    assert all(torch.equal(new, old) for new, old in zip(bench.answer(), plain, strict=True))
    return count
