"""Model files that another program's settings name: where they lie on this machine, if they do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.base.paths import looks_like_a_place
from core.training.base_models import find_models, is_demo_model
from core.training.config.presets import COMPONENTS
from core.training.importing.folders import Left, found_file, found_folder

FILES = ("pretrained_model_name_or_path", "vae", *COMPONENTS, "network_weights", "tokenizer_cache_dir")
NO_FILE = "there is no such file on this machine"


def model_named(name: str) -> str:
    """The place of a model in models/ by its file's name; empty where none bears it."""
    bare = name.replace("\\", "/").rpartition("/")[2]
    return next((path for _, path in find_models() if bare and Path(path).name == bare and not is_demo_model(path)), "")


def with_files_here(arguments: Mapping[str, Any], beside: Path, left: list[Left]) -> dict[str, Any]:
    """The arguments with every model file at its place on this machine; one that lies nowhere here is left out and listed.

    A name of Hugging Face stays as it is. Looked for: where the file says, beside it, and in models/ by name.

    Args: beside: the file that names them. left: is added to.
    """
    found = dict(arguments)
    for name in FILES:
        if value := str(found.get(name) or ""):
            place = place_here(value, beside)
            if place:
                found[name] = place
            else:
                del found[name]
                left.append((name, value, NO_FILE))
    merged = found.get("base_weights")
    if isinstance(merged, list) and not all(place_here(str(one), beside) for one in merged):
        left.append(("base_weights", found.pop("base_weights"), "not all of these files lie on this machine"))
        found.pop("base_weights_multiplier", None)
    elif isinstance(merged, list):
        found["base_weights"] = [place_here(str(one), beside) for one in merged]
    return found


def place_here(value: str, beside: Path) -> str:
    """Where a file or folder lies on this machine; a name of Hugging Face as it is; empty: nowhere."""
    place = found_file(value, beside) or found_folder(value, beside)
    if place is not None:
        return str(place)
    return model_named(value) if looks_like_a_place(value) else value
