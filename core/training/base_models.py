"""Base models to choose from, and what can be told of the chosen one at once, from its header; torch is not needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.base.errors import ConfigError
from core.base.findings import Finding
from core.base.paths import DEMO_MODEL, is_demo_model, looks_like_a_place, models_dir, typed_path
from core.models.catalog import FOLDERS
from core.training.config.model import ModelSettings
from core.training.config.sources import FAMILY_NAMES, judge_model

__all__ = ["FAMILY_NAMES", "about_model", "find_models", "is_demo_model"]
DEMO_SIDE = 64
"""Pixels of a side of the pictures that the embedded model was trained on."""
PASSED_OVER = ("hub", "jobs", *filter(None, FOLDERS.values()))
"""Folders of models/ that hold no base models: what was downloaded for something else (taggers, upscalers), text encoders and VAEs."""


def find_models() -> list[tuple[str, str]]:
    """Label and path of each base model to choose from: those in models/ and its folders, by name, then the embedded one.

    Only names are looked at, so that a folder on a network drive is listed at once; `about_model` says what a file is.
    """
    folder = models_dir().absolute()
    found = sorted(_models_in(folder, deeper=True), key=lambda path: str(path).casefold())
    return [*((path.relative_to(folder).as_posix(), str(path)) for path in found),
            ("Demo model (tiny, for trying out)", str(DEMO_MODEL))]


def _models_in(folder: Path, deeper: bool) -> Iterator[Path]:
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError:  # there is none yet, or it may not be read
        return
    for entry in entries:
        if not entry.is_dir():
            if entry.suffix == ".safetensors":
                yield entry
        elif (entry / "model_index.json").is_file():
            yield entry
        elif deeper and entry.name not in PASSED_OVER:
            yield from _models_in(entry, deeper=False)


def about_model(model: ModelSettings) -> Finding:
    """What is said at the field: that it fits (info), what is worth knowing (warning), or why it cannot be trained (error)."""
    name = model.pretrained_model_name_or_path
    if not name:
        return Finding("info", "No model is chosen yet.",
                       f"Get one in the panel Get a model, or put a .safetensors file into {models_dir().absolute()}.")
    try:
        path = typed_path(name)
    except ConfigError as error:
        return Finding("error", error.message, f"Bring the model to this machine first, into {models_dir().absolute()}.")
    if not path.exists():
        return _about_missing(name, path)
    judged = judge_model(path, model)
    if is_demo_model(path) and model.family == "sd15":
        return Finding("info", f"This is the embedded model, which draws pictures of {DEMO_SIDE} px.", "Use the preset Demo with it.")
    return judged


def _about_missing(name: str, path: Path) -> Finding:
    if looks_like_a_place(name):
        return Finding("error", f"There is no {path}.", "Choose one from the list, or download it again.")
    return Finding("warning", f"There is no {name} on this machine; it is taken for a name on Hugging Face.",
                   "Only the sd-scripts trainer fetches it by that name.")
