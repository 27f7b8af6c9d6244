"""What an undo or a redo does to the captions: which changes fit the pictures that are there, and what became of them in words."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.base.errors import DatasetError
from core.base.words import counted
from core.dataset.captions.swapping import CHANGED, Swap
from core.dataset.collecting import without_collection
from core.dataset.history_file import Change, HistoryEntry
from core.dataset.images.files import IMAGE_SUFFIXES, stem_of
from core.dataset.index import ImageRow, Index
from core.dataset.items import Skipped, list_items
from core.dataset.project import Project

BY_HAND = "It was edited by hand since and stays as it is."
AWAY = "Its picture is not in the project now (put aside?), so it was left as it is."
OTHER = "Its picture is another one now, so it was left as it is."
EDITED = ("was edited since and stays as it is", "were edited since and stay as they are")
UNREADABLE = ("cannot be read and stays as it is", "cannot be read and stay as they are")
WORDS = {CHANGED: EDITED, BY_HAND: EDITED,
         AWAY: ("was left as it is: its picture is not in the project now (put aside?)",
                "were left as they are: their pictures are not in the project now (put aside?)"),
         OTHER: ("was left as it is: its picture is another one now", "were left as they are: their pictures are others now")}
"""What the report says of one caption that was left, and of several; of other reasons: `UNREADABLE`."""


@dataclass(frozen=True)
class UndoReport:
    """What an undo (or redo, or a way back to a version) did."""

    what: str
    """The entry that was undone, in words; where it was a way over several, the whole of it."""
    restored: int
    skipped: list[Skipped] = field(default_factory=list)
    """Captions that were left as they are: edited since, unreadable, or of a picture that is not there now."""
    verb: str = "undone"
    way: bool = False
    """Whether it was a way over several entries."""

    def sentence(self) -> str:
        """The result in one line."""
        was = "was" if self.restored == 1 else "were"
        words = self.what if self.way else f"{self.what!r} is {self.verb}"
        return f"{words}. {counted(self.restored, 'caption')} {was} changed.{self._left()}"

    def _left(self) -> str:
        kinds: dict[tuple[str, str], int] = {}
        for one in self.skipped:
            kind = WORDS.get(one.reason, UNREADABLE)
            kinds[kind] = kinds.get(kind, 0) + 1
        return "".join(f" {count} {kind[count > 1]}." for kind, count in kinds.items())

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"what": self.what, "restored": self.restored, "skipped": [vars(item) for item in self.skipped]}


class Pictures:
    """The pictures of a project, looked at once. Hashes come from the index, and only where they are asked for.

    Raises: DatasetError: the folder cannot be read.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._files: dict[str, list[os.DirEntry[str]]] = {}
        self._known: dict[str, ImageRow] | None = None
        self._listed: dict[str, str] | None = None
        try:
            with os.scandir(project.images) as entries:
                for entry in entries:
                    if entry.name.lower().endswith(IMAGE_SUFFIXES) and not entry.name.startswith(".") and not entry.is_dir():
                        self._files.setdefault(stem_of(entry.name), []).append(entry)
        except OSError as error:
            raise DatasetError(f"{project.images} cannot be read ({error.strerror or type(error).__name__}).",
                               "Check its rights, and that its drive is connected.") from error

    def missing(self, change: Change) -> str:
        """Why a change cannot be made now: its picture is not there, or is another one than it was made for. Empty: it can."""
        files = self._files.get(change.image)
        if files is None:
            return AWAY
        if change.sha256 and not any(self._hash(file) in ("", change.sha256) for file in files):
            return OTHER
        return ""

    def _hash(self, file: os.DirEntry[str]) -> str | None:
        """SHA-256 of a picture; empty where it cannot be read, None where it went away."""
        if self._known is None:
            with without_collection(), Index(self._project.hidden / "index.sqlite") as index:
                self._known = index.images()
        row = self._known.get(file.name)
        if row is not None and self._listed is None:
            with contextlib.suppress(OSError):
                facts = file.stat()
                if (row.mtime_ns, row.size) == (facts.st_mtime_ns, facts.st_size):
                    return row.sha256
        if self._listed is None:  # one that the index does not know, or knows otherwise
            self._listed = {item.name: item.sha256 for item in list_items(self._project)}
        return self._listed.get(file.name)


def every_change(entry: HistoryEntry, change: Change) -> bool:
    """What `net_swaps` takes in where it is not told."""
    return True


def net_swaps(steps: Sequence[HistoryEntry], way: str, fits: Callable[[HistoryEntry, Change], bool] = every_change) -> dict[str, Swap]:
    """What becomes of each caption file when entries are undone or redone one after the other, as one step.

    A hand's change between two entries is passed over: it is in the history as what the later one found.

    Args: fits: which changes are turned; the others are left out.
    """
    swaps: dict[str, Swap] = {}
    for entry in steps:
        changes = entry.changes
        for change in reversed(changes) if way == "undo" else changes:
            if fits(entry, change):
                old, new = (change.after, change.before) if way == "undo" else (change.before, change.after)
                known = swaps.get(change.file)
                swaps[change.file] = Swap(change.file, old if known is None else known.before, new or None)
    return swaps
