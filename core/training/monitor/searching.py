"""Lines of a run's log by level and words, found from its end on in a file of any size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Level = Literal["error", "warning", "info", "progress"]
LEVELS: tuple[Level, ...] = get_args(Level)
BLOCK = 1 << 20
"""Bytes that are read at once."""
LONGEST = 2000
"""Characters of a line that are shown."""
_ERROR = re.compile(rb"Traceback \(most recent|^\s*(?:[\w.]+\.)?\w*(?:Error|Exception|Interrupt)\b|^\s+File \"|\bERROR\b|\bCRITICAL\b|"
                    rb"^\s*error:|[Oo]ut of memory|^Killed\b|ended with code [1-9]")
_WARNING = re.compile(rb"\bWARN(?:ING)?\b|Warning:|^\s*warning:", re.MULTILINE)
_PROGRESS = re.compile(rb"\d%\|")
_SIGNS: dict[Level, tuple[bytes, ...]] = {
    "error": (b"traceback", b"error", b"exception", b"interrupt", b'file "', b"critical", b"out of memory", b"killed", b"ended with code"),
    "warning": (b"warn",), "progress": (b"%|",)}
"""One of these is in every line of that level, in small letters: a block without any is passed over without looking at its lines."""


@dataclass(frozen=True)
class LogQuery:
    """What is looked for."""

    words: str = ""
    """In any case; empty: every line."""
    levels: frozenset[Level] = frozenset(LEVELS)
    most: int = 400
    """Lines, the newest."""


@dataclass(frozen=True)
class LogFound:
    """What was found."""

    lines: tuple[tuple[Level, str], ...] = ()
    """Level and text, oldest first."""
    is_all: bool = True
    """Whether there are no older ones."""
    end: int = 0
    """Up to where the file was read, in bytes; the next look may begin there."""

    def joined(self, newer: LogFound, most: int) -> LogFound:
        """With what a later look found behind it."""
        lines = (*self.lines, *newer.lines)
        return LogFound(lines[-most:], self.is_all and newer.is_all and len(lines) <= most, newer.end)


def level_of(line: bytes) -> Level:
    """How a line is meant: an error (with the lines of its traceback), a warning, a redraw of a bar, or what is said besides."""
    if _ERROR.search(line):
        return "error"
    if _WARNING.search(line):
        return "warning"
    return "progress" if _PROGRESS.search(line) else "info"


def search_log(path: Path, query: LogQuery, begin: int = 0, stopped: Callable[[], bool] = lambda: False) -> LogFound:
    """The newest lines that fit.

    Args:
        begin: the byte before which nothing is looked at; it must be the `end` of an earlier look at the same file.
        stopped: asked for each block; true ends the search, since nobody wants it any more.
    """
    found: list[tuple[Level, str]] = []
    end, words = begin, query.words.strip().encode("utf-8").lower()
    for data, upto in _blocks(path, begin):
        end = max(end, upto)
        if stopped():
            return LogFound(tuple(reversed(found)), False, end)
        for level, line in _fitting(data, words, query.levels):
            if len(found) == query.most:
                return LogFound(tuple(reversed(found)), False, end)
            found.append((level, line.decode("utf-8", "replace").rstrip()[:LONGEST]))
    return LogFound(tuple(reversed(found)), True, end)


def _fitting(data: bytes, words: bytes, levels: frozenset[Level]) -> Iterator[tuple[Level, bytes]]:
    """The lines of a block that fit, the last first."""
    if not levels:
        return
    lowered = data.lower() if words or "info" not in levels else b""
    if words and words not in lowered:
        return
    if "info" not in levels and not any(sign in lowered for level in levels for sign in _SIGNS[level]):
        return
    everything = len(levels) == len(LEVELS)
    for line in reversed(data.splitlines()):
        if line.strip() and (not words or words in line.lower()) and ((level := level_of(line)) in levels or everything):
            yield level, line


def _blocks(path: Path, begin: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines of a file from its end on, and the byte up to which they go; half a line at the very end is left for later."""
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return
    with file:
        place, rest = file.seek(0, 2), b""
        upto = place
        is_last = True
        while place > begin:
            start = max(begin, place - BLOCK)
            file.seek(start)
            data = file.read(place - start) + rest
            place = start
            if is_last:
                cut = data.rfind(b"\n") + 1
                upto, data = start + cut, data[:cut]
                is_last = not cut
                if not cut:
                    rest = b""
                    continue
            edge = 0 if start == begin else data.find(b"\n") + 1
            rest = data[:edge]
            if len(data) > edge:
                yield data[edge:], upto
