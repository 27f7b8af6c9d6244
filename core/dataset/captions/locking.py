"""One writer at a time in a folder of captions, so that between looking at a file and replacing it no other writer comes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from core.base.flocks import take_lock


@contextlib.contextmanager
def writing_in(folder: Path) -> Iterator[None]:
    """Hold a folder while a file in it is looked at and replaced; others wait. It lasts milliseconds, and ends with its holder.

    The lock is on the folder itself and leaves no file. Other programs do not know of it. Where the file system has no locks (some
    network drives), the revision alone guards.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        yield  # the folder is made by the write; nobody can be at work in it
        return
    try:
        take_lock(handle)
        yield
    finally:
        os.close(handle)
