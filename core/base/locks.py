"""File locks, which the system frees when their holder ends, however it ends; where the file system has none, the work goes on."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from core.base.files import explain_disk_errors
from core.base.flocks import take_lock
from core.base.progress import Progress

LOOK_AGAIN = 0.1
"""Seconds between two looks at a lock that somebody else holds."""


def open_lock_file(path: Path) -> FileIO:
    """The file of a lock, made where it is missing. Raises: DiskError: it cannot be written."""
    with explain_disk_errors(path):
        try:
            return open(path, "a+b", buffering=0)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            return open(path, "a+b", buffering=0)


@contextlib.contextmanager
def locked(path: Path, kind: int = fcntl.LOCK_EX) -> Iterator[bool]:
    """Hold the lock file `path` while the block runs.

    Yields: whether it is locked; False: this file system has no locks, and nobody is kept out.
    Raises: BlockingIOError: as `take_lock`. DiskError: the file cannot be written; errors of the block itself are passed on as they are.
    """
    with open_lock_file(path) as file:
        yield take_lock(file.fileno(), kind)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock file `path` just now; False where it cannot be known."""
    try:
        with open(path, "rb") as file:
            take_lock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def waited_for(path: Path, progress: Progress, what: str = "", kind: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold the lock file `path` as soon as it is free. Args: progress, what: as `wait_for_lock`. Raises: Cancelled, DiskError."""
    with open_lock_file(path) as file:
        wait_for_lock(file, progress, what, kind)
        yield


def wait_for_lock(file: FileIO, progress: Progress, what: str = "", kind: int = fcntl.LOCK_EX) -> None:
    """Lock an open file until it is closed; meanwhile a cancel is heard.

    Args: what: the phase that is shown while somebody else holds it, such as "Waiting for another import"; empty: none.
    Raises: Cancelled: the person does not want to wait.
    """
    while True:
        try:
            take_lock(file.fileno(), kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if what:
                progress.start(what)
                what = ""
            progress.check()
            time.sleep(LOOK_AGAIN)
