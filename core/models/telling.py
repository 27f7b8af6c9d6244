"""What a file of weights is, told from its header: the family of a base model, or which part of one; no tensor is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import ModelError
from core.base.tensor_headers import read_header
from core.diffusion.kinds import TITLES, kind_of
from core.diffusion.parts import part_of


@dataclass(frozen=True)
class Told:
    """What a file is."""

    words: str
    """"a base model of the family Stable Diffusion XL"."""
    family: str = ""
    """A name of `core.diffusion.kinds.TITLES`; empty: it is no base model, or nothing can be told of it."""


def what_is(path: Path) -> Told:
    """What a file is. Raises: ModelError: it is cut off or no file of weights, though its name says so. OSError."""
    if path.suffix.lower() != ".safetensors":
        return Told(f"a {path.suffix or 'file without an ending'}, of which nothing can be told; only sd-scripts opens older formats")
    header = read_header(path)
    try:
        kind = kind_of(path)
    except ModelError:
        return Told(_part(header.shapes))
    title = TITLES[kind.family]
    more = " with v-prediction" if kind.prediction == "v" else ""
    use = ", for inpainting or editing" if kind.inputs != kind.outputs else ""
    return Told(f"a base model of the family {title}{more}{use}", kind.family)


def part_words(shapes: Mapping[str, Sequence[int]]) -> str:
    """"a LoRA", "a VAE": which part of a model a file is; empty: none that is known. Args: shapes: of its tensors, by name."""
    part = part_of(shapes)
    return part.words if part is not None else ""


def _part(shapes: Mapping[str, Sequence[int]]) -> str:
    words = part_words(shapes)
    return f"{words}, not a base model" if words else "no base model that Lorabook knows"
