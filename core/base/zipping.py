"""Zip files: the same bytes from the same files, and never on a disk that is too full."""

from __future__ import annotations

import contextlib
import os
import shutil
import zipfile
from pathlib import Path

from core.base.errors import DiskError
from core.base.files import explain_disk_errors, nearest_folder

SPARE = 64 << 20
"""Bytes that stay free on the disk."""
STORED = frozenset({".png", ".jpg", ".jpeg", ".webp"})
"""Endings of what is compressed already."""
BEGIN = (1980, 1, 1, 0, 0, 0)
"""The time of every entry, the first that a zip can hold: what is packed again is then the same file."""
PIECE = 1 << 20


def add_file(archive: zipfile.ZipFile, path: Path, name: str) -> str:
    """Put one file in, in pieces; pictures are stored as they are, everything else is compressed.

    Returns: why it could not be read; empty: it is in.
    """
    entry = zipfile.ZipInfo(name, BEGIN)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_STORED if path.suffix.lower() in STORED else zipfile.ZIP_DEFLATED
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb"))
        except OSError as error:
            return f"It cannot be read ({error.strerror or type(error).__name__})."
        entry.file_size = os.fstat(file.fileno()).st_size  # so that it is known beforehand whether it needs a long entry
        with archive.open(entry, "w") as inside:
            while block := file.read(PIECE):
                inside.write(block)
    return ""


def refuse_full(place: Path, needed: int, what: str, hint: str) -> None:
    """Raises: DiskError: no room for so many bytes. Args: place: the file or folder to be written. what: "The pictures take"."""
    folder = nearest_folder(place)
    with explain_disk_errors(place):
        free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        raise DiskError(f"{what} {needed / 2**30:.1f} GiB, but only {free / 2**30:.1f} GiB are free in {folder}.", hint)
