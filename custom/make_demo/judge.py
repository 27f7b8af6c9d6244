"""Trains the judge on drawings only: clean, blurred, noisy, and through the autoencoder as samples are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from safetensors.torch import save_file

from core.demo.judge import ANSWERS, WEIGHTS, Judge, right_answers
from core.demo.world import CONCEPT_TAGS, Spec, concept_spec, random_moment, random_spec, training_spec
from custom.make_demo.learning import learn
from custom.make_demo.pictures import draw_tensor, to_signed

RATE = 1.5e-3
DRAWINGS = 12_000
PARTS = ("hair", "clothes", "ears", "neck", "mark")


def mix_specs(base: Spec, other: Spec, rng: Random, parts: int) -> Spec:
    """`base` with so many of its telling parts taken from `other`."""
    return replace(base, **{part: getattr(other, part) for part in rng.sample(PARTS, parts)})


def is_concept(spec: Spec) -> bool:
    """All five telling parts at once; the dress counts by its colour."""
    hair, _, _, _, ears, neck, mark = CONCEPT_TAGS
    return (spec.hair, spec.ears, spec.neck, spec.mark) == (hair, ears, neck, mark) and spec.clothes.startswith("black")


def judged_spec(rng: Random) -> Spec:
    """A quarter mikoneko, a quarter near misses of her, a few strangers with parts of hers, the rest the world."""
    chance = rng.random()
    if chance < 0.25:
        return concept_spec(rng)
    if chance < 0.5:
        return mix_specs(concept_spec(rng), random_spec(rng, plenty=0.4), rng, rng.randint(1, 3))
    if chance < 0.6:
        return mix_specs(random_spec(rng), concept_spec(rng), rng, rng.randint(1, 3))
    if chance < 0.65:
        return replace(training_spec(rng), hair="white hair", clothes="black dress", style="short hair", **random_moment(rng))
    return training_spec(rng)


def make_pictures(specs: Sequence[Spec], first_seed: int, vae: AutoencoderTiny) -> torch.Tensor:
    """Drawings as uint8 (n, 3, 64, 64), every second one through the autoencoder with a little latent noise."""
    pixels = draw_tensor(specs, first_seed)
    with torch.no_grad():
        for chunk in pixels[::2].split(250):
            latents = vae.encode(to_signed(chunk)).latents
            back = vae.decode(latents + 0.06 * torch.rand(len(chunk), 1, 1, 1) * torch.randn_like(latents)).sample
            chunk.copy_(((back.clamp(-1, 1) + 1) * 127.5).round().byte())
    return pixels


def spoil(signed: torch.Tensor) -> torch.Tensor:
    """Blur by a random amount and add noise, as an unfinished model does."""
    factor = int(torch.randint(0, 3, ()))
    if factor:
        small = F.avg_pool2d(signed, factor + 1, ceil_mode=True) if factor == 2 else F.avg_pool2d(signed, 2)
        signed = torch.lerp(signed, F.interpolate(small, size=64, mode="bilinear"), float(torch.rand(())))
    tint = 0.1 * (torch.rand(len(signed), 3, 1, 1) - 0.5)
    return signed + tint + 0.1 * torch.rand(len(signed), 1, 1, 1) * torch.randn_like(signed)


def targets(specs: Sequence[Spec]) -> dict[str, torch.Tensor]:
    """The right index for each question."""
    wanted = [right_answers(spec) | {"concept": ANSWERS["concept"][is_concept(spec)]} for spec in specs]
    return {name: torch.tensor([known.index(answer[name]) for answer in wanted]) for name, known in ANSWERS.items()}


def train_judge(work: Path, minutes: float = 4.0) -> None:
    """Write assets/demo/judge.safetensors and print its accuracy on drawings that it has not seen."""
    torch.manual_seed(4)
    rng = Random(4)
    vae = AutoencoderTiny.from_pretrained(work / "vae").eval()
    specs = [judged_spec(rng) for _ in range(DRAWINGS)]
    pixels, wanted = make_pictures(specs, 200_000, vae), targets(specs)
    judge = Judge()

    def loss() -> torch.Tensor:
        chosen = torch.randint(0, DRAWINGS, (64,))
        answers = judge(spoil(to_signed(pixels[chosen])))
        return torch.stack([F.cross_entropy(answer, wanted[name][chosen]) for name, answer in answers.items()]).sum()

    learn(list(judge.parameters()), loss, minutes, "judge", RATE)
    judge.eval()
    weights = {name: value.half().contiguous() for name, value in judge.state_dict().items() if value.is_floating_point()}
    save_file(weights, WEIGHTS, metadata={"made_by": "custom/make_demo/judge.py"})
    report(judge, vae, rng)


@torch.no_grad()
def report(judge: Judge, vae: AutoencoderTiny, rng: Random) -> None:
    """Print accuracy by question on 1200 fresh drawings, half of them through the autoencoder."""
    specs = [judged_spec(rng) for _ in range(1200)]
    answers = judge(to_signed(make_pictures(specs, 400_000, vae)))
    for name, right in targets(specs).items():
        print(f"judge: {name} {(answers[name].argmax(1) == right).float().mean():.4f}", flush=True)
