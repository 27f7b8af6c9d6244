"""What was done to the captions: every bulk change is one entry that can be undone, and tells which tags a model wrote."""

from __future__ import annotations

import contextlib
import fcntl
import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.base.errors import DatasetError
from core.base.files import append_line, explain_disk_errors
from core.dataset.captions.files import CaptionConflict, read_caption, remove_caption, tag_key, write_caption
from core.dataset.items import Skipped
from core.dataset.project import Project

HISTORY_FILE = "history.jsonl"


@dataclass(frozen=True)
class Change:
    """One caption before and after."""

    image: str
    file: str
    """Name of the caption file in the project's images."""
    before: str | None
    after: str
    written: tuple[str, ...] | None = None
    """Tags that a model wrote here (also those that a person had taken out); None: no model was at work."""
    sha256: str = ""
    """Of the image that the model saw; empty when no model was at work."""


@dataclass
class HistoryEntry:
    """One bulk change."""

    id: str
    what: str
    time: float
    changes: list[Change] = field(default_factory=list)
    undone: bool = False
    trigger: tuple[str, str] | None = None
    """The project's trigger word before and after, where the entry changed it."""


@dataclass(frozen=True)
class UndoReport:
    """What an undo did."""

    what: str
    """The entry that was undone, in words."""
    restored: int
    skipped: list[Skipped]
    """Captions that were edited since; they were left as they are."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"what": self.what, "restored": self.restored, "skipped": [vars(item) for item in self.skipped]}


class Recorder:
    """Takes down the changes of one entry, each before it is made, so that a kill in the middle can be undone too."""

    def __init__(self, path: Path | None, what: str, trigger: tuple[str, str] | None = None) -> None:
        self._path, self._what, self._trigger = path, what, trigger
        self._id = ""

    def change(self, image: str, file: str, before: str | None, after: str, written: Iterable[str] | None = None,
               sha256: str = "") -> None:
        """Note one change. Raises: DiskError."""
        if self._path is None:
            return
        if not self._id:
            self._id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
            _append(self._path, {"event": "begin", "entry": self._id, "what": self._what, "time": time.time(),
                                 "trigger": self._trigger})
        _append(self._path, {"event": "change", "entry": self._id, "image": image, "file": file, "before": before, "after": after,
                             "written": None if written is None else list(written), "sha256": sha256})


class History:
    """The history of a project's captions.

    Args: path: history.jsonl; None for a plain folder, where nothing is recorded.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    @classmethod
    def of(cls, project: Project) -> History:
        """The history of a project."""
        return cls(project.hidden / HISTORY_FILE)

    @contextlib.contextmanager
    def entry(self, what: str, trigger: tuple[str, str] | None = None) -> Iterator[Recorder]:
        """One bulk change, in words: "Tagged with WD EVA02-Large v3". No change, no entry. It waits for an undo to end.

        Args: trigger: the project's trigger word before and after, where the change sets it; an undo sets it back.
        """
        with _locked(self.path, fcntl.LOCK_SH) if self.path is not None else contextlib.nullcontext():
            yield Recorder(self.path, what, trigger)

    def entries(self) -> list[HistoryEntry]:
        """All entries, oldest first. Half a line (a kill while it was written) is passed over."""
        found: dict[str, HistoryEntry] = {}
        for line in _lines(self.path):
            entry = found.get(line.get("entry", ""))
            if line["event"] == "begin":
                trigger = line.get("trigger")
                found[line["entry"]] = HistoryEntry(line["entry"], line["what"], line["time"], trigger=tuple(trigger) if trigger else None)
            elif line["event"] == "change" and entry is not None:
                written = line.get("written")
                entry.changes.append(Change(line["image"], line["file"], line["before"], line["after"],
                                            None if written is None else tuple(written), line.get("sha256", "")))
            elif line["event"] == "undone" and entry is not None:
                entry.undone = True
        return list(found.values())

    def authored(self, images: Mapping[str, str]) -> dict[str, set[str]]:
        """Image id → keys (`tag_key`) of the tags that a model wrote last.

        Args: images: id → SHA-256 of the images that are there now. What was written for another picture of that name does not count.
        """
        tags: dict[str, set[str]] = {}
        for entry in self.entries():
            for change in entry.changes:
                of_this = not change.sha256 or images.get(change.image, "") in ("", change.sha256)
                if not entry.undone and change.written is not None and of_this:
                    tags[change.image] = {tag_key(tag) for tag in change.written}
        return tags

    def mark_undone(self, entry: HistoryEntry) -> None:
        """Note that an entry no longer holds."""
        if self.path is not None:
            _append(self.path, {"event": "undone", "entry": entry.id, "time": time.time()})


@contextlib.contextmanager
def _locked(history: Path, kind: int) -> Iterator[None]:
    """Hold the captions of a project: shared by those who change them, alone by who takes a change back.

    A file lock ends with its holder, however that ends. Raises: BlockingIOError: it is taken, and `kind` says not to wait.
    """
    path = history.with_name("captions.lock")
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with open(path, "a") as file:
        fcntl.flock(file, kind)
        yield


def undo_last(project: Project) -> UndoReport:
    """Take back the newest bulk change that still holds. A caption that was edited since is left alone and named.

    Raises: DatasetError: there is nothing to undo, or captions are being changed just now; DiskError.
    """
    history = History.of(project)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_locked(project.hidden / HISTORY_FILE, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise DatasetError(f"The captions of {project.name!r} are being changed just now, so nothing was undone.",
                               "Wait until that has ended, or cancel it, and undo then.") from error
        return _undo(project, history)


def _undo(project: Project, history: History) -> UndoReport:
    entry = next((entry for entry in reversed(history.entries()) if not entry.undone), None)
    if entry is None:
        raise DatasetError("There is no change to undo.")
    restored, skipped = 0, []
    for change in reversed(entry.changes):
        path = project.images / change.file
        try:
            restored += _restore(path, change)
        except DatasetError as error:
            skipped.append(Skipped(change.file, error.message))
    info = project.info()
    if entry.trigger and info.trigger_word == entry.trigger[1]:
        project.write_info(info.changed(trigger_word=entry.trigger[0]))
    history.mark_undone(entry)
    return UndoReport(entry.what, restored, skipped)


def _restore(path: Path, change: Change) -> int:
    present = read_caption(path)
    if present.text == change.before:
        return 0
    if present.text != change.after:
        raise CaptionConflict("It was edited after that change, so it was left as it is.")
    if change.before:
        write_caption(path, change.before, present.revision)
    else:
        remove_caption(path, present.revision)
    return 1


def _append(path: Path, value: dict[str, Any]) -> None:
    append_line(path, json.dumps(value, ensure_ascii=False))


def _lines(path: Path | None) -> Iterator[dict[str, Any]]:
    if path is None or not path.exists():
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(value, dict) and "event" in value:
                yield value
