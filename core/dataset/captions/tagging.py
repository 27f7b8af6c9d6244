"""Captions by a tagger: decode pool, batches, stored scores, and nothing of a person's words lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from core.base.errors import DatasetError
from core.base.progress import SILENT, Progress
from core.base.words import counted
from core.dataset.captions.choosing import TagSettings, choose_tags, parse_replacements
from core.dataset.captions.files import read_caption, split_tags, tag_key
from core.dataset.captions.joining import compose, taken_out
from core.dataset.captions.scores import ScoreStore
from core.dataset.captions.scoring import Answers, Asking, find_taggers, finding_words
from core.dataset.captions.tags import caption_keys, is_prose
from core.dataset.captions.which import has_words
from core.dataset.captions.writing import CaptionWriter, leaves_captions, select
from core.dataset.history import Change
from core.dataset.items import ImageItem, Skipped
from core.dataset.project import Project

__all__ = ["TagReport", "TagSettings", "tag_images"]


@dataclass
class TagReport:
    """What a tagging did."""

    tagger: str = ""
    """Repositories and commits, or folders."""
    by: str = ""
    """"the model in tagger/", where a folder or repository was given in place of the tagger's own."""
    provider: str = ""
    """What computed: "CUDAExecutionProvider", "CPUExecutionProvider"; empty when every score was known already."""
    written: int = 0
    unchanged: int = 0
    """Captions that came out as they were."""
    kept: int = 0
    """Captions left alone, as asked."""
    stayed: int = 0
    """Tags of an earlier tagging that stayed, as asked, and that "replace" would have taken out."""
    remembered: int = 0
    """Images whose scores were known from an earlier run."""
    skipped: list[Skipped] = field(default_factory=list)
    tags: Counter[str] = field(default_factory=Counter)
    """How often each tag was chosen."""
    seconds: float = 0.0

    def sentence(self) -> str:
        """The result in one line."""
        by = {"CUDAExecutionProvider": " on the GPU", "CPUExecutionProvider": " on the CPU"}.get(self.provider, "")
        by += f" by {self.by}" if self.by else ""
        parts = [f"{counted(self.written, 'caption')} written{by}", f"{self.unchanged} as before" if self.unchanged else "",
                 f"{self.kept} kept" if self.kept else "", f"{len(self.skipped)} skipped" if self.skipped else ""]
        stay = f"{counted(self.stayed, 'tag')} of an earlier tagging {'stays' if self.stayed == 1 else 'stay'}"
        more = (f" {stay} that would not be written now. Choose 'replace' under 'Existing captions' to take such tags out: your own words "
                "stay with it too.") if self.stayed else ""
        return ", ".join(part for part in parts if part) + "." + more

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "skipped": [vars(item) for item in self.skipped], "tags": dict(self.tags.most_common())}


def tag_images(target: Project | Sequence[ImageItem], settings: TagSettings, progress: Progress = SILENT,
               only: Sequence[str] | None = None) -> TagReport:
    """Let one or several taggers write captions.

    Args:
        target: a project (history, undo and kept scores), or the items of a plain folder (none of these).
        settings: taggers, thresholds, and what becomes of existing captions.
        only: ids of the images to tag; None: those in the settings, or all.

    Returns: counts, the provider that computed, and every image that was skipped with the reason.

    Raises:
        Cancelled: captions written so far stay, and so do the scores.
        ModelError: a tagger cannot be fetched, opened or run. ConfigError, MissingDependency, DiskError.
    """
    started = time.monotonic()
    parse_replacements(settings.tag_replacement)
    chosen = select(target, settings, only, "tag")
    if finding := finding_words(settings):
        progress.start(finding)
    taggers = find_taggers(settings)
    report = TagReport(tagger=" and ".join(files.stated for files in taggers.values()), kept=chosen.kept)
    project = target if isinstance(target, Project) else None
    what = f"Tagged with {settings.called}"
    report.by = settings.called if settings.model_dir or settings.repo_id else ""
    with chosen.history.entry(what) as record, ScoreStore.of(project) if project else ScoreStore(Path()) as store:
        asking = Asking(taggers, settings, store if project else None, progress)
        progress.start("Tagging", len(chosen.items) + asking.steps(chosen.todo))
        if report.kept:
            progress.advance(by=report.kept)
        composer = _Composer(settings, chosen.trigger, chosen.authored(), report)
        writer: CaptionWriter[Answers] = CaptionWriter(composer.change, report, record, progress)
        try:
            writer.take(asking.answers(chosen.todo))
        finally:
            report.provider, report.remembered = asking.provider, asking.remembered
    report.seconds = round(time.monotonic() - started, 3)
    return report


@dataclass
class _Composer:
    """What becomes of each caption."""

    settings: TagSettings
    trigger: str
    authored: dict[str, set[str]]
    report: TagReport

    @cached_property
    def _replacing(self) -> TagSettings:
        """The same settings, with which tags of an earlier tagging go."""
        return self.settings.changed(existing="replace")

    def change(self, item: ImageItem, answers: Answers) -> Change | None:
        """What becomes of one caption; None: nothing. Raises: DatasetError: it cannot be read, or no tag was found."""
        present = read_caption(item.caption_path, item.id)
        if leaves_captions(self.settings) and has_words(present.text, self.trigger):
            self.report.kept += 1  # somebody wrote it while the model was running
            return None
        authored = self.authored.get(item.id, set()) if present.text else set()  # a deleted or emptied file is no choice of tags
        dropped = taken_out(present.text, authored, self.settings)
        found = choose_tags(answers, self.settings, dropped)
        text, written = compose(present.text, found, authored, self.settings, self.trigger)
        if not found and not dropped and not self._says_something(text):
            raise DatasetError("No tag was scored above the thresholds; the caption was left as it was.", "Lower the threshold.")
        self.report.tags.update({tag_key(tag) for tag in found})
        if self.settings.existing == "merge" and authored and not is_prose(text):
            anew = compose(present.text, found, authored, self._replacing, self.trigger)[0]
            if found or dropped or self._says_something(anew):
                self.report.stayed += len(caption_keys(text) - caption_keys(anew))
        if text == present.text:
            self.report.unchanged += 1
            return None
        return Change(item.id, item.caption_name, present.text, text, tuple(written), item.sha256)

    def _says_something(self, text: str) -> bool:
        """Whether a caption holds more than what stands in all of them."""
        settings = self.settings
        always = [self.trigger, *split_tags(settings.prefix), *split_tags(settings.suffix)]
        return bool({tag_key(tag) for tag in split_tags(text, settings.caption_separator)} - {tag_key(tag) for tag in always})
