"""The images that a stage works on, with their captions."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import DatasetError
from core.base.files import sha256
from core.dataset.captions.files import CAPTION_EXTENSION, caption_path_for, read_caption_text
from core.dataset.collecting import without_collection
from core.dataset.images.files import IMAGE_SUFFIXES, image_files, natural_name_key, stem_of
from core.dataset.images.opening import inspect_image
from core.dataset.index import CaptionMark, ImageRow, Index
from core.dataset.project import Project
from core.dataset.scanning import CaptionTexts, ImageMark, is_settled, scan_folder

if TYPE_CHECKING:
    from core.dataset.sources.ledger import ImportRecord


class Sources:
    """Where the images of a project were imported from; the ledger is read when it is first asked for."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._records: dict[str, ImportRecord] | None = None

    def forget(self) -> None:
        """Read the ledger anew when it is next asked for."""
        self._records = None

    def of(self, name: str, sha256: str) -> str:
        """The source of the file of that name with that content; empty where it is not known."""
        records = self._records
        if records is None:
            from core.dataset.sources.ledger import read_ledger

            records = self._records = {record.name: record for record in read_ledger(self._project)}
        record = records.get(name)
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


def list_items(project: Project) -> list[ImageItem]:
    """The images of a project, in natural order; sizes, hashes and captions come from the index where the file is unchanged.

    Of the project that was listed last the items are kept: one whose files still have their times and sizes is the same object again.

    Raises: DatasetError: the folder cannot be read.
    """
    folder, began = project.images, time.time_ns()
    with without_collection(), Index(project.hidden / "index.sqlite") as index:
        images, captions = scan_folder(folder)
        kept = _kept.get(folder)
        if kept is None or kept.index != index.file:
            kept = _Kept({}, {}, {}, Sources(project), None)
        kept.sources.forget()
        new = {name for name, mark in images.items() if kept.images.get(name) != mark}
        texts = {name for name, mark in captions.items() if kept.captions.get(name) != mark} | (kept.captions.keys() - captions.keys())
        if not new and not texts and len(images) == len(kept.images):
            return list(kept.items.values())
        items, are_stored = _list(folder, index, images, captions, kept, new, texts)
        found = list(items.values())
        _kept.clear()
        if are_stored:
            _keep(items, images, captions, new, texts, began)
            _kept[folder] = _Kept(images, captions, items, kept.sources, index.file)
    return found


@dataclass(frozen=True)
class _Kept:
    """Images that need not be looked at again, in natural order, and the marks of their files and captions."""

    images: Mapping[str, ImageMark]
    captions: Mapping[str, CaptionMark]
    items: Mapping[str, ImageItem]
    sources: Sources
    index: tuple[int, int] | None
    """The index in which they are stored: with another one nothing is kept."""


CHANGING: CaptionMark = (0, 0, -2)
"""Stands for the mark of a caption that must be read again: no file has it."""
_kept: dict[Path, _Kept] = {}
"""Of one folder: a hundred thousand images take 100 MB."""


def _keep(items: dict[str, ImageItem], images: dict[str, ImageMark], captions: dict[str, CaptionMark], new: Collection[str],
          texts: Collection[str], began: int) -> None:
    """Take out what must be looked at again next time."""
    for name in new:
        if name not in items or not images[name].fits(items[name]):
            items.pop(name, None)  # it went away or changed while it was looked at
            del images[name]
    for name in texts:
        if name in captions and not is_settled(max(captions[name][:2]), began):
            captions[name] = CHANGING  # it could change once more within the clock's grain
    for item in items.values():
        if item.caption is None and item.caption_name in captions:
            captions[item.caption_name] = CHANGING  # it could not be read, perhaps only in this moment


def _list(folder: Path, index: Index, images: Mapping[str, ImageMark], captions: dict[str, CaptionMark], kept: _Kept,
          new: Collection[str], texts: Collection[str]) -> tuple[dict[str, ImageItem], bool]:
    """Items by name, in natural order, and whether the index took what it did not know.

    Args: new: images that are not kept. texts: caption files that are not.
    """
    items, fresh = {}, []
    are_those = kept.items.keys() == images.keys()
    known = index.images() if new or not are_those else {}
    caption_texts = CaptionTexts(folder, captions, index)
    for name in kept.items if are_those else sorted(images, key=natural_name_key):
        item, caption_name = kept.items.get(name), stem_of(name) + CAPTION_EXTENSION
        if item is None or name in new:
            row = known.get(name)
            if row is None or not images[name].fits(row):
                row = _row(folder / name)
                if row is None:
                    continue
                fresh.append(row)
            item = ImageItem(stem_of(name), folder, name, row.width, row.height, row.size, row.mtime_ns, row.sha256,
                             caption_texts.of(caption_name), CAPTION_EXTENSION, kept.sources)
        elif caption_name in texts:
            item = replace(item, caption=caption_texts.of(caption_name))
        items[name] = item
    stored = index.remember_images(fresh, gone=known.keys() - items.keys())
    return items, caption_texts.remember() and stored


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
