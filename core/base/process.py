"""Processes that outlive the kernel: started in a group of their own, recognised again by id and start time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.base.files import explain_disk_errors

_started_here: list[subprocess.Popen[bytes]] = []
"""Children of this process, kept so that they are reaped when they end."""


@dataclass(frozen=True)
class ProcessMark:
    """A process that can be recognised later, also by another kernel."""

    pid: int
    started: str
    """When the process began, as the system tells it; process ids are used again, start times are not."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ProcessMark:
        """The reverse of `as_dict`."""
        return cls(int(value["pid"]), str(value["started"]))


def _state_and_start(pid: int) -> tuple[str, str] | None:
    """State letter and start time of a process, None where there is none.

    Linux: fields 3 and 22 of /proc/PID/stat (man 5 proc); elsewhere `ps`.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        fields = text[text.rindex(")") + 2:].split()
        return fields[0], fields[19]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    found = shown.stdout.split(maxsplit=1)
    return (found[0][0], found[1].strip()) if len(found) == 2 else None


def mark_of(pid: int) -> ProcessMark | None:
    """The mark of a running process, None where it has ended."""
    found = _state_and_start(pid)
    return None if found is None or found[0] == "Z" else ProcessMark(pid, found[1])


def is_alive(mark: ProcessMark | None) -> bool:
    """Whether that very process still runs; an ended one that nobody has collected yet does not count."""
    for child in list(_started_here):
        if child.poll() is not None:
            _started_here.remove(child)
    return mark is not None and mark_of(mark.pid) == mark


def start_detached(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None, log: Path | None = None) -> ProcessMark:
    """Start a program in its own session, so that closing the kernel or the browser does not end it.

    Args:
        argv: program and arguments, each a word of its own; no shell is involved.
        cwd: its working folder.
        env: variables added to this process's own.
        log: file that its output is appended to; None drops it.

    Raises: OSError: the program cannot be started. DiskError: the log cannot be written.
    """
    with contextlib.ExitStack() as stack:
        output: Any = subprocess.DEVNULL
        if log is not None:
            with explain_disk_errors(log):
                log.parent.mkdir(parents=True, exist_ok=True)
                output = stack.enter_context(open(log, "ab"))
        child = subprocess.Popen(list(argv), cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                                 stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    _started_here.append(child)
    return mark_of(child.pid) or ProcessMark(child.pid, "ended at once")


def marked_processes(name: str, value: str) -> list[int]:
    """The ids of all processes of this user that were started with a variable of that value, whichever session they are in.

    Linux: /proc/PID/environ (man 5 proc); elsewhere none is found.
    """
    wanted, found = f"{name}={value}".encode(), []
    for place in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in place.read_bytes().split(b"\0"):
                found.append(int(place.parent.name))
    return found


def end_group(mark: ProcessMark, grace: float = 10.0) -> bool:
    """End a detached process and all that it started: SIGTERM, then after `grace` seconds SIGKILL.

    Blocks for at most `grace` seconds plus a moment; with `grace` = 0 it only sends SIGTERM and returns.
    Returns: whether the process has ended.
    """
    if not is_alive(mark):
        return True
    with contextlib.suppress(ProcessLookupError):
        os.killpg(mark.pid, signal.SIGTERM)
    if grace <= 0:
        return not is_alive(mark)
    if _wait_for_end(mark, grace):
        return True
    with contextlib.suppress(ProcessLookupError):
        os.killpg(mark.pid, signal.SIGKILL)
    return _wait_for_end(mark, 5.0)


def _wait_for_end(mark: ProcessMark, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
