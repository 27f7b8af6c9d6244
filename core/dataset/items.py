"""The images that a stage works on, with their captions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import DatasetError
from core.base.files import sha256
from core.dataset.captions.files import CAPTION_EXTENSION, caption_path_for, read_caption_text
from core.dataset.images.opening import inspect_image
from core.dataset.index import ImageRow, Index
from core.dataset.project import Project

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
"""Endings that every trainer reads (sd-scripts' IMAGE_EXTENSIONS)."""


@dataclass(frozen=True)
class ImageItem:
    """One image of a dataset."""

    id: str
    """The file's stem; in a plain folder with subfolders, its path without the ending."""
    path: Path
    caption_path: Path
    width: int
    """Pixels as shown (after EXIF orientation); 0 when the file cannot be read."""
    height: int
    size: int
    """Bytes."""
    mtime_ns: int
    sha256: str
    """Of the file; empty for plain folders, where it is not worked out."""
    caption: str | None
    """None: there is no caption file, or it is not UTF-8."""
    source: str = ""
    """Where it was imported from."""


@dataclass(frozen=True)
class Skipped:
    """Something that a stage left out, and why."""

    name: str
    reason: str


def natural_key(path: Path) -> tuple[list[tuple[int, int, str]], int, str]:
    """Sorts "2.png" before "10.png" regardless of case, "a.png" before "a (copy).png", and "a.png" before "a.jpg"."""
    parts = re.split(r"(\d+)", path.with_suffix("").as_posix().casefold())
    words = [(0, int(part), "") if part.isdecimal() and len(part) < 19 else (1, 0, part) for part in parts]
    suffix = path.suffix.lower()
    return words, IMAGE_SUFFIXES.index(suffix) if suffix in IMAGE_SUFFIXES else len(IMAGE_SUFFIXES), path.name


def image_files(folder: Path, recursive: bool = False) -> list[Path]:
    """Image files of a folder, in natural order; hidden files and folders are passed over.

    Raises: DatasetError: the folder does not exist or cannot be read.
    """
    if not folder.is_dir():
        raise DatasetError(f"The folder {folder} does not exist.", "Check the path, and that its drive is connected.")

    def walk(place: Path) -> Iterator[Path]:
        for path in place.iterdir():
            if path.name.startswith("."):
                continue
            if path.is_dir():
                if recursive and not path.is_symlink():
                    yield from walk(path)
            elif path.suffix.lower() in IMAGE_SUFFIXES:
                yield path

    try:
        return sorted(walk(folder), key=lambda path: natural_key(path.relative_to(folder)))
    except PermissionError as error:
        raise DatasetError(f"No permission to read {error.filename}.", "Change its rights, or copy the folder.") from error


def list_items(project: Project) -> list[ImageItem]:
    """The images of a project, in natural order; sizes and hashes come from the index where the file is unchanged."""
    from core.dataset.sources.ledger import read_ledger

    records = {record.name: record for record in read_ledger(project)}
    items, fresh = [], []
    with Index(project.hidden / "index.sqlite") as index:
        known = index.images()
        for path in image_files(project.images):
            row = _row(path, known.get(path.name))
            if row is None:
                continue
            if row is not known.get(path.name):
                fresh.append(row)
            record = records.get(path.name)
            source = record.source if record and record.describes(row.sha256) else ""
            items.append(_item(path, path.stem, row, CAPTION_EXTENSION, source))
        index.remember_images(fresh, gone=set(known) - {item.path.name for item in items})
    return items


def folder_items(folder: Path, recursive: bool = False, caption_extension: str = CAPTION_EXTENSION) -> list[ImageItem]:
    """The images of a plain folder (no project, no index, no hashes), in natural order.

    Raises: DatasetError: the folder does not exist.
    """
    items = []
    for path in image_files(folder, recursive):
        row = _row(path, hashed=False)
        if row is not None:
            items.append(_item(path, path.relative_to(folder).with_suffix("").as_posix(), row, caption_extension, ""))
    return items


def is_unchanged(item: ImageItem) -> bool:
    """Whether the image is still the file that was listed, so that what was found out may be kept under its hash."""
    try:
        facts = item.path.stat()
    except OSError:
        return False
    return (facts.st_mtime_ns, facts.st_size) == (item.mtime_ns, item.size)


def caption_path_of(project: Project, image_id: str) -> Path:
    """The caption file of an image, by its id. Raises: DatasetError: no image has that id."""
    for path in image_files(project.images):
        if path.stem == image_id:
            return caption_path_for(path)
    raise DatasetError(f"No image is called {image_id!r} in {project.images}.", "It may have been moved or renamed; refresh the list.")


def _row(path: Path, known: ImageRow | None = None, hashed: bool = True) -> ImageRow | None:
    """Facts of a file; None: it went away while the folder was read.

    A link that leads nowhere has no size, like any image that cannot be read: each stage names it, as a trainer stops on it.
    """
    try:
        facts = path.stat()
        if known is not None and (known.mtime_ns, known.size) == (facts.st_mtime_ns, facts.st_size):
            return known
        width, height = _size(path)
        try:
            digest = sha256(path) if hashed else ""
        except PermissionError:
            digest = ""
    except OSError as error:
        if path.is_symlink():
            return ImageRow(path.name, 0, 0, 0, 0, "")
        if isinstance(error, FileNotFoundError):
            return None
        raise
    return ImageRow(path.name, facts.st_mtime_ns, facts.st_size, width, height, digest)


def _size(path: Path) -> tuple[int, int]:
    try:
        facts = inspect_image(path)
    except DatasetError:
        return 0, 0
    return facts.width, facts.height


def _item(path: Path, image_id: str, row: ImageRow, extension: str, source: str) -> ImageItem:
    caption_path = caption_path_for(path, extension)
    return ImageItem(image_id, path, caption_path, row.width, row.height, row.size, row.mtime_ns, row.sha256,
                     read_caption_text(caption_path), source)
