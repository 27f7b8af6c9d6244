"""Scores of pictures by the chosen scorer, kept in the store."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from core.base.errors import StudioError
from core.base.progress import SILENT, Progress
from core.dataset.curation.embedding import embed
from core.dataset.curation.scorers import SCORERS, ScorerFiles, ScorerModel, VectorScorer, measures_of
from core.dataset.curation.store import Store
from core.dataset.images.opening import open_rgb
from core.dataset.items import ImageItem, Skipped, is_unchanged
from core.dataset.parallel import bounded_map

if TYPE_CHECKING:
    import numpy


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
    files: ScorerFiles | VectorScorer = SCORERS.load(name)(SCORERS.entry(name), chosen.model_dir, chosen.repo_id, chosen.revision)
    kind = _kind(name, files.identity)
    if isinstance(files, VectorScorer):
        return _score_vectors(items, name, kind, files, store, chosen.device, progress)
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
    """Measure → one number an item, NaN where there is none; scorers that never ran are left out."""
    import numpy

    found = {}
    for entry in SCORERS:
        kind = store.find(_newest(entry.name), ["model"]).get("model")
        if kind is None:
            continue
        known = store.find(kind.decode(), [item.sha256 for item in items])
        names = [str(measure["name"]) for measure in measures_of(entry)]
        none = struct.pack(f"<{len(names)}f", *[float("nan")] * len(names))
        known = {sha: data for sha, data in known.items() if len(data) == len(none)}
        table = numpy.frombuffer(b"".join(known.get(item.sha256, none) for item in items), dtype="<f4").reshape(len(items), len(names))
        found.update({name: table[:, place] for place, name in enumerate(names)})
    return found


def _score_vectors(items: Sequence[ImageItem], name: str, kind: str, scorer: VectorScorer, store: Store, device: str,
                   progress: Progress) -> Scored:
    """Score all pictures together, anew each time: a number may say how one lies among the others."""
    vectors = embed(items, scorer.embedder, store, device, progress)
    progress.start(f"Scoring: {SCORERS.entry(name).title}", 0)
    values = scorer.score_all(vectors.vectors) if len(vectors.rows) else ()
    store.remember(_newest(name), {"model": kind.encode()})
    scored = ((items[row], float(value)) for row, value in zip(vectors.rows, values, strict=True))
    store.remember(kind, {item.sha256: _packed(value) for item, value in scored if is_unchanged(item)})
    return Scored(scorer.stated, vectors.provider, vectors.skipped)


def _run(model: ScorerModel, batch: Sequence[tuple[ImageItem, numpy.ndarray]], kind: str, store: Store) -> None:
    values = model.score([pixels for _, pixels in batch])
    store.remember(kind, {item.sha256: _packed(value) for (item, _), value in zip(batch, values, strict=True) if is_unchanged(item)})


def _packed(value: float | tuple[float, ...]) -> bytes:
    numbers = value if isinstance(value, tuple) else (value,)
    return struct.pack(f"<{len(numbers)}f", *numbers)


def _kind(name: str, identity: str) -> str:
    return f"score:{name}:{identity}"


def _newest(name: str) -> str:
    return f"newest:{name}"
