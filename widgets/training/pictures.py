"""Pictures of runs for the browser: each is known by its path and when it was written."""

from __future__ import annotations

from pathlib import Path


def read_picture(path: str) -> bytes | None:
    """A picture's file as it is, None where it is gone."""
    file = Path(path)
    return file.read_bytes() if file.is_file() else None


def picture_key(path: Path) -> str:
    """The path and when it was written: pictures that are drawn again bear the same names, and the browser keeps what it knows."""
    try:
        return f"{path}|{path.stat().st_mtime_ns}"
    except OSError:
        return f"{path}|0"


def read_drawn(key: str) -> bytes | None:
    """The picture's file of a `picture_key`, None where it is gone."""
    return read_picture(key.rpartition("|")[0])
