"""Boxes: how far they overlap, which of many stand for one thing, and what of them lies in the picture.

Many boxes are an array (n, 4), float: left, top, right, bottom in pixels. Nothing here changes its arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy

    Boxes = numpy.ndarray[tuple[int, int], numpy.dtype[numpy.float64]]

SAME = 0.45
"""Overlap from which two boxes stand for one thing."""


def overlaps(one: Boxes, other: Boxes) -> numpy.ndarray:
    """(n, 4), (m, 4) → (n, m): area of what both cover by the area of what either covers, 0 to 1; an empty box overlaps with nothing."""
    both = _common(one, other)
    return _by(both, areas(one)[:, None] + areas(other)[None, :] - both)


def shared(one: Boxes, other: Boxes) -> numpy.ndarray:
    """(n, 4), (m, 4) → (n, m): area of what both cover by the area of the smaller, 0 to 1."""
    import numpy

    return _by(_common(one, other), numpy.minimum(areas(one)[:, None], areas(other)[None, :]))


def areas(boxes: Boxes) -> numpy.ndarray:
    """(n, 4) → (n,), square pixels."""
    import numpy

    return numpy.prod(numpy.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)


def strongest(boxes: Boxes, scores: numpy.ndarray, same: float = SAME, most: int = 300, contained: bool = False) -> list[int]:
    """Which boxes are left when each takes away those that overlap with it and are less sure (non-maximum suppression).

    Args:
        same: overlap above which they are one thing.
        most: so many are left at most.
        contained: whether a box that lies within the other by more than that is the same thing too.

    Returns: their places, the surest first.
    """
    import numpy

    measure = shared if contained else overlaps
    left = numpy.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(left) and len(kept) < most:
        kept.append(int(left[0]))
        left = left[1:][measure(boxes[left[:1]], boxes[left[1:]])[0] <= same]
    return kept


def gathered(boxes: Boxes, same: float = SAME) -> list[tuple[numpy.ndarray, int]]:
    """Boxes that many looks at one thing gave: the middle of each heap and how many lay in it, the largest heap first."""
    import numpy

    near = overlaps(boxes, boxes) > same
    free = numpy.ones(len(boxes), dtype=bool)
    heaps: list[tuple[numpy.ndarray, int]] = []
    while free.any():
        votes = (near & free).sum(axis=1) * free
        heap = near[int(votes.argmax())] & free
        heaps.append((boxes[heap].mean(axis=0), int(heap.sum())))
        free &= ~heap
    return heaps


def within(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """What of each box lies in the picture. Args: size: width and height, px."""
    import numpy

    return numpy.clip(boxes, 0, numpy.array([*size, *size], dtype=float))


def _common(one: Boxes, other: Boxes) -> numpy.ndarray:
    """(n, m): area of what both cover."""
    import numpy

    begin = numpy.maximum(one[:, None, :2], other[None, :, :2])
    end = numpy.minimum(one[:, None, 2:], other[None, :, 2:])
    return numpy.asarray(numpy.prod(numpy.clip(end - begin, 0, None), axis=2))


def _by(part: numpy.ndarray, whole: numpy.ndarray) -> numpy.ndarray:
    """Quotient; 0 where there is nothing to divide by."""
    import numpy

    return numpy.where(whole > 0, part / numpy.where(whole > 0, whole, 1), 0.0)
