"""A file of weights as a network: its architecture is told from the tensors' names, and no code in the file ever runs."""

from __future__ import annotations

import importlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from core.base.errors import MissingDependency, ModelError, require
from core.models.telling import part_words, what_is

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
    weights = read_weights(path, called)
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


def read_weights(path: Path, called: str) -> dict[str, Any]:
    """The tensors of a file by their names, on the CPU. Raises: ModelError: it is none, is damaged, or holds code."""
    ending = path.suffix.lower()
    if ending in SAFE:
        return _read_safe(path, called)
    if ending in PICKLED:
        return _read_pickled(path, called)
    raise ModelError(f"{path.name} is no {called}: its name ends with {ending or 'nothing'}.",
                     f"It must end with {', '.join((*SAFE, *PICKLED))}.")


def _read_safe(path: Path, called: str) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        told = what_is(path)
        if told.family:
            raise _not_one(path, called, told.words)
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path.name} cannot be read: {error}.", "Fetch it anew.") from error


def _read_pickled(path: Path, called: str) -> dict[str, Any]:
    import pickle

    torch: Any = require("torch", needed_for="Upscaling and restoring")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError, AttributeError, TypeError, IndexError, OSError) as error:
        raise _refused(path, called, str(error)) from error
    if not isinstance(weights, dict) or not weights:
        raise _not_one(path, called, f"it holds a {type(weights).__name__} and no weights by name")
    return weights


def _refused(path: Path, called: str, words: str) -> ModelError:
    """Why torch would not open it."""
    if code := re.search(r"GLOBAL\s+`?([\w.]+)", words):
        return ModelError(f"{path.name} holds more than weights (it names {code[1]}, which would run as code), and was not opened.",
                          "Take it from its maker as .safetensors.")
    if "TorchScript" in words:
        return _not_one(path, called, "a TorchScript archive, which holds a program beside the weights")
    return ModelError(f"{path.name} is no {called}, or it is damaged: it holds no weights that torch can read.", "Fetch it anew.")


def _not_one(path: Path, called: str, words: str) -> ModelError:
    end = f": {words if words.startswith('it') else f'it is {words}'}" if words else ": its tensors are those of no network that is known"
    return ModelError(f"{path.name} is no {called}{end}.", f"Choose another file; openmodeldb.info lists many. {_places(called)}".strip())


def _places(called: str) -> str:
    return "Faces are restored by Enhance." if called == "upscaler" else ""


def _shapes(weights: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """As the header of a safetensors file tells them; of tensors that lie in a table of their own, those."""
    inner = [value for value in weights.values() if isinstance(value, dict)]
    tensors = {**weights, **{name: one for table in inner for name, one in table.items()}}
    return {str(name): {"shape": tuple(one.shape)} for name, one in tensors.items() if hasattr(one, "shape")}


def _extra() -> Any:
    try:
        return importlib.import_module("spandrel_extra_arches").EXTRA_REGISTRY
    except ImportError as error:
        raise MissingDependency("This model's architecture is not installed, for its licence forbids commercial use.",
                                "Where you accept that, run: pip install spandrel_extra_arches einops") from error
