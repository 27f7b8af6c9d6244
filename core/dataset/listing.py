"""The images of a project as columns: quick to list, filter and sort for a hundred thousand of them, and nothing is opened for it."""

from __future__ import annotations

import contextlib
import json
import os
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.base.errors import DatasetError, DiskError
from core.base.files import atomic_write
from core.dataset.captions.files import CAPTION_EXTENSION, caption_path_for, read_caption_text
from core.dataset.captions.statistics import tag_frequencies
from core.dataset.images.files import IMAGE_SUFFIXES, natural_key
from core.dataset.images.opening import inspect_image
from core.dataset.index import Index
from core.dataset.project import Project
from core.dataset.rejected import rejected_images

LISTING_FILE = "listing.bin"
Mark = tuple[int, int]
"""Time (ns) and size of a file: as long as they stay, so does its content."""
NO_FILE: Mark = (0, -1)


@dataclass
class Listing:
    """Rows of images: first those of the set in natural order, then the rejected ones.

    Columns are filled as far as is known; `captions` and `widths`/`heights` come later (`read_captions`, `find_sizes`).
    """

    project: Project
    names: list[str] = field(default_factory=list)
    """File names."""
    marks: list[Mark] = field(default_factory=list)
    kept: int = 0
    """Rows below this are images of the set, the others are rejected."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Stored name of a rejected image → why."""
    caption_marks: list[Mark] = field(default_factory=list)
    captions: list[str | None] | None = None
    """None: not read yet. In it, None: no caption, or none that can be read."""
    widths: array[int] = field(default_factory=lambda: array("i"))
    """Pixels as shown; 0 where it is not known yet, -1 where the file cannot be opened."""
    heights: array[int] = field(default_factory=lambda: array("i"))

    def __len__(self) -> int:
        return len(self.names)

    def is_rejected(self, row: int) -> bool:
        """Whether the image was put aside."""
        return row >= self.kept

    def path(self, row: int) -> Path:
        """The image file of a row."""
        return (self.project.rejected if self.is_rejected(row) else self.project.images) / self.names[row]

    def key(self, row: int) -> str:
        """Names the row across listings: a rejected image may have the name of another one."""
        return f"rejected/{self.names[row]}" if self.is_rejected(row) else self.names[row]

    def caption(self, row: int) -> str | None:
        """The caption, read now where captions were not read yet."""
        if self.captions is not None:
            return self.captions[row]
        return read_caption_text(caption_path_for(self.path(row)))


def scan(project: Project, before: Listing | None = None) -> Listing:
    """List the project's folders; what `before` knows of unchanged files is taken over.

    Raises: DatasetError: the folder is not there (any more) or cannot be read.
    """
    images, captions = _folder(project.images)
    aside, aside_captions = _folder(project.rejected, needed=False)
    names = _ordered(images, before.names[:before.kept] if before else [])
    put_aside = _ordered(aside, before.names[before.kept:] if before else [])
    reasons = {item.path.name: item.reason for item in rejected_images(project)} if put_aside else {}
    marks = [images[name] for name in names] + [aside[name] for name in put_aside]
    listing = Listing(project, names + put_aside, marks, len(names), reasons)
    listing.caption_marks = [captions.get(_caption_name(name), NO_FILE) for name in names]
    listing.caption_marks += [aside_captions.get(_caption_name(name), NO_FILE) for name in put_aside]
    _take_over(listing, before)
    return listing


def read_captions(listing: Listing, before: Listing | None = None) -> Listing:
    """Fill the column of captions; those that did not change since `before` are not read again."""
    known: Mapping[str, tuple[Mark, str | None]] = {}
    if before is not None and before.captions is not None:
        known = {before.key(row): (before.caption_marks[row], before.captions[row]) for row in range(len(before))}
    captions: list[str | None] = []
    for row, mark in enumerate(listing.caption_marks):
        kept = known.get(listing.key(row)) if known else None
        if mark == NO_FILE:
            captions.append(None)
        elif kept is not None and kept[0] == mark:
            captions.append(kept[1])
        else:
            captions.append(read_caption_text(caption_path_for(listing.path(row))))
    listing.captions = captions
    return listing


def find_sizes(listing: Listing, rows: Iterable[int] | None = None) -> Listing:
    """Fill width and height where they are not known: from the index, else from the file's header."""
    rows = range(len(listing)) if rows is None else rows
    unknown = [row for row in rows if not listing.widths[row]]
    if not unknown:
        return listing
    with Index(listing.project.hidden / "index.sqlite") as index:
        images = index.images()
    for row in unknown:
        known = images.get(listing.names[row]) if row < listing.kept else None
        if known is not None and (known.mtime_ns, known.size) == listing.marks[row]:
            listing.widths[row], listing.heights[row] = known.width or -1, known.height or -1
            continue
        try:
            facts = inspect_image(listing.path(row))
        except DatasetError:
            listing.widths[row] = listing.heights[row] = -1
        else:
            listing.widths[row], listing.heights[row] = facts.width, facts.height
    return listing


def remember(listing: Listing) -> None:
    """Keep names, order and marks in a cache file, so that the next session shows its first pictures without listing the folder."""
    head = {"kept": listing.kept, "count": len(listing), "reasons": listing.reasons}
    columns = [array("q", [mark[place] for mark in marks]) for marks in (listing.marks, listing.caption_marks) for place in (0, 1)]
    if not listing.project.images.is_dir():
        return  # its drive went away: nothing is made in its place
    names = "\0".join(listing.names).encode("utf-8", "surrogateescape")
    with contextlib.suppress(OSError, DiskError), atomic_write(listing.project.hidden / LISTING_FILE) as file:
        file.write(json.dumps(head).encode("utf-8") + b"\n")
        for column in (*columns, listing.widths, listing.heights):
            file.write(column.tobytes())
        file.write(names)


def remembered(project: Project) -> Listing | None:
    """The listing that was kept; None where there is none. It may be out of date: `scan(project, it)` follows."""
    try:
        data = memoryview((project.hidden / LISTING_FILE).read_bytes())
        end = bytes(data[:200_000]).index(b"\n")
        head = json.loads(bytes(data[:end]))
        count, place = int(head["count"]), end + 1
        columns: list[array[int]] = []
        for kind, width in (*[("q", 8)] * 4, *[("i", 4)] * 2):
            column = array(kind)
            column.frombytes(data[place:place + count * width])
            if len(column) != count:
                return None
            columns.append(column)
            place += count * width
        text = bytes(data[place:]).decode("utf-8", "surrogateescape")
        names = text.split("\0") if count else []
        if len(names) != count:
            return None
        marks, caption_marks = list(zip(columns[0], columns[1], strict=True)), list(zip(columns[2], columns[3], strict=True))
        return Listing(project, names, marks, int(head["kept"]), dict(head["reasons"]), caption_marks, None, columns[4], columns[5])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _folder(place: Path, needed: bool = True) -> tuple[dict[str, Mark], dict[str, Mark]]:
    """Marks of a folder's images and captions, by name."""
    images: dict[str, Mark] = {}
    captions: dict[str, Mark] = {}
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                ending = name[name.rfind("."):].lower()
                found = images if ending in IMAGE_SUFFIXES else captions if ending == CAPTION_EXTENSION else None
                if found is not None:
                    found[name] = _mark(entry)
    except FileNotFoundError as error:
        if needed:
            raise DatasetError(f"The folder {place} does not exist.", "Check the path, and that its drive is connected.") from error
        return {}, {}
    except OSError as error:
        raise DatasetError(f"{place} cannot be read ({error.strerror or type(error).__name__}).",
                           "Check its rights, and that its drive is connected.") from error
    return images, captions


def _mark(entry: os.DirEntry[str]) -> Mark:
    try:
        facts = entry.stat()
    except OSError:
        return (0, 0)  # a link that leads nowhere: listed, as an image that cannot be read
    return facts.st_mtime_ns, facts.st_size


def _ordered(found: Mapping[str, Mark], before: list[str]) -> list[str]:
    """Names in natural order; where nothing came, the order that is known is kept without sorting anew."""
    order = [name for name in before if name in found]
    if len(order) == len(found):
        return order
    return sorted(found, key=lambda name: natural_key(Path(name)))


def _caption_name(name: str) -> str:
    return name[:name.rfind(".")] + CAPTION_EXTENSION


def _take_over(listing: Listing, before: Listing | None) -> None:
    count = len(listing)
    listing.widths, listing.heights = array("i", bytes(4 * count)), array("i", bytes(4 * count))
    if before is None or not len(before.widths):
        return
    if listing.names == before.names and listing.marks == before.marks and listing.kept == before.kept:
        listing.widths, listing.heights = before.widths, before.heights
        return
    known = {before.key(row): row for row in range(len(before)) if before.widths[row]}
    for row in range(count):
        old = known.get(listing.key(row))
        if old is not None and before.marks[old] == listing.marks[row]:
            listing.widths[row], listing.heights[row] = before.widths[old], before.heights[old]


def tag_counts(listing: Listing, most: int = 3000) -> list[tuple[str, int]]:
    """The tags of the set with how often they are used, the most frequent first; for completion while a person types.

    One spelling stands for each tag, the usual one. Args: listing: its captions must be read.
    """
    captions = (listing.captions or [])[:listing.kept]
    counts = tag_frequencies({name: caption for name, caption in zip(listing.names, captions, strict=False) if caption})
    return sorted(((counts.shown(key), count) for key, count in counts.items()), key=lambda pair: (-pair[1], pair[0]))[:most]
