"""What the journal of renamings tells: each is noted before it is made, so that what a kill interrupted can be finished.

| line of renames.jsonl | says |
|---|---|
| begin | `id`, `what`, `groups`: old stem, new stem, and the files (room, old name, new name); `undoes`: the renaming that it takes back |
| staged | every file lies in the hidden folder |
| other | a name was taken meanwhile: `group`, and the stem that it gets instead |
| done | everything is in its place; `stems`: what is called what; empty when it was cancelled |
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

from core.base.files import append_lines, read_json_lines
from core.dataset.project import Project

JOURNAL = "renames.jsonl"


@dataclass(frozen=True)
class Rename:
    """One name and the one in its place (stems: without the ending)."""

    old: str
    new: str


@dataclass(frozen=True)
class Renamed:
    """A renaming that holds, for who asks what it was."""

    id: str
    what: str
    time: float
    stems: tuple[tuple[str, str], ...]


@dataclass
class Group:
    """What belongs to one stem."""

    old: str
    new: str
    files: list[tuple[str, str, str]]
    """Room, name before, name in the hidden folder."""

    def name(self, file: tuple[str, str, str], stem: str) -> str:
        """The name of a file of the group under a stem."""
        return stem + file[1][len(self.old):]


@dataclass
class JournalEntry:
    """A renaming and how far it came."""

    id: str
    what: str
    time: float
    groups: list[Group]
    undoes: str = ""
    staged: bool = False
    done: bool = False
    stems: tuple[tuple[str, str], ...] = ()
    other: dict[int, str] = field(default_factory=dict)


def last_renaming(project: Project) -> Renamed | None:
    """The newest renaming that was not taken back; None where there is none."""
    acts = read_journal(project)
    undone = {act.undoes for act in acts if act.undoes and act.done and act.stems}
    holds = [act for act in acts if act.done and act.stems and not act.undoes and act.id not in undone]
    return Renamed(holds[-1].id, holds[-1].what, holds[-1].time, holds[-1].stems) if holds else None


def read_journal(project: Project) -> list[JournalEntry]:
    """Every renaming of the journal, oldest first; half a line is passed over."""
    acts: dict[str, JournalEntry] = {}
    for value in read_json_lines(project.hidden / JOURNAL, errors="surrogateescape"):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            act = acts.get(value["id"])
            if value["event"] == "begin":
                groups = [Group(old, new, [tuple(one) for one in files]) for old, new, files in value["groups"]]
                acts[value["id"]] = JournalEntry(value["id"], value["what"], value["time"], groups, value.get("undoes", ""))
            elif act is not None:
                _take_in(act, value)
    return list(acts.values())


def _take_in(act: JournalEntry, value: dict[str, Any]) -> None:
    if value["event"] == "staged":
        act.staged = True
    elif value["event"] == "other":
        act.other[value["group"]] = value["stem"]
    elif value["event"] == "done":
        act.done, act.stems = True, tuple((str(old), str(new)) for old, new in value["stems"])


def note_event(project: Project, value: dict[str, Any]) -> None:
    """Write one line, which stays even when the power goes. Raises: DiskError."""
    append_lines(project.hidden / JOURNAL, [json.dumps(value, ensure_ascii=False)], sync=True, errors="surrogateescape")
