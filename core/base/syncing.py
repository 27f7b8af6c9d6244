"""Bringing files to the disk, so that a power failure takes none of them back."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from functools import cache


def sync_all(place: int, files: Sequence[str]) -> None:
    """Bring files of an open folder to the disk: all that waits on its file system at once, or, where that cannot be, one by one."""
    sync = _syncfs()
    if sync is not None and sync(place) == 0:
        return
    for file in files:
        handle = os.open(file, os.O_RDONLY, dir_fd=place)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@cache
def _syncfs() -> Callable[[int], int] | None:
    """Linux's syncfs(2), which Python does not offer."""
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
