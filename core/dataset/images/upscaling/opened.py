"""An upscaler by its name: found or fetched, opened once, kept warm."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

from core.base.progress import SILENT, Progress
from core.dataset.curation.vision_models import choose_device
from core.dataset.images.upscaling.network import Network, Precision, open_image_model
from core.models.catalog import Kind
from core.models.having import find_model, have_model
from core.models.image_catalog import IMAGE_CATALOG
from core.models.warm import WARM

T = TypeVar("T")
ROOM = 3
"""So many times its file a model takes: the file's own weights, the network's, and what it works with."""


@contextlib.contextmanager
def opened_network(name: str, device: str = "auto", precision: Precision = "auto", progress: Progress = SILENT) -> Iterator[Network]:
    """An upscaler, held while it is used. Args: name: of the catalogue, or of a file in models/upscalers.

    Raises: ModelError: it is none, or cannot be had; ConfigError: CUDA was asked for and is not to be had; DiskError; Cancelled.
    """
    def load(path: Path, where: str) -> Network:
        return open_image_model(path, where, precision)

    with opened("upscaler", name, device, precision, load, progress) as network:
        yield network


@contextlib.contextmanager
def opened(kind: Kind, name: str, device: str, precision: str, load: Callable[[Path, str], T], progress: Progress = SILENT) -> Iterator[T]:
    """A model of a file, found or fetched, opened once. Raises: as `opened_network`."""
    where = choose_device(device)
    path = have_model(kind, name, progress)
    facts = path.stat()
    title = IMAGE_CATALOG[name].title if name in IMAGE_CATALOG else path.name
    if name in IMAGE_CATALOG:
        progress.note(f"{title}: {IMAGE_CATALOG[name].licence}")
    key = (kind, str(path), facts.st_mtime_ns, facts.st_size, where, precision)
    with WARM.use(key, title, partial(load, path, where), where, ROOM * facts.st_size) as model:
        yield model


def identity_of(name: str, kind: Kind = "upscaler") -> str:
    """Names exactly this model: its name in the catalogue, whose files are pinned; of a file of one's own also what it holds."""
    path = find_model(kind, name) if name not in IMAGE_CATALOG else None
    if path is None:
        return name
    facts = path.stat()
    return f"{path.name} {_digest(path, facts.st_mtime_ns, facts.st_size)}"


@lru_cache(maxsize=16)
def _digest(path: Path, time: int, size: int) -> str:
    """The first letters of its SHA-256; time and size: those of the file, so that one that was replaced is read anew."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:12]
