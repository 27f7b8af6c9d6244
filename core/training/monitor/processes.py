"""What several processes of one training printed when they failed, without what their launcher says of it.

The form is that of torch 2.6: each line of a process's traceback begins with `[rank1]: `, and after the launcher's own traceback
(`ChildFailedError`) stands which process failed first, with its exit code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_RANK = re.compile(r"^\[rank(\d+)\]:\s?(.*)$")
_FAILED = re.compile(r"\bChildFailedError\b")
_ROOT = "Root Cause"
_WHO = re.compile(r"^\s*rank\s*:\s*(\d+)\b")
_CODE = re.compile(r"^\s*exitcode\s*:\s*(-?\d+)\b")
_BY_LAUNCHER = re.compile(r"^[EWI]\d{4} .*torch/distributed/elastic/")


@dataclass(frozen=True)
class FailedProcess:
    """The process that failed first."""

    rank: int
    """Its number among all; 0 is the main one."""
    code: int
    """Its exit code; negative: minus the signal that ended it."""


def without_launcher(lines: Sequence[str]) -> tuple[list[str], FailedProcess | None]:
    """The lines of the processes themselves, and which one failed first; None: no launcher of several processes tells of a failure."""
    told = next((place for place in range(len(lines) - 1, -1, -1) if _FAILED.search(lines[place])), None)
    if told is None:
        return list(lines), None
    begin = next((place for place in range(told, -1, -1) if lines[place].startswith("Traceback (most recent call last)")), told)
    own = [line for line in lines[:begin] if not _BY_LAUNCHER.match(line)]
    return own, _first_failure(lines[told:])


def lines_by_process(lines: Sequence[str], first: int) -> list[tuple[int, list[str]]]:
    """The tracebacks of each process with its number, that of `first` before the others; of it all lines where none are marked."""
    found: dict[int, list[str]] = {first: []}
    for line in lines:
        if marked := _RANK.match(line):
            found.setdefault(int(marked.group(1)), []).append(marked.group(2))
    return list(found.items()) if any(found.values()) else [(first, list(lines))]


def _first_failure(lines: Sequence[str]) -> FailedProcess:
    root = next((place for place, line in enumerate(lines) if _ROOT in line), 0)
    who = next((int(found.group(1)) for line in lines[root:] if (found := _WHO.match(line))), 0)
    code = next((int(found.group(1)) for line in lines[root:] if (found := _CODE.match(line))), 1)
    return FailedProcess(who, code)
