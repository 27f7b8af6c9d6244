"""The files beside the base model: whether each is there, and whether it is the part that its field is for, by its header."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.base.errors import ModelError
from core.base.findings import Finding
from core.base.paths import looks_like_a_place, place_of
from core.diffusion.kinds import kind_of, read_header
from core.diffusion.parts import ModelPart, part_of
from core.training.config.applying import acting
from core.training.config.families import TRAINED_MODELS, trained_model
from core.training.config.finding import missing_file

if TYPE_CHECKING:
    from core.training.config.training import TrainingSettings

LATENT_CHANNELS: Mapping[str, int] = {
    **dict.fromkeys(("sd15", "sd2", "sdxl"), 4), **dict.fromkeys(("sd3", "flux1", "flux1_kontext", "chroma", "lumina2", "z_image"), 16),
    **dict.fromkeys(("anima", "qwen_image"), 16), "hunyuan_image": 64, **dict.fromkeys(("flux2_dev", "flux2_klein"), 32)}
"""Channels of each family's latents before they are packed, which its VAE must have."""
EXPECTED: Mapping[str, ModelPart] = {
    "clip_l": ModelPart("clip", 768), "clip_g": ModelPart("clip", 1280), "t5xxl": ModelPart("t5", 4096), "byt5": ModelPart("t5", 1472),
    "gemma2": ModelPart("llm", 2304), "qwen3": ModelPart("llm", 1024), "text_encoder": ModelPart("llm")}
"""What each field's file must be; without a size, of any."""
TEXT_WIDTHS: Mapping[str, tuple[int, ...]] = {
    "hunyuan_image": (3584,), "qwen_image": (3584,), "z_image": (2560,), "flux2_dev": (5120,), "flux2_klein": (2560, 4096)}
"""Width of the language model that each family reads captions with."""
FIELDS = (*EXPECTED, "ae", "vae")


def check_components(settings: TrainingSettings) -> Iterator[Finding]:
    """Files that are missing, broken, or another part than their field is for."""
    model = settings.model
    given = acting(settings, model)
    for name in FIELDS:
        if value := given.get(name):
            title = str(model.fields()[name].title)
            path = place_of(value)
            if path.is_file():
                yield from _judge(settings, name, path, title)
            elif not path.exists() and (name in trained_model(model.family).components or looks_like_a_place(value)):
                yield missing_file(title, value, "Choose another, or get it in the panel Get a model.")


def _judge(settings: TrainingSettings, name: str, path: Path, title: str) -> Iterator[Finding]:
    if path.suffix != ".safetensors":
        return  # older formats tell nothing
    try:
        part = part_of(read_header(path))
    except ModelError as error:
        yield Finding("error", f"{title} ({name}): {error.message}", error.hint)
        return
    except OSError as error:
        yield Finding("error", f"{title} ({name}), {path}, cannot be read: {error}.", "Check the rights of the file.")
        return
    if part is None or part.kind in ("lora", "controlnet"):
        if wrong := part.words if part is not None else _base_model(path):
            yield Finding("error", f"{path.name} is {wrong}, but is chosen as {title} ({name}).", f"Choose the file of {title}.")
        return
    wanted = _wanted(settings.model.family, name)
    sizes = {one.size for one in wanted} - {0}
    if part.kind != wanted[0].kind or (part.size and sizes and part.size not in sizes):
        title_of_family = trained_model(settings.model.family).title
        level: Literal["error", "warning"] = "error" if part.kind != wanted[0].kind else "warning"
        yield Finding(level, f"{path.name} is {part.words}, but is chosen as {title} ({name}) of {title_of_family}, which is "
                      f"{' or '.join(one.words for one in wanted)}.", f"Choose the file of {title}.")


def _wanted(family: str, name: str) -> tuple[ModelPart, ...]:
    """What a field's file may be for a family."""
    if name in ("ae", "vae"):
        return (ModelPart("vae", LATENT_CHANNELS[family]),)
    if name == "text_encoder":
        return tuple(ModelPart("llm", width) for width in TEXT_WIDTHS.get(family, (0,)))
    return (EXPECTED[name],)


def _base_model(path: Path) -> str:
    """What a file is that is no part, in words; empty where nothing can be told."""
    try:
        return f"a whole model of the family {trained_model(kind_of(path).family).title}"
    except (ModelError, OSError, KeyError):
        return ""


assert set(LATENT_CHANNELS) == set(TRAINED_MODELS)
