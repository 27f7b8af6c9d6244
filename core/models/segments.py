"""Which bytes of a file are still to come: shared among connections, split where one runs dry, and noted beside the part."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from core.base.files import write_json

LEAST = 8 * 2**20
"""Bytes below which a piece is not split any more: a connection of its own takes as long to begin."""


@dataclass
class Segment:
    """Bytes from `at` up to `end` are still to come."""

    at: int
    end: int
    taken: bool = False
    """Whether a connection works on it."""

    @property
    def left(self) -> int:
        """Bytes."""
        return self.end - self.at


class Segments:
    """What is left of a file. Safe for several threads.

    Args: left: begin and end of each piece that is missing.
    """

    def __init__(self, left: list[tuple[int, int]]) -> None:
        self._all = [Segment(at, end) for at, end in left if end > at]
        self._lock = threading.Lock()

    @classmethod
    def whole(cls, size: int, pieces: int) -> Segments:
        """All of a file, in pieces of equal size."""
        count = max(1, min(pieces, size // LEAST))
        edges = [size * number // count for number in range(count + 1)]
        return cls(list(pairwise(edges)))

    @property
    def left(self) -> int:
        """Bytes that are missing."""
        with self._lock:
            return sum(segment.left for segment in self._all)

    def take(self) -> Segment | None:
        """A piece to work on: one that nobody has, else the second half of the longest; None: nothing is worth a connection."""
        with self._lock:
            self._all = [segment for segment in self._all if segment.left > 0]
            free = next((segment for segment in self._all if not segment.taken), None)
            if free is None:
                longest = max(self._all, key=lambda segment: segment.left, default=None)
                if longest is None or longest.left < 2 * LEAST:
                    return None
                middle = longest.at + longest.left // 2
                free = Segment(middle, longest.end)
                longest.end = middle
                self._all.append(free)
            free.taken = True
            return free

    def give_back(self, segment: Segment) -> None:
        """Let another connection have it."""
        with self._lock:
            segment.taken = False

    def room(self, segment: Segment, size: int) -> int:
        """How many of so many bytes still belong to the piece: its end may have gone to another."""
        with self._lock:
            return min(size, segment.left)

    def advance(self, segment: Segment, size: int) -> None:
        """So many bytes are written."""
        with self._lock:
            segment.at += size

    def missing(self) -> list[tuple[int, int]]:
        """Begin and end of each piece that is missing."""
        with self._lock:
            return sorted((segment.at, segment.end) for segment in self._all if segment.left > 0)


@dataclass(frozen=True)
class Note:
    """What is known of a part; kept beside it."""

    size: int
    validator: str
    """ETag or Last-Modified of the version that the part is of."""
    sha256: str
    left: tuple[tuple[int, int], ...]

    def fits(self, size: int, validator: str, sha256: str) -> bool:
        """Whether the part belongs to what is offered now: the same hash or, where none is published, the same version."""
        same = self.sha256 == sha256 if sha256 and self.sha256 else bool(validator) and self.validator == validator
        return self.size == size and same

    def write(self, path: Path) -> None:
        """Raises: DiskError."""
        write_json(path, {"size": self.size, "validator": self.validator, "sha256": self.sha256, "left": self.left})

    @classmethod
    def read(cls, path: Path) -> Note | None:
        """None: there is none, or it is damaged."""
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            left = tuple((int(at), int(end)) for at, end in value["left"])
            note = cls(int(value["size"]), str(value["validator"]), str(value["sha256"]), left)
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return note if all(0 <= at < end <= note.size for at, end in left) else None
