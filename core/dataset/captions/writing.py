"""Captions of a model on their way into the files, some at a time: found now, in the history and the files a moment later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from core.base.errors import DatasetError, DiskError, StudioError
from core.base.files import sha256
from core.base.progress import Progress
from core.dataset.captions.files import read_caption_text
from core.dataset.captions.swapping import Swap, swap_captions
from core.dataset.captions.which import has_words, wanted_images
from core.dataset.history import Change, History, Recorder
from core.dataset.items import ImageItem, Skipped, is_unchanged, list_items
from core.dataset.project import Project, one_trigger

F = TypeVar("F")
MOST_WAITING = 2000
"""Captions that are written together."""
LONGEST_WAIT = 1.0
"""Seconds after which what was found is written, so that a gallery shows it and a kill loses nothing but a moment's writing."""


class Counts(Protocol):
    """What a report counts."""

    written: int
    unchanged: int
    skipped: list[Skipped]


@dataclass
class Selection:
    """The images that a model is to write captions for."""

    items: list[ImageItem]
    todo: list[ImageItem]
    """Those of them whose caption may change."""
    trigger: str
    history: History

    @property
    def kept(self) -> int:
        """How many are left alone, as asked."""
        return len(self.items) - len(self.todo)

    def authored(self) -> dict[str, set[str]]:
        """Image id → keys of what a model wrote there before."""
        return self.history.authored({item.id: item.sha256 for item in self.todo})


class Wanted(Protocol):
    """The fields of a settings class that say which images, and what becomes of their captions."""

    @property
    def which(self) -> str: ...

    @property
    def ids(self) -> tuple[str, ...]: ...

    @property
    def existing(self) -> str: ...

    @property
    def trigger_word(self) -> str: ...


def select(target: Project | Sequence[ImageItem], settings: Wanted, only: Sequence[str] | None, verb: str) -> Selection:
    """Which images, and what is known of their captions.

    Args: target: a project, or the items of a plain folder (no history). only: ids; None: those in the settings, or all. verb: "tag".
    Raises: DatasetError: there is none; ConfigError: the trigger word cannot be used.
    """
    project = target if isinstance(target, Project) else None
    trigger = one_trigger(settings.trigger_word) or (project.trigger_word if project else "")
    items = list_items(target) if isinstance(target, Project) else list(target)
    items = wanted_images(items, settings.which, (settings.ids or None) if only is None else only, trigger, verb)
    todo = [item for item in items if not (leaves_captions(settings) and has_words(item.caption, trigger))]
    return Selection(items, todo, trigger, History.of(project) if project else History(None))


def leaves_captions(settings: Wanted) -> bool:
    """Whether images that have a caption are left alone."""
    return settings.existing == "keep" or settings.which == "missing"


@dataclass
class CaptionWriter(Generic[F]):
    """Writes captions, first into the history, then into the files; what cannot be written is named and left as it is.

    Args: change: what becomes of an image's caption, given what was found; None: nothing. It may raise DatasetError.
    """

    change: Callable[[ImageItem, F], Change | None]
    report: Counts
    record: Recorder
    progress: Progress
    _waiting: list[tuple[ImageItem, F]] = field(default_factory=list)
    _taken: set[Path] = field(default_factory=set)
    """Caption files that are written to already: of two images that share one, the first has it."""
    _since: float = field(default_factory=time.monotonic)

    def add(self, found: Sequence[tuple[ImageItem, F | StudioError]]) -> None:
        """Take some in. Raises: DiskError."""
        for item, one in found:
            if isinstance(one, StudioError):
                self.skip(item, one)
            else:
                self._waiting.append((item, one))
        if len(self._waiting) >= MOST_WAITING or time.monotonic() - self._since > LONGEST_WAIT:
            self.flush()

    def take(self, answers: Iterable[list[tuple[ImageItem, F | StudioError]]]) -> None:
        """Take in all that comes, as it comes; what came is written, whatever ends it. Raises: Cancelled, DiskError, what answers raise."""
        try:
            for answered in answers:
                self.add(answered)
                for item, _ in answered:
                    self.progress.advance(item.id)
        finally:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Raises: DiskError."""
        waiting, self._waiting, self._since = self._waiting, [], time.monotonic()
        folders: dict[Path, list[tuple[ImageItem, Change]]] = {}
        for item, found in waiting:
            if not _is_there(item):
                self.skip(item, DatasetError("The picture was changed, renamed or put aside meanwhile, so nothing was written for it."))
                continue
            try:
                change = self.change(item, found)
            except DatasetError as error:
                self.skip(item, error)
                continue
            if change is not None and item.caption_path in self._taken:
                self.skip(item, DatasetError(f"Another image shares its caption {item.caption_name}."))
            elif change is not None:
                self._taken.add(item.caption_path)
                folders.setdefault(item.folder, []).append((item, change))
        self.record.changes([change for pairs in folders.values() for _, change in pairs])
        for folder, pairs in folders.items():
            names = {change.file: item for item, change in pairs}
            try:
                swapped = swap_captions(folder, [Swap(change.file, change.before, change.after) for _, change in pairs],
                                        lines=self.record.lines)
            except DiskError:
                self.record.left([one.file for _, one in pairs if read_caption_text(folder / one.file) != one.after])
                raise
            self.report.written += swapped.done
            self.report.unchanged += swapped.same
            self.record.left([skipped.name for skipped in swapped.skipped])
            for skipped in swapped.skipped:
                self.skip(names[skipped.name], DatasetError(skipped.reason))

    def skip(self, item: ImageItem, error: StudioError) -> None:
        """Name an image whose caption stays as it is."""
        self.report.skipped.append(Skipped(item.path.name, error.message))
        self.progress.warn(f"{item.path.name}: {error}")


def _is_there(item: ImageItem) -> bool:
    """Whether the picture still lies under its name. Its time alone says nothing: some network drives round it later."""
    try:
        return is_unchanged(item) or (sha256(item.path) == item.sha256 if item.sha256 else item.path.exists())
    except OSError:
        return False
