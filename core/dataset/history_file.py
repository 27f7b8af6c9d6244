"""The history's file: one JSON object a line, only ever appended to, and read on from where it was read last.

| event | says |
|---|---|
| begin | a bulk change begins: `entry`, `what`, `time`, `trigger` (the trigger word before and after) |
| change | one caption before and after, noted before it is written |
| changes | many of them: rows of image, file, before, after, written tags, the image's SHA-256 |
| lines | captions of the entry that stood in several lines before, as they were: `texts`, file to text |
| left | captions of the entry that were not written after all, since they were changed meanwhile: `files`, by their names then |
| end | the change is whole; without it, a kill came in between. `made`: only so many of its changes, the rest was cancelled |
| undoing, undone | it is being taken back; it is taken back |
| kept | captions where the entry holds though it is undone, since they could not be changed: `files`, by their names when it began |
| redoing, redone | it is being made again; it holds again |
| version | a name for how the captions are now: `name`, `run`, `file` |
| renamed | images have other names from here on: `stems`, old to new; what stands above is read with the new ones |
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from core.base.files import append_lines
from core.dataset.captions.files import one_line
from core.dataset.images.files import stem_of

ROWS = 1000
"""Changes in one line."""
FEW = 50
"""Images that are looked for in each line before it is read as JSON, which takes a hundred times as long."""
HEAD = re.compile(rb'\{"event": "(changes?)", "entry": "([^"]*)"(?:, "count": (\d+), "written": (true|false))?')


@dataclass(frozen=True)
class Renaming:
    """Images that got other names, and where in the file that stands."""

    id: str
    place: int
    stems: dict[str, str | None]
    """Old to new; None: that image is gone, and its name belongs to another one now."""


@dataclass(frozen=True)
class Change:
    """One caption before and after."""

    image: str
    file: str
    """Name of the caption file in the project's images."""
    before: str | None
    after: str | None
    """None: the file is taken away (only where an earlier state without it comes back)."""
    written: tuple[str, ...] | None = None
    """Tags that a model wrote here (also those that a person had taken out), none where all was taken away; None: no model was at work."""
    sha256: str = ""
    """Of the image that it was made for (that the model saw); empty where that does not matter."""


@dataclass(eq=False)
class HistoryEntry:
    """One bulk change. Its changes are read from the file when they are asked for."""

    id: str
    what: str
    time: float
    path: Path
    count: int = 0
    """Captions that it touches."""
    undone: bool = False
    unfinished: str = ""
    """What a kill may have interrupted: "begin", "undoing", "redoing"; empty when it is whole (or at work just now)."""
    by_model: bool = False
    """Whether a model wrote tags in it."""
    trigger: tuple[str, str] | None = None
    """The project's trigger word before and after, where the entry changed it."""
    made: int | None = None
    """How many of its changes, from the first, were made before it was cancelled; None: all."""
    spans: list[tuple[int, int]] = field(default_factory=list)
    """Where its changes stand in the file: byte and length of each line."""
    line_spans: list[tuple[int, int]] = field(default_factory=list)
    """The same for captions that stood in several lines."""
    renames: list[Renaming] = field(default_factory=list, repr=False)
    """Every renaming of the file, also those that come later."""
    left: set[str] = field(default_factory=set)
    """Caption files that were not written after all, as they were called then."""
    kept: set[str] = field(default_factory=set)
    """Those that the last undo left as they were, as they were called then."""

    @property
    def changes(self) -> list[Change]:
        """The captions before and after, in order."""
        return list(self.read_changes())

    def read_changes(self) -> Iterator[Change]:
        """The same, one by one, under the names that the images have now. Half a line is passed over."""
        return (now for _, now in self._with_names_then())

    def names_then(self, files: Collection[str]) -> list[str]:
        """Those of its caption files as they were called when it began. Args: files: as they are called now."""
        return list(dict.fromkeys(name for name, now in self._with_names_then() if now.file in files))

    def _with_names_then(self) -> Iterator[tuple[str, Change]]:
        for place, change in itertools.islice(self._all_changes(), self.made):
            present = under_present_name(change, self.renames, place)
            if present is not None and change.file not in self.left:
                yield change.file, present

    def newest_changes(self, file: BinaryIO, worth: Callable[[bytes], bool]) -> Iterator[Change]:
        """The same from the last to the first. Args: file: the history. worth: whether a line is worth reading; others are passed over."""
        if self.made is not None:
            yield from reversed(self.changes)
            return
        for place, length in reversed(self.spans):
            file.seek(place)
            line = file.read(length)
            for change in reversed(list(_changes_of(line))) if worth(line) else ():
                present = under_present_name(change, self.renames, place)
                if present is not None and change.file not in self.left:
                    yield present

    def _all_changes(self) -> Iterator[tuple[int, Change]]:
        with open(self.path, "rb") as file:
            in_lines = self._in_lines(file)
            for place, length in self.spans:
                file.seek(place)
                for change in _changes_of(file.read(length)):
                    now = under_present_name(change, self.renames, place) if in_lines else None
                    before = in_lines.get(now.file) if now is not None else None
                    as_it_was = before is not None and one_line(before) == change.before
                    yield place, replace(change, before=before) if as_it_was else change

    def _in_lines(self, file: BinaryIO) -> dict[str, str]:
        """Captions as they stood in several lines, by the name that their file has now."""
        found: dict[str, str] = {}
        for place, length in self.line_spans:
            file.seek(place)
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                for name, text in json.loads(file.read(length))["texts"].items():
                    now = under_present_name(Change(stem_of(name), name, text, None), self.renames, place)
                    found.update({now.file: text} if now is not None else {})
        return found


@dataclass(frozen=True)
class VersionMark:
    """A name that was given to the state of all captions."""

    id: str
    name: str
    time: float
    file: str
    """Its snapshot, in the project's hidden folder."""
    count: int = 0
    run: str = ""
    """The training run that it belongs to; empty for none."""
    after: str = ""
    """The newest bulk change that held then; empty for none."""
    place: int = 0
    """Where it stands in the history."""
    renames: list[Renaming] = field(default_factory=list, repr=False, compare=False)


@dataclass
class Summary:
    """What the file says, without the captions themselves."""

    entries: dict[str, HistoryEntry] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)
    """Entries that hold, oldest first."""
    redo: list[str] = field(default_factory=list)
    """Entries that were taken back and can be made again, the next one last."""
    versions: list[VersionMark] = field(default_factory=list)
    renames: list[Renaming] = field(default_factory=list)
    offset: int = 0
    inode: int = 0


class HistoryFile:
    """Reads a history's file on from where it was read last; it is shared by all who look at that path."""

    _known: dict[Path, Summary] = {}
    _lock = threading.Lock()

    def __init__(self, path: Path) -> None:
        self.path = path

    def summary(self) -> Summary:
        """What the file says now. The entries are live: look, do not keep."""
        with self._lock:
            try:
                facts = self.path.stat()
            except FileNotFoundError:
                self._known.pop(self.path, None)
                return Summary()
            seen = self._known.get(self.path)
            if seen is None or seen.inode != facts.st_ino or facts.st_size < seen.offset:
                seen = self._known[self.path] = Summary(inode=facts.st_ino)
            if facts.st_size > seen.offset:
                self._read_on(seen)
            return seen

    def _read_on(self, seen: Summary) -> None:
        with open(self.path, "rb") as file:
            file.seek(seen.offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # still being written, or left by a kill; what is appended next ends it
                _take_in(seen, line, seen.offset, self.path)
                seen.offset += len(line)


def append_values(path: Path, values: Iterable[dict[str, Any]], sync: bool = False) -> None:
    """Append values as lines. Args: sync: return only when they are on the disk. Raises: DiskError, as `append_lines`."""
    append_lines(path, (json.dumps(value, ensure_ascii=False) for value in values), sync, errors="surrogatepass")


def lines_of(entry: str, changes: Sequence[Change]) -> Iterator[dict[str, Any]]:
    """The changes as lines of many."""
    for start in range(0, len(changes), ROWS):
        part = changes[start:start + ROWS]
        by_model = any(change.written is not None for change in part)
        rows: list[list[Any]] = [[change.image, change.file, change.before, change.after] for change in part]
        for row, change in zip(rows, part, strict=True):
            if by_model or change.sha256:
                row += [None if change.written is None else list(change.written), change.sha256]
        yield {"event": "changes", "entry": entry, "count": len(rows), "written": by_model, "changes": rows}


def _take_in(seen: Summary, line: bytes, place: int, path: Path) -> None:
    if head := HEAD.match(line):
        entry = seen.entries.get(head[2].decode("utf-8", "replace"))
        if entry is not None and (head[1] == b"change" or head[3]):
            entry.spans.append((place, len(line)))
            entry.count += int(head[3] or 1)
            entry.by_model = entry.by_model or (head[4] == b"true" if head[3] else b'"written": [' in line)
        return
    try:
        value = json.loads(line)
    except ValueError:
        return
    if not isinstance(value, dict):
        return
    if value.get("event") == "lines" and (changed := seen.entries.get(str(value.get("entry")))) is not None:
        changed.line_spans.append((place, len(line)))
    _take_event(seen, value, path, place)


def _take_event(seen: Summary, value: dict[str, Any], path: Path, place: int) -> None:
    event, name = value.get("event"), str(value.get("entry", ""))
    entry = seen.entries.get(name)
    if event == "begin":
        trigger = value.get("trigger")
        seen.entries[name] = HistoryEntry(name, str(value.get("what", "")), float(value.get("time", 0)), path,
                                          unfinished="begin" if value.get("ends") else "", trigger=tuple(trigger) if trigger else None,
                                          renames=seen.renames)
        seen.applied.append(name)
        seen.redo.clear()
    elif event == "version":
        seen.versions.append(VersionMark(str(value.get("version", "")), str(value.get("name", "")), float(value.get("time", 0)),
                                         str(value.get("file", "")), int(value.get("count", 0)), str(value.get("run", "")),
                                         seen.applied[-1] if seen.applied else "", place, seen.renames))
    elif event == "renamed":
        stems, known = value.get("stems"), {renaming.id for renaming in seen.renames}
        if isinstance(stems, dict) and value.get("id") not in known:  # a kill behind it lets it be written twice
            seen.renames.append(Renaming(str(value.get("id")), place, stems))
    elif entry is None:
        return
    elif event == "left":
        files = {str(file) for file in value.get("files", ())} - entry.left
        entry.left |= files
        entry.count -= len(files)
    elif event == "kept":
        entry.kept |= {str(file) for file in value.get("files", ())}
    elif event == "end":
        entry.unfinished = "" if entry.unfinished == "begin" else entry.unfinished
        if "made" in value:
            entry.made = entry.count = int(value["made"])
    elif event in ("undoing", "redoing"):
        entry.unfinished = str(event)
        if event == "undoing":
            entry.kept.clear()
    elif event == "undone":
        entry.undone, entry.unfinished = True, ""
        if name in seen.applied:
            seen.applied.remove(name)
            seen.redo.append(name)
    elif event == "redone":
        entry.undone, entry.unfinished = False, ""
        if name in seen.redo:
            seen.redo.remove(name)
        if name not in seen.applied:
            seen.applied.append(name)


def under_present_name(change: Change, renames: Sequence[Renaming], place: int) -> Change | None:
    """A change that stands at `place`, for the name that its image has now; None: its image is gone and another one has its name."""
    stem = change.image
    for renaming in renames:
        if renaming.place > place and stem in renaming.stems:
            now = renaming.stems[stem]
            if now is None:
                return None
            stem = now
    return change if stem == change.image else replace(change, image=stem, file=stem + change.file[len(change.image):])


def naming(images: Collection[str], renames: Sequence[Renaming]) -> Callable[[bytes], bool]:
    """Whether a line may speak of one of these images, whatever it was called then. Where they are many, each line may."""
    if len(images) > FEW:
        return lambda line: True
    names = set(images)
    for renaming in reversed(renames):
        names |= {old for old, new in renaming.stems.items() if new in names}
    marks = [json.dumps(name, ensure_ascii=False).encode("utf-8", "surrogatepass") for name in names]
    return lambda line: any(mark in line for mark in marks)


def _changes_of(line: bytes) -> Iterator[Change]:
    try:
        value = json.loads(line)
    except ValueError:
        return
    if value.get("event") == "change":
        written = value.get("written")
        yield Change(value["image"], value["file"], value["before"], value["after"], None if written is None else tuple(written),
                     value.get("sha256", ""))
        return
    for row in value.get("changes", ()):
        image, file, before, after, *model = row
        written, sha256 = model or (None, "")
        yield Change(image, file, before, after, None if written is None else tuple(written), sha256)
