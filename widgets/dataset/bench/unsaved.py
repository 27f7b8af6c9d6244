"""What was tried and neither saved nor discarded: kept while other pictures and tabs are looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.dataset.images.working import Tried

MOST_BYTES = 512 * 1024**2
"""Of results in memory; above it the oldest are let go."""


class Unsaved:
    """Results by picture and tab."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[Tried, ...]] = OrderedDict()

    def keep(self, image_id: str, tab: str, found: Sequence[Tried]) -> None:
        """Remember the results of a try, in the place of the ones before."""
        self._kept.pop((image_id, tab), None)
        self._kept[image_id, tab] = tuple(found)
        while len(self._kept) > 1 and sum(map(_size_of, self._kept.values())) > MOST_BYTES:
            self._kept.popitem(last=False)

    def of(self, image_id: str, tab: str) -> tuple[Tried, ...]:
        """The results of the last try; none: there was none, or it was saved or discarded."""
        return self._kept.get((image_id, tab), ())

    def forget(self, image_id: str = "", tab: str = "") -> None:
        """It was saved or discarded. Args: none: everything."""
        if image_id:
            self._kept.pop((image_id, tab), None)
        else:
            self._kept.clear()


def _size_of(found: Sequence[Tried]) -> int:
    return sum(len(file.encoded.data) for tried in found for file in tried.files)
