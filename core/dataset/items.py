"""The images that a stage works on, with their captions."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import DatasetError
from core.base.files import sha256
from core.dataset.captions.files import CAPTION_EXTENSION, caption_path_for, read_caption_text
from core.dataset.collecting import without_collection
from core.dataset.images.opening import inspect_image
from core.dataset.index import CaptionMark, ImageRow, Index
from core.dataset.project import Project

if TYPE_CHECKING:
    from core.dataset.sources.ledger import ImportRecord

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
"""Endings that every trainer reads (sd-scripts' IMAGE_EXTENSIONS)."""
DIGITS = re.compile(r"(\d+)")
SETTLED_NS = 2_000_000_000
"""A file that is older than this cannot change again without a new time; the coarsest clock (FAT) ticks every two seconds."""


class Sources:
    """Where the images of a project were imported from; the ledger is read when it is first asked for."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._records: dict[str, ImportRecord] | None = None

    def of(self, name: str, sha256: str) -> str:
        """The source of the file of that name with that content; empty where it is not known."""
        if self._records is None:
            from core.dataset.sources.ledger import read_ledger

            self._records = {record.name: record for record in read_ledger(self._project)}
        record = self._records.get(name)
        return record.source if record is not None and record.describes(sha256) else ""


@dataclass(frozen=True, slots=True)
class ImageItem:
    """One image of a dataset. Paths are made when they are asked for: lists of a hundred thousand must be quick."""

    id: str
    """The file's stem; in a plain folder with subfolders, its path without the ending."""
    folder: Path
    name: str
    """File name."""
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
    caption_extension: str = CAPTION_EXTENSION
    sources: Sources | None = field(default=None, compare=False, repr=False)

    @property
    def path(self) -> Path:
        """The image file."""
        return self.folder / self.name

    @property
    def caption_path(self) -> Path:
        """The caption file, whether it is there or not."""
        return self.folder / self.caption_name

    @property
    def caption_name(self) -> str:
        """Name of the caption file."""
        return stem_of(self.name) + self.caption_extension

    @property
    def source(self) -> str:
        """Where it was imported from; empty where that is not known."""
        return self.sources.of(self.name, self.sha256) if self.sources is not None else ""


@dataclass(frozen=True)
class Skipped:
    """Something that a stage left out, and why."""

    name: str
    reason: str


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


def count_images(folder: Path) -> int:
    """How many images a folder has, without putting them in order; 0 where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sum(entry.name.lower().endswith(IMAGE_SUFFIXES) and not entry.name.startswith(".") for entry in entries)
    except OSError:
        return 0


def list_items(project: Project) -> list[ImageItem]:
    """The images of a project, in natural order; sizes, hashes and captions come from the index where the file is unchanged.

    Raises: DatasetError: the folder cannot be read.
    """
    folder, sources = project.images, Sources(project)
    items, fresh = [], []
    with without_collection(), Index(project.hidden / "index.sqlite") as index:
        images, captions = _scan(folder)
        known = index.images()
        texts = _Captions(folder, captions, index)
        for name in sorted(images, key=natural_name_key):
            row = known.get(name)
            if row is None or (row.mtime_ns, row.size) != images[name]:
                row = _row(folder / name)
                if row is None:
                    continue
                fresh.append(row)
            stem = stem_of(name)
            items.append(ImageItem(stem, folder, name, row.width, row.height, row.size, row.mtime_ns, row.sha256,
                                   texts.of(stem + CAPTION_EXTENSION), CAPTION_EXTENSION, sources))
        index.remember_images(fresh, gone=known.keys() - {item.name for item in items})
        texts.remember()
    return items


def _scan(folder: Path) -> tuple[dict[str, tuple[int, int]], dict[str, CaptionMark]]:
    """Image files (time and size) and caption files (time of content, of any change, and size), by name. Links are followed."""
    images: dict[str, tuple[int, int]] = {}
    captions: dict[str, CaptionMark] = {}
    with _opened(folder) as entries:
        for entry in entries:
            _look(entry, images, captions)
    return images, captions


def _look(entry: os.DirEntry[str], images: dict[str, tuple[int, int]], captions: dict[str, CaptionMark]) -> None:
    name = entry.name
    ending = name[name.rfind("."):].lower()
    is_image = ending in IMAGE_SUFFIXES
    if name.startswith(".") or not (is_image or ending == CAPTION_EXTENSION):
        return
    try:
        if not is_image:
            facts = entry.stat()
            captions[name] = (facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size)
        elif not entry.is_dir():
            facts = entry.stat()
            images[name] = (facts.st_mtime_ns, facts.st_size)
    except OSError:
        if is_image:
            images[name] = (0, -1)  # looked at again later: a link that leads nowhere, or a file that just went away
        else:
            captions[name] = (0, 0, -1)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
    """The entries of a folder, through a handle: so the path to it need not be walked for each file. Raises: DatasetError."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DatasetError(f"The folder {folder} does not exist.", "Check the path, and that its drive is connected.") from error
    except PermissionError as error:
        raise DatasetError(f"No permission to read {error.filename}.", "Change its rights, or copy the folder.") from error
    try:
        with os.scandir(handle) as entries:
            yield entries
    finally:
        os.close(handle)


class _Captions:
    """Texts of caption files; one whose times and size are those in the index is not read again.

    A file that was written in the last moments is not remembered: it could change once more within the clock's grain.
    """

    def __init__(self, folder: Path, present: dict[str, CaptionMark], index: Index) -> None:
        self._folder, self._present, self._index = folder, present, index
        self._known = index.captions()
        self._fresh: list[tuple[str, CaptionMark, str]] = []
        self._settled = time.time_ns() - SETTLED_NS

    def of(self, name: str) -> str | None:
        """The caption; None where there is none that can be read."""
        mark = self._present.get(name)
        if mark is None:
            return None
        known = self._known.get(name)
        if known is not None and known[0] == mark:
            return known[1]
        text = read_caption_text(self._folder / name)
        if text is not None and 0 < max(mark[0], mark[1]) < self._settled:
            self._fresh.append((name, mark, text))
        return text

    def remember(self) -> None:
        """Keep what was read now, and forget files that are gone."""
        self._index.remember_captions(self._fresh, gone=self._known.keys() - self._present.keys())


def folder_items(folder: Path, recursive: bool = False, caption_extension: str = CAPTION_EXTENSION) -> list[ImageItem]:
    """The images of a plain folder (no project, no index, no hashes), in natural order.

    Raises: DatasetError: the folder does not exist.
    """
    items = []
    for path in image_files(folder, recursive):
        row = _row(path, hashed=False)
        if row is not None:
            items.append(ImageItem(path.relative_to(folder).with_suffix("").as_posix(), path.parent, path.name, row.width, row.height,
                                   row.size, row.mtime_ns, row.sha256, read_caption_text(caption_path_for(path, caption_extension)),
                                   caption_extension))
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
    return caption_path_for(image_path_of(project, image_id))


def one_item(project: Project, image_id: str) -> ImageItem:
    """One image, by its id, without listing the folder. Raises: DatasetError: no image has that id, or it cannot be read."""
    path = image_path_of(project, image_id)
    row = _row(path)
    if row is None:
        raise DatasetError(f"{path.name} went away at this very moment.", "Refresh the list.")
    return ImageItem(path.stem, path.parent, path.name, row.width, row.height, row.size, row.mtime_ns, row.sha256,
                     read_caption_text(caption_path_for(path)), CAPTION_EXTENSION, Sources(project))


def image_path_of(project: Project, image_id: str) -> Path:
    """The file of an image, by its id. Raises: DatasetError: no image has that id."""
    if Path(image_id).name == image_id:
        for suffix in IMAGE_SUFFIXES:  # the usual endings first: listing a large folder for each save takes a second
            path = project.images / f"{image_id}{suffix}"
            if not image_id.startswith(".") and path.exists():
                return path
    for path in image_files(project.images):
        if path.stem == image_id:
            return path
    raise DatasetError(f"No image is called {image_id!r} in {project.images}.", "It may have been moved or renamed; refresh the list.")


def _row(path: Path, hashed: bool = True) -> ImageRow | None:
    """Facts of a file; None: it went away while the folder was read.

    A link that leads nowhere has no size, like any image that cannot be read: each stage names it, as a trainer stops on it.
    """
    try:
        facts = path.stat()
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
