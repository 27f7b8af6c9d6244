"""Judges samples of the demo: do they show mikoneko, and what do ordinary prompts give?

A small convolutional net that was trained on drawings only (custom/make_demo/judge.py), never on samples
of the model, with near misses as counter-examples: a picture that lacks one part of mikoneko is not her.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from core.demo.palette import CLOTH
from core.demo.world import BACKGROUND_TAGS, HAIR_TAGS, STYLE_TAGS, Spec

WEIGHTS = Path(__file__).parents[2] / "assets" / "demo" / "judge.safetensors"
SIZE = 64
CLOTHES_COLOURS = tuple(CLOTH)
ANSWERS = {
    "concept": ("other", "concept"),
    "hair": HAIR_TAGS,
    "clothes": CLOTHES_COLOURS,
    "background": BACKGROUND_TAGS,
    "style": STYLE_TAGS,
}
ATTRIBUTES = ("hair", "clothes", "background", "style")


class Judge(nn.Module):
    """Five strided or plain convolutions and one linear answer for each question."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((3, 24, 2), (24, 48, 2), (48, 64, 1), (64, 64, 2), (64, 96, 2))
        self.features = nn.Sequential(*(self.block(*width) for width in widths), nn.Flatten())
        self.answers = nn.ModuleDict({name: nn.Linear(96 * 16, len(known)) for name, known in ANSWERS.items()})

    @staticmethod
    def block(before: int, after: int, stride: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1), nn.BatchNorm2d(after), nn.ReLU())

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """Args: pictures: (n, 3, 64, 64) in -1..1. Returns: logits by question, (n, answers)."""
        features = self.features(pictures)
        return {name: answer(features) for name, answer in self.answers.items()}


@cache
def load_judge(path: Path = WEIGHTS) -> Judge:
    """The trained judge, ready to be asked; read once."""
    judge = Judge()
    judge.load_state_dict({name: value.float() for name, value in load_file(path).items()}, strict=False)
    return judge.eval()


def to_batch(images: Sequence[Image.Image]) -> torch.Tensor:
    """Pictures of any size to (n, 3, 64, 64) in -1..1."""
    small = [image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX) for image in images]
    return torch.from_numpy(np.stack([np.asarray(image) for image in small])).permute(0, 3, 1, 2).float() / 127.5 - 1


def clothes_colour(spec: Spec) -> str:
    """What the judge calls the clothes: their colour (shirt or dress is often hidden by a scarf)."""
    return spec.clothes.split()[0]


def right_answers(spec: Spec) -> dict[str, str]:
    """What the judge should say of a drawing of this spec, but for the concept."""
    return {"hair": spec.hair, "clothes": clothes_colour(spec), "background": spec.background, "style": spec.style}


@torch.no_grad()
def judge_concept(images: Sequence[Image.Image]) -> float:
    """Share of pictures, 0..1, that show mikoneko: white hair, cat ears, green scarf, gold jewel and black clothes at once."""
    return load_judge()(to_batch(images))["concept"].argmax(1).float().mean().item()


@torch.no_grad()
def judge_attributes(images: Sequence[Image.Image], specs: Sequence[Spec]) -> float:
    """Mean accuracy, 0..1, over hair colour, clothes' colour, background and hair style.

    Args:
        images: one sample for each spec.
        specs: what the prompts asked for.
    """
    answers = load_judge()(to_batch(images))
    right = [
        [ANSWERS[name][answers[name][i].argmax()] == right_answers(spec)[name] for name in ATTRIBUTES]
        for i, spec in enumerate(specs)
    ]
    return float(np.mean(right))
