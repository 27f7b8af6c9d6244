"""Captions in sentences by a captioner: asked once for each image, written like every change of captions, nothing of a person's lost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.base.errors import DatasetError
from core.base.hub import is_fetched
from core.base.progress import SILENT, Progress
from core.base.words import counted, model_words
from core.dataset.captions.caption_texts import CaptionSettings, put_together
from core.dataset.captions.captioners import CAPTIONERS, CaptionerModel
from core.dataset.captions.captioners.keeping import KeptCaptioner
from core.dataset.captions.files import read_caption
from core.dataset.captions.questions import Questions, check_question
from core.dataset.captions.told import Told, ToldStore
from core.dataset.captions.which import for_one, has_words
from core.dataset.captions.writing import CaptionWriter, leaves_captions, select
from core.dataset.history import Change, History
from core.dataset.items import ImageItem, Skipped, one_item
from core.dataset.project import Project, one_trigger

__all__ = ["CaptionReport", "CaptionSettings", "Description", "caption_images", "describe_image", "texts_of_image", "use_text"]


@dataclass
class CaptionReport:
    """What a captioning did."""

    captioner: str = ""
    by: str = ""
    """"the model in captioner/", where a folder was given in place of the captioner's own."""
    provider: str = ""
    """What computed; empty when every text was known already."""
    written: int = 0
    unchanged: int = 0
    kept: int = 0
    """Captions left alone, as asked."""
    remembered: int = 0
    """Images whose text was known from an earlier run."""
    cut: int = 0
    """Texts that became longer than was asked for and end in the middle; they are not kept for another run."""
    skipped: list[Skipped] = field(default_factory=list)
    seconds: float = 0.0

    def sentence(self) -> str:
        """The result in one line."""
        cut = f" ({self.cut} cut off; raise 'Longest text')" if self.cut else ""
        by = f" by {self.by}" if self.by else ""
        parts = [f"{counted(self.written, 'caption')} written{by}{cut}", f"{self.unchanged} as before" if self.unchanged else "",
                 f"{self.kept} kept" if self.kept else "", f"{len(self.skipped)} skipped" if self.skipped else ""]
        hint = " To change these, choose replace or merge under 'Existing captions'." if self.kept and not self.written else ""
        return ", ".join(part for part in parts if part) + "." + hint

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "skipped": [vars(item) for item in self.skipped]}


def caption_images(target: Project | Sequence[ImageItem], settings: CaptionSettings, progress: Progress = SILENT,
                   only: Sequence[str] | None = None, model: CaptionerModel | None = None) -> CaptionReport:
    """Let a captioner write captions.

    Args:
        target: a project (history, undo and kept texts), or the items of a plain folder (none of these).
        settings: which captioner, what it is asked, and what becomes of existing captions.
        only: ids of the images; None: those in the settings, or all.
        model: one that is open already; it stays open. None: it is opened when it is needed, and closed.

    Returns: counts, and every image that was skipped with the reason; its caption is as it was.
    Raises: Cancelled: what is done stays, and is not asked again; ModelError: the captioner cannot be opened, or failed several times
        one after the other; ConfigError, MissingDependency, DiskError.
    """
    started = time.monotonic()
    entry = CAPTIONERS.entry(settings.captioner)
    check_question(settings)
    chosen = select(target, settings, only, "caption")
    called = model_words(entry.title, settings.model_dir)
    report = CaptionReport(captioner=called, by=called if settings.model_dir else "", kept=chosen.kept)
    asking = Questions(settings, chosen.trigger, ToldStore.of(target) if isinstance(target, Project) else None, report, model)
    loading = "" if model is not None else loading_words(settings)
    if loading:
        progress.start(loading)
        asking.loading = _Loading(progress, loading).tell
    with chosen.history.entry(f"Captioned with {called}") as record, asking:
        asking.authored = chosen.authored()
        composer = _Composer(settings, chosen.trigger, asking.authored, report)
        writer: CaptionWriter[str] = CaptionWriter(composer.change, report, record, progress)
        progress.start("Captioning", len(chosen.items))
        if report.kept:
            progress.advance(by=report.kept)
        writer.take(asking.answers(chosen.todo))
    report.seconds = round(time.monotonic() - started, 3)
    return report


def loading_words(settings: CaptionSettings) -> str:
    """What happens before the first text comes, for the status line; empty for a server."""
    entry = CAPTIONERS.entry(settings.captioner)
    disk, repository = entry.options["disk"], entry.options.get("repo_id", "")
    if not disk or settings.model_dir:
        return f"Loading {model_words(entry.title, settings.model_dir)}" if disk else ""
    there = any(is_fetched(repository, f"*{ending}", settings.download_dir) for ending in (".safetensors", ".bin"))
    return f"Loading {entry.title}" if there else f"Fetching {entry.title} from Hugging Face, {disk:g} GiB"


@dataclass
class _Loading:
    """Shows in the progress of a captioning that its model is loaded, and goes on after that."""

    progress: Progress
    words: str
    _before: tuple[str, int, int] = ("", 0, 0)

    def tell(self, begins: bool) -> None:
        """The loading begins, or has ended."""
        progress = self.progress
        if begins:
            self._before = (progress.what, progress.total, progress.done)
            progress.start(self.words)
            return
        what, total, done = self._before
        progress.start(what, total)
        if done:
            progress.advance(by=done)


@dataclass
class _Composer:
    """What becomes of each caption."""

    settings: CaptionSettings
    trigger: str
    authored: dict[str, set[str]]
    report: CaptionReport

    def change(self, item: ImageItem, text: str) -> Change | None:
        """What becomes of one caption; None: nothing. Raises: DatasetError: it cannot be read."""
        present = read_caption(Path(item.caption_path), item.id)
        if leaves_captions(self.settings) and has_words(present.text, self.trigger):
            self.report.kept += 1  # somebody wrote it while the model was at work
            return None
        authored = self.authored.get(item.id, set()) if present.text else set()
        caption, written = put_together(present.text, text, authored, self.settings, self.trigger)
        if caption == present.text:
            self.report.unchanged += 1
            return None
        return Change(item.id, item.caption_name, present.text, caption, tuple(written), item.sha256)


@dataclass
class Description:
    """What a captioner says of one image; nothing is written."""

    captioner: str
    text: str
    """As it was cleaned, without trigger word, prefix and suffix."""
    caption: str
    """What the caption would become."""
    provider: str = ""
    """What computed; empty when the text was known already."""
    remembered: int = 0
    cut: int = 0
    """1: the text became longer than was asked for, and ends in the middle."""
    seconds: float = 0.0

    def sentence(self) -> str:
        """The result in one line."""
        how = f"in {self.seconds:.1f} s on {self.provider}" if self.provider else "as it said before"
        cut = " (cut off; raise 'Longest text')" if self.cut else ""
        return f"{self.captioner} says, {how}{cut}: {self.text}"


def describe_image(project: Project, image_id: str, settings: CaptionSettings, kept: KeptCaptioner | None = None) -> Description:
    """Ask a captioner for one image, as `caption_images` would; no caption is touched, but what it says is kept.

    Args: kept: opens the model and keeps it open; None: it is closed again.
    Raises: DatasetError: the image is gone or broken, or the model said nothing of use; ModelError, ConfigError, MissingDependency,
        DiskError.
    """
    check_question(settings)
    item, started = one_item(project, image_id), time.monotonic()
    trigger = one_trigger(settings.trigger_word) or project.trigger_word
    found = Description(model_words(CAPTIONERS.entry(settings.captioner).title, settings.model_dir), "", "")
    authored = History.of(project).authored({item.id: item.sha256})
    with Questions(for_one(settings, image_id), trigger, ToldStore.of(project), found, kept=kept, authored=authored) as questions:
        (_, text), = (one for answered in questions.answers([item]) for one in answered)
    if not isinstance(text, str):
        raise text
    found.seconds = time.monotonic() - started
    present = read_caption(Path(item.caption_path), item.id).text
    written = authored.get(item.id, set()) if present else set()
    found.text, found.caption = text, put_together(present, text, written, for_one(settings, image_id), trigger)[0]
    return found


def use_text(project: Project, image_id: str, text: str, settings: CaptionSettings) -> str:
    """Write a captioner's text that a person chose for an image, as one entry of the history.

    Existing captions: as in `settings`; with "keep" it replaces what models wrote, for it was chosen.
    Returns: the caption as it is now. Raises: DatasetError: no captioner said it of the picture that has that name now, the caption
        cannot be read, or it was changed at this very moment; DiskError.
    """
    item, report = one_item(project, image_id), CaptionReport()
    with ToldStore.of(project) as store:
        if not store.was_said(item.sha256, text):
            raise DatasetError(f"That text was not said of the picture {item.path.name} as it is now, so nothing was written.",
                               "The picture was changed or renamed meanwhile, or the captioner was asked again: look at it again.")
    trigger = one_trigger(settings.trigger_word) or project.trigger_word
    history = History.of(project)
    with history.entry(f"Chose a text for {image_id}") as record:
        composer = _Composer(for_one(settings, image_id), trigger, history.authored({item.id: item.sha256}), report)
        writer: CaptionWriter[str] = CaptionWriter(composer.change, report, record, SILENT)
        writer.add([(item, text)])
        writer.flush()
    if report.skipped:
        raise DatasetError(f"{report.skipped[0].name}: {report.skipped[0].reason}")
    return read_caption(Path(item.caption_path), item.id).text or ""


def texts_of_image(project: Project, image_id: str) -> list[Told]:
    """What captioners said of an image, the newest of each model. Raises: DatasetError: no image has that name."""
    item = one_item(project, image_id)
    with ToldStore.of(project) as store:
        return store.of_image(item.sha256)
