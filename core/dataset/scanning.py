"""What lies in a project's folder of images: one quick look at every entry, and the captions' texts where they changed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from core.base.errors import DatasetError
from core.dataset.captions.files import CAPTION_EXTENSION, read_caption_text
from core.dataset.images.files import IMAGE_SUFFIXES
from core.dataset.index import CaptionMark, ImageRow, Index

if TYPE_CHECKING:
    from core.dataset.items import ImageItem

SETTLED_NS = 2_000_000_000
"""A file that is older than this cannot change again without a new time; the coarsest clock (FAT) ticks every two seconds."""
FINE_SETTLED_NS = 100_000_000
"""The same where times have parts of a millisecond: such a file system takes them from the kernel's clock, which ticks every 1 to 10 ms."""


class ImageMark(NamedTuple):
    """What tells one image file from another of its name."""

    mtime_ns: int
    """Time of its content."""
    size: int
    ctime_ns: int
    """Time of any change to it, also of its name."""
    inode: int

    def fits(self, image: ImageRow | ImageItem) -> bool:
        """Whether what is known of an image was read from such a file."""
        return (image.mtime_ns, image.size) == (self.mtime_ns, self.size)


def is_settled(changed_ns: int, now_ns: int | None = None) -> bool:
    """Whether a file of that time would get another one if it changed now (or then); with 0 or a time to come nothing is known."""
    grain = SETTLED_NS if changed_ns % 1_000_000 == 0 else min(SETTLED_NS, FINE_SETTLED_NS)
    return 0 < changed_ns < (time.time_ns() if now_ns is None else now_ns) - grain


def scan_folder(folder: Path) -> tuple[dict[str, ImageMark], dict[str, CaptionMark]]:
    """Image files and caption files, by name. Links are followed."""
    images: dict[str, ImageMark] = {}
    captions: dict[str, CaptionMark] = {}
    with _opened(folder) as entries:
        for entry in entries:
            _look(entry, images, captions)
    return images, captions


def _look(entry: os.DirEntry[str], images: dict[str, ImageMark], captions: dict[str, CaptionMark]) -> None:
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
            images[name] = ImageMark(facts.st_mtime_ns, facts.st_size, facts.st_ctime_ns, facts.st_ino)
    except OSError:
        if is_image:
            images[name] = ImageMark(0, -1, 0, 0)  # looked at again later: a link that leads nowhere, or a file that just went away
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


class CaptionTexts:
    """Texts of caption files; one whose times and size are those in the index is not read again.

    A file that was written in the last moments is not remembered: it could change once more within the clock's grain.
    """

    def __init__(self, folder: Path, present: dict[str, CaptionMark], index: Index) -> None:
        self._folder, self._present, self._index = folder, present, index
        self._known = index.captions()
        self._fresh: list[tuple[str, CaptionMark, str]] = []

    def of(self, name: str) -> str | None:
        """The caption; None where there is none that can be read."""
        mark = self._present.get(name)
        if mark is None:
            return None
        known = self._known.get(name)
        if known is not None and known[0] == mark:
            return known[1]
        settled = is_settled(max(mark[0], mark[1]))  # asked before it is read
        text = read_caption_text(self._folder / name)
        if text is not None and settled:
            self._fresh.append((name, mark, text))
        return text

    def remember(self) -> bool:
        """Keep what was read now, and forget files that are gone. Returns: whether it could be kept."""
        return self._index.remember_captions(self._fresh, gone=self._known.keys() - self._present.keys())
