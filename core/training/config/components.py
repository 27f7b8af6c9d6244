"""The files beside the base model: whether each is there, and whether it is the part that its field is for, by its header."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.base.errors import ConfigError, ModelError
from core.base.findings import Finding
from core.base.paths import looks_like_a_place, models_dir, place_of
from core.base.tensor_headers import read_header
from core.diffusion.kinds import kind_of
from core.diffusion.parts import ModelPart, part_of
from core.models.catalog import PARTS_FOLDER
from core.training.config.applying import acting
from core.training.config.families import TRAINED_MODELS, UNET, trained_model
from core.training.config.finding import finding, missing_file

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
    for name in FIELDS:
        if found := judge_component(settings, name):
            yield found


def judge_component(settings: TrainingSettings, name: str) -> Finding | None:
    """What is wrong with the file of one field, from its header; None: nothing, or the field is empty or not used.

    Args: name: one of `FIELDS`.
    """
    model = settings.model
    value = acting(settings, model).get(name)
    if not value:
        return None
    path, title = place_of(value), str(model.fields()[name].title)
    if path.is_file():
        return _judge(model.family, name, path, title)
    if not path.exists() and (name in trained_model(model.family).components or looks_like_a_place(value)):
        return missing_file(title, value, "Choose another, or get it in the panel Get a model.")
    return None


def parts_here() -> list[tuple[Path, ModelPart | None]]:
    """The files of models/components on this machine and what they are, by name; None: nothing can be told. Broken ones are left out."""
    found = []
    for path in sorted((models_dir().absolute() / PARTS_FOLDER).rglob("*.safetensors")):
        with contextlib.suppress(OSError, ModelError):
            found.append((path, _part_in(path)))
    return found


def find_parts(family: str, name: str, here: Sequence[tuple[Path, ModelPart | None]]) -> list[Path]:
    """Files that one field may name; those that are surely another part are left out. Args: here: as `parts_here` gives them."""
    wanted = _wanted(family, name)
    return [path for path, part in here if part is None or _fits(part, wanted)]


def _part_in(path: Path) -> ModelPart | None:
    """What a file is. Raises: ModelError, OSError: it is broken, or cannot be read."""
    stamp = path.stat()
    return _part_read(path, (stamp.st_size, stamp.st_mtime_ns))


@lru_cache(maxsize=512)
def _part_read(path: Path, stamp: tuple[int, int]) -> ModelPart | None:
    """What a file is, read once as long as it stays as it is. Args: stamp: its size and time."""
    return part_of(read_header(path).shapes)


def _fits(part: ModelPart, wanted: Sequence[ModelPart]) -> bool:
    sizes = {one.size for one in wanted} - {0}
    return part.kind == wanted[0].kind and not (part.size and sizes and part.size not in sizes)


def _judge(family: str, name: str, path: Path, title: str) -> Finding | None:
    if path.suffix != ".safetensors":
        return None  # older formats tell nothing
    try:
        part = _part_in(path)
    except ModelError as error:
        return Finding("error", f"{title} ({name}): {error.message}", error.hint)
    except OSError as error:
        return Finding("error", f"{title} ({name}), {path}, cannot be read: {error}.", "Check the rights of the file.")
    if part is None or part.kind in ("lora", "controlnet"):
        wrong = part.words if part is not None else _other_whole_model(path, family if name == "vae" else "")
        return Finding("error", f"{path.name} is {wrong}, but is chosen as {title} ({name}).", f"Choose the file of {title}.") \
            if wrong else None
    wanted = _wanted(family, name)
    if _fits(part, wanted):
        return None
    level: Literal["error", "warning"] = "error" if part.kind != wanted[0].kind else "warning"
    own = name == "vae" and family in UNET  # the model has one of its own
    return finding(level, f"{path.name} is {part.words}, but is chosen as {title} ({name}) of {trained_model(family).title}, which is "
                   f"{' or '.join(one.words for one in wanted)}.",
                   f"Choose the file of {title}{', or leave it empty: the model has its own' if own else ''}.", "",
                   **({name: None} if own else {}))


def _wanted(family: str, name: str) -> tuple[ModelPart, ...]:
    """What a field's file may be for a family."""
    if name in ("ae", "vae"):
        return (ModelPart("vae", LATENT_CHANNELS[family]),)
    if name == "text_encoder":
        return tuple(ModelPart("llm", width) for width in TEXT_WIDTHS.get(family, (0,)))
    return (EXPECTED[name],)


def _other_whole_model(path: Path, family: str) -> str:
    """What a file is that is no part, in words; empty where nothing can be told, or where it holds what is wanted.

    Args: family: of which a whole model serves: sd-scripts takes the VAE out of a checkpoint.
    """
    try:
        found = kind_of(path).family
        return "" if found == family else f"a whole model of the family {trained_model(found).title}"
    except (ModelError, ConfigError, OSError):
        return ""


assert set(LATENT_CHANNELS) == set(TRAINED_MODELS)
