"""What was done to the captions: every bulk change is one entry that can be undone and made again, and tells which tags a model wrote."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.base.errors import Cancelled, ConfigError, DatasetError, DiskError
from core.base.locks import locked
from core.base.progress import SILENT, Progress
from core.base.words import counted
from core.dataset.captions.files import one_line, read_caption_text, tag_key
from core.dataset.captions.swapping import clear_leftovers, swap_captions
from core.dataset.history_file import Change, HistoryEntry, HistoryFile, Summary, append_values, naming
from core.dataset.items import Skipped
from core.dataset.project import Project, ProjectInfo
from core.dataset.recording import Recorder
from core.dataset.undoing import BY_HAND, Pictures, UndoReport, net_swaps

__all__ = ["Change", "History", "HistoryEntry", "Recorder", "UndoReport", "finish", "go_to", "redo_last", "undo_last"]

HISTORY_FILE = "history.jsonl"
START = "start"
"""Stands for the state before the first entry."""


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

        After an error that leaves open which captions were written it is interrupted, as after a kill. So it is where only the word of
        its end finds no space: that is no error of the work, which is done.

        Args: trigger: the project's trigger word before and after, where the change sets it; an undo sets it back.
        """
        record = Recorder(self.path, what, trigger)
        with held(self.path, fcntl.LOCK_SH) if self.path is not None else contextlib.nullcontext():
            whole = False
            try:
                yield record
                whole = True
            except Cancelled:
                whole = True
                raise
            finally:
                if whole or record.settled:
                    with contextlib.suppress(DiskError, OSError):
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

    def mark_left(self, entry: HistoryEntry, way: str, files: Collection[str]) -> None:
        """Note captions that an undo or redo left as they are. What an undo left still holds, so that the redo need not write it; what a
        redo left otherwise is no change of the entry any more.

        Args: files: as they are called now. Raises: DiskError.
        """
        names = entry.names_then(files) if files else []
        event, names = ("kept", names) if way == "undo" else ("left", [name for name in names if name not in entry.kept])
        if self.path is not None and names:
            append_values(self.path, [{"event": event, "entry": entry.id, "files": names}])


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
    with alone(project, "made again") as history:
        entry = next(iter(history.redoable()), None)
        if entry is None:
            raise DatasetError("There is no change to make again.", "After a new change, what was undone before it cannot come back.")
        return _turn(project, history, [entry], "redo", entry.what, progress)


def go_to(project: Project, entry_id: str, progress: Progress = SILENT) -> UndoReport:
    """Roll back (or forward) to how the captions were right after an entry; `START`: before the first.

    Raises: ConfigError: no entry has that id, or it was replaced by later changes; DatasetError: as for `undo_last`; DiskError.
    """
    with alone(project, "changed") as history:
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
    with alone(project, "completed") as history:
        entry = history.summary().entries.get(entry_id)
        if entry is None or not entry.unfinished:
            raise ConfigError(f"The change {entry_id!r} is not half done.")
        what = "undo" if entry.unfinished == "undoing" else "redo"
        return _turn(project, history, [entry], what, entry.what, progress, verb="completed")


@contextlib.contextmanager
def alone(project: Project, verb: str = "undone") -> Iterator[History]:
    """Hold the captions alone, and clear away what a kill left.

    Args: verb: what is not done while others hold them. Raises: DatasetError: they are being changed just now.
    """
    history = History.of(project)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(project.hidden / HISTORY_FILE, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise DatasetError(f"The captions of {project.name!r} are being changed just now, so nothing was {verb}.",
                               "Wait until that has ended, or cancel it, and try again then.") from error
        if any(entry.unfinished for entry in history.entries()):
            clear_leftovers(project.images)
        yield history


def _by_hand_since(project: Project, entries: Sequence[HistoryEntry], turned: Collection[str]) -> list[Skipped]:
    """Captions of these entries that no later entry changed, and a hand did. Args: turned: files that later entries changed."""
    pictures = Pictures(project) if entries else None
    return [Skipped(change.file, BY_HAND) for entry in entries for change in entry.read_changes()
            if change.file not in turned and change.after and pictures is not None and not pictures.missing(change)
            and read_caption_text(project.images / change.file) not in (None, one_line(change.after))]


def _turn(project: Project, history: History, steps: Sequence[HistoryEntry], way: str, what: str, progress: Progress,
          verb: str = "", way_over: bool = False) -> UndoReport:
    """Undo or redo entries, in the order given, as one replacement of each caption; what was made for another picture is left out."""
    pictures = Pictures(project)
    without: dict[str, dict[str, str]] = {entry.id: {} for entry in steps}

    def fits(entry: HistoryEntry, change: Change) -> bool:
        reason = pictures.missing(change)
        if reason:
            without[entry.id][change.file] = reason
        return not reason

    swaps = list(net_swaps(steps, way, fits).values())
    progress.start("Taking back" if way == "undo" else "Making again", len(swaps))
    ing, done = ("undoing", "undone") if way == "undo" else ("redoing", "redone")
    history.mark(ing, steps)
    lines = partial(_note_lines, history, steps) if way == "redo" else None
    report = swap_captions(project.images, [swap for swap in swaps if swap.before != swap.after], progress, lines)
    for entry in steps:
        if entry.trigger:
            project.change_info(partial(_turn_trigger, words=entry.trigger if way == "redo" else entry.trigger[::-1]))
    skipped = {one.name: one for one in report.skipped}
    for entry in steps:
        history.mark_left(entry, way, {*skipped, *without[entry.id]})
    for reasons in without.values():
        skipped.update({file: Skipped(file, reason) for file, reason in reasons.items()})
    history.mark(done, steps)
    return UndoReport(what, report.done, list(skipped.values()), verb or ("made again" if way == "redo" else done), way_over)


def _note_lines(history: History, steps: Sequence[HistoryEntry], texts: Mapping[str, str]) -> None:
    """Note what stands in several lines with the entry that replaces it: a kill may have come before that was done."""
    left = dict(texts)
    for entry in steps:
        own = {change.file: left.pop(change.file) for change in entry.changes if change.file in left}
        if own and history.path is not None:
            append_values(history.path, [{"event": "lines", "entry": entry.id, "texts": own}], sync=True)


def _turn_trigger(info: ProjectInfo, words: tuple[str, str]) -> ProjectInfo:
    return info.changed(trigger_word=words[1]) if info.trigger_word == words[0] else info


def _words(history: History, entry_id: str) -> str:
    return "the beginning" if entry_id == START else repr(history.summary().entries[entry_id].what)
