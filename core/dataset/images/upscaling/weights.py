"""A file of weights as a network: its architecture is told from the tensors' names, and no code in the file ever runs."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from core.base.errors import MissingDependency, ModelError, require
from core.models.telling import part_words, what_is
from core.models.weights import read_weights

Purpose = Literal["SR", "Restoration", "FaceSR", "Inpainting"]
"""What spandrel says a network is for."""
DOES: Mapping[Purpose, str] = {"SR": "a model that enlarges pictures", "Restoration": "a model that cleans pictures",
                               "FaceSR": "a model that restores faces", "Inpainting": "a model that fills holes in pictures"}
SAFE = (".safetensors", ".sft")
PICKLED = (".pth", ".pt", ".ckpt", ".bin")


def open_network(path: Path, wanted: Collection[Purpose], called: str, extra: bool = False) -> Any:
    """The network in a file, on the CPU, as spandrel describes it.

    Args:
        wanted: what it must be for.
        called: what such a file is in a message: "upscaler".
        extra: also the architectures of `spandrel_extra_arches`, whose licences are narrower.

    Raises: ModelError: it is damaged, holds code, or is something else; MissingDependency.
    """
    spandrel: Any = require("spandrel", needed_for="Upscaling and restoring")
    registry = spandrel.MAIN_REGISTRY
    if extra:
        registry = registry.copy()
        registry.add(*_extra(), ignore_duplicates=True)
    weights = _read(path, called)
    try:
        found = registry.load(weights)
    except spandrel.UnsupportedModelError as error:
        raise _not_one(path, called, part_words(_shapes(weights))) from error
    except (RuntimeError, KeyError, ValueError, TypeError, IndexError, AttributeError, AssertionError) as error:
        words = part_words(_shapes(weights))  # names that look like a network's, and shapes that do not fit it
        raise _not_one(path, called, words or f"its weights fit no network that is known ({type(error).__name__})") from error
    if found.purpose not in wanted:
        raise _not_one(path, called, f"{DOES[found.purpose]} ({found.architecture.name})")
    return found


def _read(path: Path, called: str) -> dict[str, Any]:
    """Its tensors by their names. Raises: ModelError: it is none by its name or header, is damaged, or holds code."""
    ending = path.suffix.lower()
    if ending not in (*SAFE, *PICKLED):
        raise ModelError(f"{path.name} is no {called}: its name ends with {ending or 'nothing'}.",
                         f"It must end with {', '.join((*SAFE, *PICKLED))}.")
    if ending in SAFE and path.is_file() and (told := what_is(path)).family:
        raise _not_one(path, called, told.words)
    return read_weights(path)


def _not_one(path: Path, called: str, words: str) -> ModelError:
    end = f": {words if words.startswith('it') else f'it is {words}'}" if words else ": its tensors are those of no network that is known"
    return ModelError(f"{path.name} is no {called}{end}.", f"Choose another file; openmodeldb.info lists many. {_places(called)}".strip())


def _places(called: str) -> str:
    return "Faces are restored by Enhance." if called == "upscaler" else ""


def _shapes(weights: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """As the header of a safetensors file tells them; of tensors that lie in a table of their own, those."""
    inner = [value for value in weights.values() if isinstance(value, dict)]
    tensors = {**weights, **{name: one for table in inner for name, one in table.items()}}
    return {str(name): tuple(one.shape) for name, one in tensors.items() if hasattr(one, "shape")}


def _extra() -> Any:
    try:
        return importlib.import_module("spandrel_extra_arches").EXTRA_REGISTRY
    except ImportError as error:
        raise MissingDependency("This model's architecture is not installed, for its licence forbids commercial use.",
                                "Where you accept that, run: pip install spandrel_extra_arches einops") from error
