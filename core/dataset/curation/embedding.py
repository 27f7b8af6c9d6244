"""Vectors of pictures by the chosen embedder, kept in the store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.base.errors import ConfigError, StudioError
from core.base.progress import SILENT, Progress
from core.dataset.curation.embedders import EMBEDDERS, EmbedderFiles, EmbedderModel
from core.dataset.curation.store import Store
from core.dataset.images.opening import open_rgb
from core.dataset.items import ImageItem, Skipped, is_unchanged
from core.dataset.parallel import bounded_map

if TYPE_CHECKING:
    import numpy

BATCH = 16


@dataclass
class Vectors:
    """Vectors of the pictures that have one."""

    rows: numpy.ndarray
    """Numbers of those pictures in the list, rising."""
    vectors: numpy.ndarray
    """(rows, d) float32, each of length 1."""
    skipped: list[Skipped] = field(default_factory=list)
    unknown: int = 0
    """Pictures that have none yet (only when nothing was to be opened)."""
    stated: str = ""
    provider: str = ""


def find_embedder(name: str, model_dir: str = "", repo_id: str = "", revision: str = "") -> EmbedderFiles:
    """Where an embedder's files are. Raises: ConfigError, MissingDependency, ModelError: they cannot be had."""
    return EMBEDDERS.load(name)(EMBEDDERS.entry(name), model_dir, repo_id, revision)


def embed(items: Sequence[ImageItem], files: EmbedderFiles, store: Store, device: str = "auto", progress: Progress = SILENT,
          stored_only: bool = False) -> Vectors:
    """The pictures' vectors; those that are not known yet are worked out, each content once.

    Args: stored_only: run no model.
    Raises: ModelError, MissingDependency, ConfigError: the model cannot be loaded; Cancelled: what was worked out is kept.
    """
    import numpy

    kind = f"embed:{files.identity}"
    known = store.find(kind, [item.sha256 for item in items if item.sha256])
    fresh = {item.sha256: item for item in reversed(items) if item.sha256 and item.sha256 not in known}
    found = Vectors(numpy.zeros(0, numpy.int64), numpy.zeros((0, 1), numpy.float32), stated=files.stated)
    if fresh and not stored_only:
        known.update(_work(list(fresh.values())[::-1], files, kind, store, device, progress, found))
    lengths = {len(data) for data in known.values()}
    if len(lengths) > 1:
        raise ConfigError(f"{files.stated} gave vectors of different lengths.", "It is not an embedder.")
    rows = [row for row, item in enumerate(items) if item.sha256 in known]
    found.unknown = len(items) - len(rows) if stored_only else 0
    if rows:
        found.rows = numpy.array(rows)
        joined = b"".join(known[items[row].sha256] for row in rows)
        found.vectors = numpy.frombuffer(joined, dtype=numpy.float32).reshape(len(rows), -1)
    return found


def _work(fresh: Sequence[ImageItem], files: EmbedderFiles, kind: str, store: Store, device: str, progress: Progress,
          into: Vectors) -> dict[str, bytes]:
    model = files.open(device)
    into.provider = model.provider
    done: dict[str, bytes] = {}
    batch: list[tuple[ImageItem, numpy.ndarray]] = []

    def decode(item: ImageItem) -> numpy.ndarray:
        return model.prepare(open_rgb(item.path, at_least=model.size))

    progress.start("Working out embeddings", len(fresh))
    with closing(bounded_map(decode, fresh, ahead=2 * BATCH)) as decoded:
        for item, pixels in decoded:
            if isinstance(pixels, StudioError):
                into.skipped.append(Skipped(item.name, pixels.message))
            else:
                batch.append((item, pixels))
            if len(batch) >= BATCH:
                done.update(_run(model, batch, kind, store))
                batch = []
            progress.advance(item.name)
        if batch:
            done.update(_run(model, batch, kind, store))
    return done


def _run(model: EmbedderModel, batch: Sequence[tuple[ImageItem, numpy.ndarray]], kind: str, store: Store) -> dict[str, bytes]:
    import numpy

    vectors = numpy.ascontiguousarray(model.embed(numpy.stack([pixels for _, pixels in batch])), dtype=numpy.float32)
    found = {item.sha256: row.tobytes() for (item, _), row in zip(batch, vectors, strict=True)}
    store.remember(kind, {item.sha256: found[item.sha256] for item, _ in batch if is_unchanged(item)})
    return found
