"""Models of the picture tools on this machine: found in their folder, or fetched by name, and those that somebody put there."""

from __future__ import annotations

from pathlib import Path

from core.base.errors import ModelError
from core.base.paths import models_dir
from core.base.progress import SILENT, Progress
from core.models.catalog import FOLDERS, Kind, named_model
from core.models.image_catalog import IMAGE_CATALOG
from core.models.settings import DownloadSettings
from core.models.unreached import said_what_works_without

ENDINGS = (".safetensors", ".pth", ".pt", ".ckpt", ".onnx", ".bin")
SHOWN = 8
"""Files that are named."""


def find_model(kind: Kind, name: str, models: Path | None = None) -> Path | None:
    """The file of a model, by its name in the catalogue or its file name in the kind's folder; None: it is not here.

    Args: models: the folder of models; None: `models_dir()`.
    """
    folder = (models or models_dir()) / FOLDERS[kind]
    called = file_name(name) if name in IMAGE_CATALOG else name
    for place in (folder / called, *(folder / f"{called}{ending}" for ending in ENDINGS)):
        if Path(called).name == called and place.is_file():
            return place
    return None


def have_model(kind: Kind, name: str, progress: Progress = SILENT, models: Path | None = None, otherwise: str = "") -> Path:
    """The file of a model; one of the catalogue that is not here is fetched and checked.

    Args: otherwise: what works where it cannot be fetched; empty: as its kind has it.
    Raises: ModelError: it is not here and cannot be had; DiskError; Cancelled.
    """
    models = models or models_dir()
    found = find_model(kind, name, models)
    if found is not None:
        return found
    if name not in IMAGE_CATALOG or IMAGE_CATALOG[name].kind != kind:
        here = ", ".join(list_models(kind, models)) or "none"
        raise ModelError(f"No {kind} called {name!r} lies in {models / FOLDERS[kind]}.", f"There: {here}.")
    from core.models.download import download_model

    model, here = IMAGE_CATALOG[name], ", ".join(list_models(kind, models)[:SHOWN])
    put = f"{file_name(name)} into {models / FOLDERS[kind]}"
    with said_what_works_without(f"{model.title} ({model.told_size})", put, kind, "" if otherwise else here, otherwise):
        return Path(download_model(models, DownloadSettings.make(model=name), progress).files[0].path)


def list_models(kind: Kind, models: Path | None = None) -> list[str]:
    """File names in the folder of one kind, in order."""
    folder = (models or models_dir()) / FOLDERS[kind]
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.is_file())


def offered_models(kind: Kind, models: Path | None = None) -> list[tuple[str, str]]:
    """What a list of models offers: words and name. Those of the catalogue with size and licence, then files that somebody put there."""
    named = {name: model for name, model in IMAGE_CATALOG.items() if model.kind == kind}
    words = {name: "is here" if find_model(kind, name, models) is not None else model.told_size for name, model in named.items()}
    own = [name for name in list_models(kind, models) if name not in {file_name(one) for one in named}]
    return [*((f"{model.title} ({words[name]}, {model.licence})", name) for name, model in named.items()),
            *((f"{name} (your own file)", name) for name in own)]


def file_name(name: str) -> str:
    """What a model of the catalogue is called on this machine."""
    model = named_model(name)
    return model.save_as or model.address.rpartition("/")[2].partition("?")[0]
