"""Scores of pictures by the chosen scorer, kept in the store."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from core.base.errors import StudioError
from core.base.progress import SILENT, Progress
from core.dataset.curation.scorers import SCORERS, ScorerFiles, ScorerModel
from core.dataset.curation.store import Store
from core.dataset.images.opening import open_rgb
from core.dataset.items import ImageItem, Skipped, is_unchanged
from core.dataset.parallel import bounded_map

if TYPE_CHECKING:
    import numpy

NUMBER = struct.Struct("<f")


class Chosen(Protocol):
    """The fields of a settings class that say which files and device."""

    @property
    def model_dir(self) -> str: ...

    @property
    def repo_id(self) -> str: ...

    @property
    def revision(self) -> str: ...

    @property
    def device(self) -> str: ...


@dataclass
class Scored:
    """What a scorer did."""

    stated: str = ""
    provider: str = ""
    skipped: list[Skipped] = field(default_factory=list)


def score(items: Sequence[ImageItem], name: str, store: Store, chosen: Chosen, progress: Progress = SILENT) -> Scored:
    """Score the pictures that this very model has not scored yet; the newest score of a name counts.

    Raises: ModelError, MissingDependency, ConfigError: the model cannot be had; Cancelled: what was scored is kept.
    """
    files: ScorerFiles = SCORERS.load(name)(SCORERS.entry(name), chosen.model_dir, chosen.repo_id, chosen.revision)
    kind = _kind(name, files.identity)
    known = store.find(kind, [item.sha256 for item in items if item.sha256])
    fresh = list({item.sha256: item for item in reversed(items) if item.sha256 and item.sha256 not in known}.values())[::-1]
    done, newest = Scored(files.stated), {"model": kind.encode()}
    if not fresh:
        store.remember(_newest(name), newest)
        return done
    model = files.open(chosen.device)
    store.remember(_newest(name), newest)  # not before it is open: where it cannot be opened, the scores of the one before stay
    done.provider = model.provider

    def decode(item: ImageItem) -> numpy.ndarray:
        return model.prepare(open_rgb(item.path, at_least=model.size))

    progress.start(f"Scoring: {SCORERS.entry(name).title}", len(fresh))
    batch: list[tuple[ImageItem, numpy.ndarray]] = []
    with closing(bounded_map(decode, fresh, ahead=2 * model.batch + 2)) as decoded:
        for item, pixels in decoded:
            if isinstance(pixels, StudioError):
                done.skipped.append(Skipped(item.name, pixels.message))
            else:
                batch.append((item, pixels))
            if len(batch) >= model.batch:
                _run(model, batch, kind, store)
                batch = []
            progress.advance(item.name)
        if batch:
            _run(model, batch, kind, store)
    return done


def stored_scores(items: Sequence[ImageItem], store: Store) -> dict[str, numpy.ndarray]:
    """Scorer → one number an item, NaN where there is none; scorers that never ran are left out."""
    import numpy

    found = {}
    for name in SCORERS.names():
        kind = store.find(_newest(name), ["model"]).get("model")
        if kind is None:
            continue
        known = store.find(kind.decode(), [item.sha256 for item in items])
        values = [NUMBER.unpack(known[item.sha256])[0] if item.sha256 in known else float("nan") for item in items]
        found[name] = numpy.array(values, dtype=numpy.float32)
    return found


def _run(model: ScorerModel, batch: Sequence[tuple[ImageItem, numpy.ndarray]], kind: str, store: Store) -> None:
    values = model.score([pixels for _, pixels in batch])
    store.remember(kind, {item.sha256: NUMBER.pack(value) for (item, _), value in zip(batch, values, strict=True) if is_unchanged(item)})


def _kind(name: str, identity: str) -> str:
    return f"score:{name}:{identity}"


def _newest(name: str) -> str:
    return f"newest:{name}"
