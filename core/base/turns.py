"""Whose turn it is on the machine: one heavy job or training run works at a time."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from core.base.files import explain_disk_errors
from core.base.flocks import take_lock
from core.base.jobs import append_event
from core.base.locks import is_held, open_lock_file
from core.base.paths import projects_dir
from core.base.progress import Progress

LOOK_AGAIN = 0.5
"""Seconds between two looks."""


@contextlib.contextmanager
def turn_on_the_machine(folder: Path, name: str, progress: Progress, why_not_yet: Callable[[], str] = str) -> Iterator[None]:
    """Wait until no other heavy job or training run works on this machine, then hold the place.

    The place is a file lock, which the system frees when its holder ends, however it ends; waiting jobs are
    processes of their own, so the queue survives a restart of the kernel.

    Args:
        folder: of the job or run that waits; a "waiting" event is written into it.
        name: what others read while they wait for it, such as "the training of mika".
        progress: asked for a cancel while it waits.
        why_not_yet: why others go first although the machine is free; empty: nobody does. Asked at each look.

    Raises: Cancelled: stopped while it waited. DiskError: the lock cannot be written.
    """
    place = _place()
    with open_lock_file(place) as file:
        told = ""
        while reason := why_not_yet() or _take_turn(file, place, progress) or _let_go_if(why_not_yet(), file):
            if reason != told:
                append_event(folder, "waiting", message=reason)
                told = reason
            progress.check()
            time.sleep(LOOK_AGAIN)
        with explain_disk_errors(place):
            file.truncate(0)
            file.write(name.encode())
        yield


def _take_turn(file: FileIO, place: Path, progress: Progress) -> str:
    """Lock the machine. Returns: whom it waits for; empty when it is locked, or where the file system has no locks."""
    try:
        if not take_lock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB):
            progress.note(f"The file system of {place.parent} has no locks; make sure that no other job or training runs.")
    except BlockingIOError:
        file.seek(0)
        whom = file.read().decode("utf-8", "replace").strip() or "another job"
        return f"Waiting for {whom} to end. It begins by itself."
    return ""


def _let_go_if(reason: str, file: FileIO) -> str:
    """Another was put ahead between the look and the lock. Returns: the reason."""
    if reason:
        with contextlib.suppress(OSError):
            fcntl.flock(file.fileno(), fcntl.LOCK_UN)
    return reason


def is_machine_taken() -> bool:
    """Whether a heavy job or a training run works on this machine just now; False where it cannot be known."""
    return is_held(_place())


def _place() -> Path:
    return projects_dir() / ".machine.lock"
