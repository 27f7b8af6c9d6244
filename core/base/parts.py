"""Half-written files: how those of Lorabook are called, and those that a killed process left behind taken away."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

from core.base.flocks import take_lock

OLD = 3600.0
"""Seconds after which a file that is half written belongs to nobody any more."""
PART = re.compile(r"\..+\.part(\.\w+)?")
"""Names of what Lorabook writes beside a file until it is whole, also of folders. The dot before them tells them from a person's own."""


def is_part(name: str) -> bool:
    """Whether a name is one of those that Lorabook gives to what is not whole yet."""
    return PART.fullmatch(name) is not None


def open_part(path: Path, mark: bool = False) -> tuple[int, Path]:
    """A new temporary file beside `path`, open for writing: its number and its place.

    Args: mark: lock it while it is open, so that `clear_parts_of` knows that somebody writes it. Raises: OSError.
    """
    while True:
        handle, name = tempfile.mkstemp(prefix=_start(path), suffix=".part", dir=path.parent)
        if mark:
            with contextlib.suppress(OSError):  # a lock that cannot be had: age tells
                take_lock(handle)
        if os.path.lexists(name):
            return handle, Path(name)
        os.close(handle)  # another process took it for a dead one's before it was locked


def clear_parts_of(path: Path) -> None:
    """Take away what killed writers of this very file left half written beside it. What is locked is being written, and stays."""
    own = re.compile(rf"{re.escape(_start(path))}[a-z0-9_]{{8}}\.part")
    for part in path.parent.iterdir() if path.parent.is_dir() else ():
        if own.fullmatch(part.name):
            with contextlib.suppress(OSError):
                _clear_folder(part) if part.is_dir() else _clear_file(part)


def clear_old_parts(folder: Path) -> None:
    """Take away what a killed process left half written in a folder. What is younger than `OLD` may still be written."""
    for part in folder.glob(".*.part*"):
        with contextlib.suppress(OSError):
            if is_part(part.name) and part.is_file() and age_of(part) > OLD:
                part.unlink()


def age_of(path: Path) -> float:
    """Seconds since it was changed; of a folder since the newest file in it was. Raises: FileNotFoundError."""
    newest = path.stat().st_mtime
    if path.is_dir():
        for place, _, names in os.walk(path):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    newest = max(newest, Path(place, name).lstat().st_mtime)
    return max(0.0, time.time() - newest)


def _start(path: Path) -> str:
    return f".{path.name[:40]}."


def _clear_file(part: Path) -> None:
    with open(part, "rb") as file:
        try:
            is_nobodys = take_lock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if is_nobodys or age_of(part) > OLD:
            part.unlink()


def _clear_folder(part: Path) -> None:
    if not part.is_symlink() and age_of(part) > OLD:
        shutil.rmtree(part)
