"""Which files of a folder are images, and in which order they stand."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.base.errors import DatasetError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
"""Endings that every trainer reads (sd-scripts' IMAGE_EXTENSIONS)."""
DIGITS = re.compile(r"(\d+)")


def natural_key(path: Path) -> tuple[list[Any], int, str]:
    """Sorts "2.png" before "10.png" regardless of case, "a.png" before "a (copy).png", and "a.png" before "a.jpg"."""
    return natural_name_key(path.as_posix())


def natural_name_key(name: str) -> tuple[list[Any], int, str]:
    """The same for a name, or for a path with slashes."""
    folder, _, file = name.rpartition("/")
    stem = stem_of(file)
    suffix = file[len(stem):].lower()
    words: list[Any] = DIGITS.split((f"{folder}/{stem}" if folder else stem).casefold())
    words[1::2] = map(int, words[1::2])  # text and numbers take turns, so that only like is compared with like
    return words, IMAGE_SUFFIXES.index(suffix) if suffix in IMAGE_SUFFIXES else len(IMAGE_SUFFIXES), file


def stem_of(name: str) -> str:
    """A file name without its ending, as `Path.stem` gives it."""
    place = name.rfind(".")
    return name[:place] if 0 < place < len(name) - 1 else name


def image_files(folder: Path, recursive: bool = False) -> list[Path]:
    """Image files of a folder, in natural order; hidden files and folders are passed over.

    Raises: DatasetError: the folder does not exist or cannot be read.
    """
    if not folder.is_dir():
        raise DatasetError(f"The folder {folder} does not exist.", "Check the path, and that its drive is connected.")

    def walk(place: Path, inside: str) -> Iterator[str]:
        with os.scandir(place) as entries:  # tells files from folders without a look at each
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    if recursive and not entry.is_symlink():
                        yield from walk(place / entry.name, f"{inside}{entry.name}/")
                elif _is_image(entry.name):
                    yield inside + entry.name

    try:
        return [folder / name for name in sorted(walk(folder, ""), key=natural_name_key)]
    except PermissionError as error:
        raise DatasetError(f"No permission to read {error.filename}.", "Change its rights, or copy the folder.") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link to itself
            return False
        raise


def has_images(folder: Path) -> bool:
    """Whether a folder has an image, at the price of the first one only; False where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return any(_is_image(entry.name) for entry in entries)
    except OSError:
        return False


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def count_images(folder: Path) -> int:
    """How many images a folder has, without putting them in order; 0 where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sum(_is_image(entry.name) for entry in entries)
    except OSError:
        return 0
