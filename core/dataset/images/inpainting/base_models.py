"""The base model that draws: by name, a file or folder on this machine, or a diffusers repository of which one commit is taken."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from core.base.errors import ConfigError, ModelError
from core.base.hub import read_repo
from core.base.paths import hub_folder, looks_like_a_place, models_dir, typed_path
from core.base.progress import Progress
from core.models.catalog import CATALOG, FOLDERS
from core.models.having import file_name, have_model
from core.models.image_catalog import IMAGE_CATALOG
from core.models.repositories import have_repository
from core.models.unreached import said_what_works_without

COMMIT = re.compile(r"[0-9a-f]{40}")
PARTS = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
"""Folders of a diffusers repository that are needed; what judges pictures is not fetched."""
SMALL = (".json", ".txt", ".model")


def have_base_model(name: str, progress: Progress, models: Path | None = None) -> Path:
    """A .safetensors file or a diffusers folder.

    Args:
        name: of a named model; a file or folder in models/ or anywhere; "owner/name@commit" on Hugging Face.
        models: the folder of models; None: `models_dir()`.
    Raises: ModelError: it is not here and cannot be had. ConfigError: a repository without its commit. DiskError, Cancelled.
    """
    models = models or models_dir()
    if name in IMAGE_CATALOG:
        return have_model("inpainter", name, progress, models)
    if name in CATALOG:
        return _fetched(name, progress, models)
    here = next((place for place in (models / name, models / "inpainters" / name) if Path(name).name == name and place.exists()), None)
    if here is not None:
        return here
    place = typed_path(name)
    if place.exists():
        return place
    repo = read_repo(name) if not looks_like_a_place(name) or name.startswith("hf://") else None
    if repo is None or "/" not in repo.name:
        raise ModelError(f"No model {name!r} lies in {models}, and it is no path that exists.",
                         "Choose one that is there, or fetch it with 'Get a model'.")
    return _snapshot(repo.name, repo.revision, progress, models)


def stamp_of(path: Path) -> int:
    """Changes when the model does."""
    files = path.rglob("*") if path.is_dir() else [path]
    return max((file.stat().st_mtime_ns for file in files if file.is_file()), default=0)


def wanted_files(names: Iterable[str]) -> list[str]:
    """Of the files of a diffusers repository those that are needed: small ones, and of weights the half-precision ones where there are."""
    needed = [name for name in names if name == "model_index.json" or (name.count("/") == 1 and name.partition("/")[0] in PARTS)]
    weights = [name for name in needed if name.endswith(".safetensors")]
    halved = {name.partition("/")[0] for name in weights if ".fp16." in name}
    chosen = [name for name in weights if (".fp16." in name) == (name.partition("/")[0] in halved) and "ema" not in name]
    return sorted([*chosen, *(name for name in needed if name.endswith(SMALL))])


def _fetched(name: str, progress: Progress, models: Path) -> Path:
    """A named base model of models/. Raises: ModelError, DiskError, Cancelled."""
    place = models / file_name(name)
    if place.is_file():
        return place
    from core.models.download import download_model
    from core.models.settings import DownloadSettings

    with said_what_works_without(f"{CATALOG[name].title} ({CATALOG[name].told_size})", f"{place.name} into {models}", "inpainter"):
        return Path(download_model(models, DownloadSettings.make(model=name), progress).files[0].path)


def _snapshot(repo: str, revision: str, progress: Progress, models: Path) -> Path:
    """One commit of a repository: in the cache, else in models/inpainters. Raises: ModelError: it cannot be had; ConfigError: no commit is
    named; DiskError; Cancelled."""
    if not COMMIT.fullmatch(revision):
        raise ConfigError(f"{repo} is given without the commit that is meant.",
                          f"Write {repo}@ and the 40 letters and digits that its page shows under 'Files' and 'History'.")
    held = hub_folder() / f"models--{repo.replace('/', '--')}" / "snapshots" / revision
    if _is_whole(held):
        return held
    own = models / FOLDERS["inpainter"] / f"{repo.replace('/', '--')}--{revision[:12]}"
    return have_repository(own, repo, revision, wanted_files, "model_index.json", progress, "inpainter")


def _is_whole(folder: Path) -> bool:
    """Whether every part with weights that its index names is there."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    named = [part for part in PARTS if isinstance(index.get(part), list) and index[part][0] and not part.startswith(("tokenizer", "sched"))]
    return bool(named) and all(any((folder / part).glob("*.safetensors")) for part in named)
