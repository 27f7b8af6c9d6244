"""Pictures that a person called different, though they look alike: kept in the project, so that nothing puts them aside for one another.

They are noted in `.lorabook/different.jsonl`, by what the files hold: other names, another notebook or a new start change nothing.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from core.base.files import append_lines
from core.dataset.project import Project

DECISIONS = "different.jsonl"


class Pair(NamedTuple):
    """SHA-256 of two files, the lesser first; equal for two copies of one file."""

    first: str
    second: str

    @classmethod
    def of(cls, one: str, other: str) -> Pair:
        """In either order."""
        return cls(min(one, other), max(one, other))


Alike = tuple[str, ...]
"""SHA-256 of the pictures of a group that was called different, sorted; copies of one file stand several times."""


def call_different(project: Project, pictures: Sequence[str]) -> None:
    """Note that each of these is another picture. Args: pictures: SHA-256 of the files. Raises: DiskError."""
    _note(project, "different", pictures)


def call_alike(project: Project, pictures: Sequence[str]) -> None:
    """Forget what was said of these, and of any part of them. Args: pictures: SHA-256 of the files. Raises: DiskError."""
    _note(project, "alike", pictures)


def called_different(project: Project) -> list[Alike]:
    """The groups that hold, oldest first; one that a larger one says again is left out. Half a line (a kill) is passed over."""
    found: list[Alike] = []
    for event, pictures in _read(project.hidden / DECISIONS):
        found = [one for one in found if Counter(one) - Counter(pictures)]
        if event == "different" and not any(not Counter(pictures) - Counter(one) for one in found):
            found.append(pictures)
    return found


def pairs_of(groups: Sequence[Alike]) -> set[Pair]:
    """Every two that were called different."""
    return {Pair.of(one, other) for group in groups for one, other in combinations(group, 2)}


def _note(project: Project, event: str, pictures: Sequence[str]) -> None:
    known = sorted(filter(None, pictures))
    if len(known) > 1:
        append_lines(project.hidden / DECISIONS, [json.dumps({"event": event, "pictures": known, "time": time.time()})], sync=True)


def _read(path: Path) -> Iterator[tuple[str, Alike]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            value = json.loads(line)
            yield value["event"], tuple(sorted(str(one) for one in value["pictures"]))
