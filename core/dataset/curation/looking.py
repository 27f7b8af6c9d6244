"""Each picture looked at once: fingerprints and measures, kept in a store, so that groups and cuts need no picture any more."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from core.base.errors import StudioError
from core.base.progress import SILENT, Progress
from core.dataset.curation.hashes import Fingerprint, fingerprint
from core.dataset.curation.measures import Measures, measure
from core.dataset.curation.store import Store
from core.dataset.images.opening import open_image, over_white
from core.dataset.index import Index
from core.dataset.items import ImageItem, Skipped, is_unchanged
from core.dataset.parallel import bounded_map

if TYPE_CHECKING:
    import numpy

KIND = "look-1"
"""Names what is kept in the store; another number when anything in it is worked out in another way."""
FORMAT = struct.Struct("<16s4Q4f")
KEEP_EVERY = 64
"""Pictures after which what was found out is kept."""


class Look(NamedTuple):
    """What one decoding of a picture tells."""

    print: Fingerprint
    measures: Measures

    def packed(self) -> bytes:
        """For the store."""
        return FORMAT.pack(*self.print, *self.measures)


@dataclass
class Looks:
    """Pictures in the order of the list, each with what was found out, as columns."""

    items: list[ImageItem] = field(default_factory=list)
    table: numpy.ndarray | None = None
    """Columns `pixels` (16 bytes), the names of `Fingerprint` (uint64) and of `Measures` (float32); one row an item."""
    skipped: list[Skipped] = field(default_factory=list)
    """Pictures that cannot be opened, with the reason."""
    unknown: int = 0
    """Pictures that were not looked at yet (only when nothing was to be opened)."""

    def __len__(self) -> int:
        return len(self.items)

    def column(self, name: str) -> numpy.ndarray:
        """One column. Raises: KeyError: it has no such column."""
        assert self.table is not None
        if name not in (self.table.dtype.names or ()):
            raise KeyError(name)
        return self.table[name]


def look_at(items: Sequence[ImageItem], store: Store, index: Index, progress: Progress = SILENT, stored_only: bool = False) -> Looks:
    """What is known of the pictures; those that are not known yet are decoded, several at once, each exactly once.

    Args:
        index: is told which pictures decode to their end, so that the check of the dataset need not do it again.
        stored_only: open nothing; what is not known is counted in `unknown`.
    Raises: Cancelled: what was found out so far is kept in the store.
    """
    known = store.find(KIND, [item.sha256 for item in items if item.sha256])
    known = {sha: data for sha, data in known.items() if len(data) == FORMAT.size}
    fresh = [item for item in _first_of_each(items) if item.sha256 not in known]
    looks = Looks()
    if not stored_only:
        known.update(_look(fresh, store, index, looks, progress))
    unreadable = {skipped.name for skipped in looks.skipped}
    for item in items:
        if _key(item) in known and item.name not in unreadable:
            looks.items.append(item)
        elif stored_only:
            looks.unknown += 1
        elif item.name not in unreadable:
            looks.skipped.append(Skipped(item.name, "It has the same content as another picture that cannot be opened."))
    looks.table = as_table(known[_key(item)] for item in looks.items)
    return looks


def as_table(rows: Iterable[bytes]) -> numpy.ndarray:
    """Packed looks as a structured array, one row each."""
    import numpy

    fields = [("pixels", "S16"), *((name, "<u8") for name in Fingerprint._fields[1:]), *((name, "<f4") for name in Measures._fields)]
    fields[0] = ("pixels", "V16")  # bytes as they are: "S" would drop zeros at the end
    return numpy.frombuffer(b"".join(rows), dtype=numpy.dtype(fields))


def look(item: ImageItem) -> Look:
    """Decode one picture whole. Raises: DatasetError: it cannot be opened, is damaged or far too large."""
    picture = open_image(item.path).image
    plain = over_white(picture)
    return Look(fingerprint(picture, plain), measure(plain))


def _look(fresh: Sequence[ImageItem], store: Store, index: Index, looks: Looks, progress: Progress) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    unkept: dict[str, bytes] = {}
    if fresh:
        progress.start("Looking at the pictures", len(fresh))
    try:
        with closing(bounded_map(look, fresh)) as results:
            for item, result in results:
                if isinstance(result, StudioError):
                    looks.skipped.append(Skipped(item.name, result.message))
                else:
                    found[_key(item)] = result.packed()
                    if is_unchanged(item):
                        unkept[item.sha256] = found[_key(item)]
                if len(unkept) >= KEEP_EVERY:
                    unkept = _keep(store, index, unkept)
                progress.advance(item.name)
    finally:
        _keep(store, index, unkept)
    return found


def _keep(store: Store, index: Index, found: dict[str, bytes]) -> dict[str, bytes]:
    store.remember(KIND, found)
    index.remember_whole(found)
    return {}


def _key(item: ImageItem) -> str:
    """Content, or the name where the content could not be hashed."""
    return item.sha256 or f"name:{item.name}"


def _first_of_each(items: Sequence[ImageItem]) -> list[ImageItem]:
    return list({_key(item): item for item in reversed(items)}.values())[::-1]
