"""Captions by a tagger: decode pool, batches, stored scores, and nothing of a person's words lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import DatasetError, StudioError
from core.base.progress import SILENT, Progress
from core.dataset.captions.choosing import TagSettings, choose_tags, compose, parse_replacements
from core.dataset.captions.files import read_caption, tag_key, write_caption
from core.dataset.captions.taggers import TAGGERS, TaggerFiles, TaggerModel
from core.dataset.history import History, Recorder
from core.dataset.images.opening import open_rgb
from core.dataset.index import Index, TagScores
from core.dataset.items import ImageItem, Skipped, is_unchanged, list_items
from core.dataset.parallel import bounded_map
from core.dataset.project import Project, one_trigger

if TYPE_CHECKING:
    import numpy

__all__ = ["TagReport", "TagSettings", "tag_images"]


@dataclass
class TagReport:
    """What a tagging did."""

    tagger: str = ""
    """Repository and commit, or folder."""
    provider: str = ""
    """What computed: "CUDAExecutionProvider", "CPUExecutionProvider"; empty when every score was known already."""
    written: int = 0
    unchanged: int = 0
    """Captions that came out as they were."""
    kept: int = 0
    """Captions left alone, as asked."""
    remembered: int = 0
    """Images whose scores were known from an earlier run."""
    skipped: list[Skipped] = field(default_factory=list)
    tags: Counter[str] = field(default_factory=Counter)
    """How often each tag was chosen."""
    seconds: float = 0.0

    def sentence(self) -> str:
        """The result in one line."""
        by = {"CUDAExecutionProvider": " on the GPU", "CPUExecutionProvider": " on the CPU"}.get(self.provider, "")
        parts = [f"{self.written} captions written{by}", f"{self.unchanged} as before" if self.unchanged else "",
                 f"{self.kept} kept" if self.kept else "", f"{len(self.skipped)} skipped" if self.skipped else ""]
        return ", ".join(part for part in parts if part) + "."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "skipped": [vars(item) for item in self.skipped], "tags": dict(self.tags.most_common())}


def tag_images(target: Project | Sequence[ImageItem], settings: TagSettings, progress: Progress = SILENT,
               only: Sequence[str] | None = None) -> TagReport:
    """Let a tagger write captions.

    Args:
        target: a project (history, undo and stored scores), or the items of a plain folder (none of these).
        settings: tagger, thresholds, and what becomes of existing captions.
        only: ids of the images to tag; None: all.

    Returns: counts, the provider that computed, and every image that was skipped with the reason.

    Raises:
        Cancelled: captions written so far stay, and so do the scores.
        ModelError: the tagger cannot be fetched, opened or run. ConfigError, MissingDependency, DiskError.
    """
    started = time.monotonic()
    project = target if isinstance(target, Project) else None
    items = list_items(target) if isinstance(target, Project) else list(target)
    if only is not None:
        items = [item for item in items if item.id in set(only)]
    if not items:
        raise DatasetError("There are no images to tag.", "Import some first.")
    parse_replacements(settings.tag_replacement)
    entry = TAGGERS.entry(settings.tagger)
    files: TaggerFiles = TAGGERS.load(settings.tagger)(entry, model_dir=settings.model_dir, repo_id=settings.repo_id,
                                                       revision=settings.revision, download_dir=settings.download_dir,
                                                       force_download=settings.force_download)
    report = TagReport(tagger=files.stated)
    history = History.of(project) if project else History(None)
    trigger = one_trigger(settings.trigger_word) or (project.trigger_word if project else "")
    progress.start("Tagging", len(items))
    todo = []
    for item in items:
        if settings.existing == "keep" and has_words(item.caption, trigger):
            report.kept += 1
            progress.advance(item.id)
        else:
            todo.append(item)
    with history.entry(f"Tagged with {entry.title}") as record, Index(_index_path(project)) as index:
        writer = _Writer(settings, trigger, history.authored({item.id: item.sha256 for item in items}), report)
        for item, result in _scored(todo, files, settings, index if project else None, report):
            writer.write(item, result, record, progress)
            progress.advance(item.id)
    report.seconds = round(time.monotonic() - started, 3)
    return report


def has_words(caption: str | None, trigger: str) -> bool:
    """Whether a caption says more than the trigger word."""
    return bool(caption) and caption != trigger


def _index_path(project: Project | None) -> Path:
    return project.hidden / "index.sqlite" if project else Path()


def _scored(items: list[ImageItem], files: TaggerFiles, settings: TagSettings, index: Index | None,
            report: TagReport) -> Iterator[tuple[ImageItem, TagScores | StudioError]]:
    """Scores of each image: those that are known first, then the model's, batch by batch."""
    known = index.scores(files.identity, [item.sha256 for item in items]) if index is not None else {}
    fresh = []
    for item in items:
        if item.sha256 in known:
            report.remembered += 1
            yield item, known[item.sha256]
        else:
            fresh.append(item)
    if not fresh:
        return
    model = files.open(settings.device)
    report.provider = model.provider

    def decode(item: ImageItem) -> numpy.ndarray:
        return model.prepare(open_rgb(item.path, at_least=2 * model.size))

    workers = settings.max_data_loader_n_workers
    with closing(bounded_map(decode, fresh, workers, ahead=2 * settings.batch_size)) as decoded:
        batch: list[tuple[ImageItem, numpy.ndarray]] = []
        for item, pixels in decoded:
            if isinstance(pixels, StudioError):
                yield item, pixels
                continue
            batch.append((item, pixels))
            if len(batch) >= settings.batch_size:
                yield from _run(model, batch, files.identity, index)
                batch = []
        if batch:
            yield from _run(model, batch, files.identity, index)


def _run(model: TaggerModel, batch: list[tuple[ImageItem, numpy.ndarray]], identity: str,
         index: Index | None) -> Iterator[tuple[ImageItem, TagScores]]:
    import numpy

    scores = model.scores(numpy.stack([pixels for _, pixels in batch]))
    if index is not None:
        index.remember_scores(identity, {item.sha256: found for (item, _), found in zip(batch, scores, strict=True) if is_unchanged(item)})
    yield from ((item, found) for (item, _), found in zip(batch, scores, strict=True))


@dataclass
class _Writer:
    """Turns scores into caption files."""

    settings: TagSettings
    trigger: str
    authored: dict[str, set[str]]
    report: TagReport

    def write(self, item: ImageItem, result: TagScores | StudioError, record: Recorder, progress: Progress) -> None:
        """Write one caption, or note why not. Raises: DiskError."""
        try:
            if isinstance(result, StudioError):
                raise DatasetError(result.message, result.hint)
            self._write(item, choose_tags(result, self.settings), record)
        except DatasetError as error:
            self.report.skipped.append(Skipped(item.path.name, error.message))
            progress.warn(f"{item.path.name}: {error}")

    def _write(self, item: ImageItem, found: list[str], record: Recorder) -> None:
        present = read_caption(item.caption_path, item.id)
        if self.settings.existing == "keep" and has_words(present.text, self.trigger):
            self.report.kept += 1  # somebody wrote it while the model was running
            return
        authored = self.authored.get(item.id, set()) if present.text else set()  # a deleted or emptied file is no choice of tags
        text, written = compose(present.text, found, authored, self.settings, self.trigger)
        if not found and not has_words(text, self.trigger):
            raise DatasetError("No tag was scored above the thresholds; the caption was left as it was.", "Lower the threshold.")
        self.report.tags.update({tag_key(tag) for tag in found})
        if text == present.text:
            self.report.unchanged += 1
            return
        record.change(item.id, item.caption_path.name, present.text, text, written, item.sha256)
        write_caption(item.caption_path, text, present.revision, item.id)
        self.report.written += 1
