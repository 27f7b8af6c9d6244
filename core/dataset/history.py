"""What was done to the captions: every bulk change is one entry that can be undone and made again, and tells which tags a model wrote."""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError, DatasetError
from core.base.locks import locked
from core.base.progress import SILENT, Progress
from core.base.words import counted
from core.dataset.captions.files import one_line, read_caption_text, tag_key
from core.dataset.captions.swapping import Swap, clear_leftovers, swap_captions
from core.dataset.history_file import Change, HistoryEntry, HistoryFile, Summary, append_values, lines_of, naming
from core.dataset.items import Skipped
from core.dataset.project import Project, ProjectInfo

__all__ = ["Change", "History", "HistoryEntry", "Recorder", "UndoReport", "finish", "go_to", "redo_last", "undo_last"]

HISTORY_FILE = "history.jsonl"
BY_HAND = "It was edited by hand since and stays as it is."
START = "start"
"""Stands for the state before the first entry."""


@dataclass(frozen=True)
class UndoReport:
    """What an undo (or redo, or a way back to a version) did."""

    what: str
    """The entry that was undone, in words; where it was a way over several, the whole of it."""
    restored: int
    skipped: list[Skipped] = field(default_factory=list)
    """Captions that were edited since; they were left as they are."""
    verb: str = "undone"
    way: bool = False
    """Whether it was a way over several entries."""

    def sentence(self) -> str:
        """The result in one line."""
        some = len(self.skipped)
        stay = "was edited since and stays as it is" if some == 1 else "were edited since and stay as they are"
        left = f" {some} {stay}." if some else ""
        was = "was" if self.restored == 1 else "were"
        words = self.what if self.way else f"{self.what!r} is {self.verb}"
        return f"{words}. {counted(self.restored, 'caption')} {was} changed.{left}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"what": self.what, "restored": self.restored, "skipped": [vars(item) for item in self.skipped]}


class Recorder:
    """Takes down the changes of one entry, before they are made, so that a kill in the middle can be undone or finished."""

    def __init__(self, path: Path | None, what: str, trigger: tuple[str, str] | None = None) -> None:
        self._path, self._what, self._trigger = path, what, trigger
        self.id = ""
        """Names the entry; empty until its first change."""
        self._made: int | None = None

    def change(self, image: str, file: str, before: str | None, after: str, written: Iterable[str] | None = None,
               sha256: str = "") -> None:
        """Note one change. Raises: DiskError."""
        if self._path is not None:
            append_values(self._path, [*self._begin(), {
                "event": "change", "entry": self.id, "image": image, "file": file, "before": before, "after": after,
                "written": None if written is None else list(written), "sha256": sha256}])

    def changes(self, changes: Sequence[Change]) -> None:
        """Note all changes of a bulk change at once; they are on the disk when this returns. Raises: DiskError."""
        if self._path is not None and changes:
            begin = self._begin()
            append_values(self._path, (line for lines in (begin, lines_of(self.id, changes)) for line in lines), sync=True)

    def lines(self, texts: Mapping[str, str]) -> None:
        """Note captions of the entry that stand in several lines, by file name, as they are before they are replaced. Raises: DiskError."""
        if self._path is not None and texts:
            append_values(self._path, [*self._begin(), {"event": "lines", "entry": self.id, "texts": dict(texts)}], sync=True)

    def left(self, files: Sequence[str]) -> None:
        """Caption files that were not written after all, though their changes are noted. Raises: DiskError."""
        if self._path is not None and files:
            append_values(self._path, [{"event": "left", "entry": self.id, "files": list(files)}])

    def _begin(self) -> list[dict[str, Any]]:
        if self.id:
            return []
        self.id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        return [{"event": "begin", "entry": self.id, "what": self._what, "time": time.time(), "trigger": self._trigger, "ends": True}]

    def made(self, count: int) -> None:
        """Only so many of the changes, from the first, were made: the rest was cancelled."""
        self._made = count

    def end(self) -> None:
        """The work on it has ended, whole or cancelled. Raises: DiskError."""
        if self._path is not None and self.id:
            made = {} if self._made is None else {"made": self._made}
            append_values(self._path, [{"event": "end", "entry": self.id, "time": time.time(), **made}], sync=True)


class History:
    """The history of a project's captions.

    Args: path: history.jsonl; None for a plain folder, where nothing is recorded. images: the folder of the captions.
    """

    def __init__(self, path: Path | None, images: Path | None = None) -> None:
        self.path, self._images = path, images

    @classmethod
    def of(cls, project: Project) -> History:
        """The history of a project."""
        return cls(project.hidden / HISTORY_FILE, project.images)

    @contextlib.contextmanager
    def entry(self, what: str, trigger: tuple[str, str] | None = None) -> Iterator[Recorder]:
        """One bulk change, in words: "Tagged with WD EVA02-Large v3". No change, no entry. It waits for an undo to end.

        Args: trigger: the project's trigger word before and after, where the change sets it; an undo sets it back.
        """
        record = Recorder(self.path, what, trigger)
        with held(self.path, fcntl.LOCK_SH) if self.path is not None else contextlib.nullcontext():
            try:
                yield record
            finally:
                record.end()

    def summary(self) -> Summary:
        """Entries, what holds, what can be made again, and named versions."""
        return HistoryFile(self.path).summary() if self.path is not None else Summary()

    def entries(self) -> list[HistoryEntry]:
        """All entries, oldest first. Half a line (a kill while it was written) is passed over."""
        return list(self.summary().entries.values())

    def applied(self) -> list[HistoryEntry]:
        """Entries that hold, oldest first."""
        summary = self.summary()
        return [summary.entries[name] for name in summary.applied]

    def redoable(self) -> list[HistoryEntry]:
        """Entries that were taken back and can be made again, the next one first."""
        summary = self.summary()
        return [summary.entries[name] for name in reversed(summary.redo)]

    def interrupted(self) -> list[HistoryEntry]:
        """Entries that a kill left half done; none while somebody is at work on the captions."""
        if self.path is None or not any(entry.unfinished for entry in self.entries()):
            return []
        try:
            with held(self.path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                return [entry for entry in self.entries() if entry.unfinished]
        except BlockingIOError:
            return []

    def authored(self, images: Mapping[str, str]) -> dict[str, set[str]]:
        """Image id → keys (`tag_key`) of the tags that a model wrote last; it reads backwards, and only as far as it must.

        Args: images: id → SHA-256 of the images that are asked for. What was written for another picture of that name does not count.
        """
        tags: dict[str, set[str]] = {}
        entries = [entry for entry in reversed(self.applied()) if entry.by_model]
        if self.path is None or not entries or not images:
            return tags
        worth = naming(images, self.summary().renames)
        with open(self.path, "rb") as file:
            for change, broken_off in ((change, entry.unfinished) for entry in entries for change in entry.newest_changes(file, worth)):
                wanted = change.image in images and change.image not in tags and change.written is not None
                same = wanted and (not change.sha256 or images[change.image] in ("", change.sha256))
                if same and not (broken_off and self._stands_as_before(change)):
                    tags[change.image] = {tag_key(tag) for tag in change.written or ()}
                    if len(tags) == len(images):
                        break
        return tags

    def _stands_as_before(self, change: Change) -> bool:
        """Whether a kill came before a caption was written: then its tags are none that a person took out."""
        if self._images is None or change.before == change.after:
            return False
        return (read_caption_text(self._images / change.file) or None) == (change.before or None)

    def mark(self, event: str, entries: Sequence[HistoryEntry]) -> None:
        """Note what becomes of entries: undoing, undone, redoing, redone; it is on the disk when this returns. Raises: DiskError."""
        if self.path is not None:
            append_values(self.path, [{"event": event, "entry": entry.id, "time": time.time()} for entry in entries], sync=True)


@contextlib.contextmanager
def held(history: Path, kind: int) -> Iterator[None]:
    """Hold the captions of a project: shared by those who change them, alone by who takes a change back.

    A file lock ends with its holder, however that ends. Raises: BlockingIOError: it is taken, and `kind` says not to wait.
    """
    with locked(history.with_name("captions.lock"), kind):
        yield


def undo_last(project: Project, progress: Progress = SILENT, decisions: Collection[str] | None = None) -> UndoReport:
    """Take back the newest bulk change that still holds. A caption that was edited since is left alone and named.

    Args: decisions: ids of entries; the newest change is only taken back if it is one of them.
    Raises: DatasetError: there is nothing to undo, or captions are being changed just now; DiskError.
    """
    with alone(project) as history:
        entry = next(iter(reversed(history.applied())), None)
        if decisions is not None and (entry is None or entry.id not in decisions):
            raise DatasetError("No decision to take back.", f"The newest change is another one: {entry.what}." if entry is not None else "")
        if entry is None:
            raise DatasetError("There is no change to undo.")
        return _turn(project, history, [entry], "undo", entry.what, progress)


def redo_last(project: Project, progress: Progress = SILENT) -> UndoReport:
    """Make again what was taken back last. Raises: DatasetError: there is nothing, or captions are being changed just now; DiskError."""
    with alone(project) as history:
        entry = next(iter(history.redoable()), None)
        if entry is None:
            raise DatasetError("There is no change to make again.", "After a new change, what was undone before it cannot come back.")
        return _turn(project, history, [entry], "redo", entry.what, progress)


def go_to(project: Project, entry_id: str, progress: Progress = SILENT) -> UndoReport:
    """Roll back (or forward) to how the captions were right after an entry; `START`: before the first.

    Raises: ConfigError: no entry has that id, or it was replaced by later changes; DatasetError: as for `undo_last`; DiskError.
    """
    with alone(project) as history:
        applied, redo = history.applied(), history.redoable()
        names, next_names = [entry.id for entry in applied], [entry.id for entry in redo]
        if entry_id in next_names:
            steps = redo[:next_names.index(entry_id) + 1]
            words = f"forward to {steps[-1].what!r}, {counted(len(steps), 'change')} made again"
            return _turn(project, history, steps, "redo", words, progress, way_over=True)
        if entry_id != START and entry_id not in names:
            raise ConfigError(f"No change {entry_id!r} can be gone to.", "What was undone before a new change cannot come back.")
        kept = 0 if entry_id == START else names.index(entry_id) + 1
        steps = applied[kept:][::-1]
        if not steps:
            raise DatasetError("The captions are there already: nothing was changed since.")
        words = f"back to {_words(history, entry_id)}, {counted(len(steps), 'change')} undone"
        report = _turn(project, history, steps, "undo", words, progress, way_over=True)
        turned = {change.file for entry in steps for change in entry.read_changes()}
        return replace(report, skipped=[*report.skipped, *_by_hand_since(project, applied[kept - 1:kept], turned)])


def finish(project: Project, entry_id: str, progress: Progress = SILENT) -> UndoReport:
    """Complete what a kill interrupted: a change is made to its end, an undo undone to its end, a redo redone.

    Raises: ConfigError: nothing of that id was interrupted; DatasetError, DiskError.
    """
    with alone(project) as history:
        entry = history.summary().entries.get(entry_id)
        if entry is None or not entry.unfinished:
            raise ConfigError(f"The change {entry_id!r} is not half done.")
        what = "undo" if entry.unfinished == "undoing" else "redo"
        return _turn(project, history, [entry], what, entry.what, progress, verb="completed")


@contextlib.contextmanager
def alone(project: Project) -> Iterator[History]:
    """Hold the captions alone, and clear away what a kill left. Raises: DatasetError: they are being changed just now."""
    history = History.of(project)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(project.hidden / HISTORY_FILE, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise DatasetError(f"The captions of {project.name!r} are being changed just now, so nothing was undone.",
                               "Wait until that has ended, or cancel it, and undo then.") from error
        if any(entry.unfinished for entry in history.entries()):
            clear_leftovers(project.images)
        yield history


def _by_hand_since(project: Project, entries: Sequence[HistoryEntry], turned: Collection[str]) -> list[Skipped]:
    """Captions of these entries that no later entry changed, and a hand did. Args: turned: files that later entries changed."""
    return [Skipped(change.file, BY_HAND) for entry in entries for change in entry.read_changes()
            if change.file not in turned and change.after
            and read_caption_text(project.images / change.file) not in (None, one_line(change.after))]


def _turn(project: Project, history: History, steps: Sequence[HistoryEntry], way: str, what: str, progress: Progress,
          verb: str = "", way_over: bool = False) -> UndoReport:
    """Undo or redo entries, in the order given, as one replacement of each caption."""
    swaps = list(net_swaps(steps, way).values())
    progress.start("Taking back" if way == "undo" else "Making again", len(swaps))
    ing, done = ("undoing", "undone") if way == "undo" else ("redoing", "redone")
    history.mark(ing, steps)
    lines = partial(_note_lines, history, steps) if way == "redo" else None
    report = swap_captions(project.images, [swap for swap in swaps if swap.before != swap.after], progress, lines)
    for entry in steps:
        if entry.trigger:
            project.change_info(partial(_turn_trigger, words=entry.trigger if way == "redo" else entry.trigger[::-1]))
    history.mark(done, steps)
    return UndoReport(what, report.done, report.skipped, verb or ("made again" if way == "redo" else done), way_over)


def _note_lines(history: History, steps: Sequence[HistoryEntry], texts: Mapping[str, str]) -> None:
    """Note what stands in several lines with the entry that replaces it: a kill may have come before that was done."""
    left = dict(texts)
    for entry in steps:
        own = {change.file: left.pop(change.file) for change in entry.changes if change.file in left}
        if own and history.path is not None:
            append_values(history.path, [{"event": "lines", "entry": entry.id, "texts": own}], sync=True)


def _turn_trigger(info: ProjectInfo, words: tuple[str, str]) -> ProjectInfo:
    return info.changed(trigger_word=words[1]) if info.trigger_word == words[0] else info


def net_swaps(steps: Sequence[HistoryEntry], way: str) -> dict[str, Swap]:
    """What becomes of each caption file when entries are undone or redone one after the other, as one step.

    A hand's change between two entries is passed over: it is in the history as what the later one found.
    """
    swaps: dict[str, Swap] = {}
    for entry in steps:
        changes = entry.changes
        for change in reversed(changes) if way == "undo" else changes:
            old, new = (change.after, change.before) if way == "undo" else (change.before, change.after)
            known = swaps.get(change.file)
            swaps[change.file] = Swap(change.file, old if known is None else known.before, new or None)
    return swaps


def _words(history: History, entry_id: str) -> str:
    return "the beginning" if entry_id == START else repr(history.summary().entries[entry_id].what)
