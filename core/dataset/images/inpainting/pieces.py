"""Where the holes of a picture are, which piece of it is looked at for each, and bringing a piece to a model's size and back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy

    from core.dataset.images.inpainting.painter import Hole, Pixels

CELL = 16
"""Pixels of a cell; holes in neighbouring cells are one."""
Box = tuple[int, int, int, int]
"""Left, top, right, bottom, px; right and bottom lie outside."""


@dataclass(frozen=True)
class Piece:
    """A piece of a picture, and which of the holes in it are filled by it."""

    box: Box
    own: Hole
    """Of the box's size."""

    @property
    def place(self) -> tuple[slice, slice]:
        """The box as rows and columns."""
        left, top, right, bottom = self.box
        return slice(top, bottom), slice(left, right)


def find_pieces(hole: Hole, context: int, side: int, least: int) -> Iterator[Piece]:
    """One piece for holes that lie near each other, as long as it is no larger than `side`; a hole that is larger is one piece.

    Args: context: so much of the picture is around the holes. least: smallest side of a piece, where the picture is large enough.
    """
    import numpy
    from scipy import ndimage

    height, width = hole.shape
    rows, columns = -(-height // CELL), -(-width // CELL)
    padded = numpy.zeros((rows * CELL, columns * CELL), dtype=bool)
    padded[:height, :width] = hole
    cells = padded.reshape(rows, CELL, columns, CELL).any(axis=(1, 3))
    labels, _ = ndimage.label(cells, structure=numpy.ones((3, 3)))
    boxes = {number: _around(hole, labels, number, found) for number, found in enumerate(ndimage.find_objects(labels), 1)}
    for group in sorted(_groups(boxes, side - 2 * context), key=lambda group: _union([boxes[number] for number in group])[1::-1]):
        box = _widened(_union([boxes[number] for number in group]), context, least, (width, height))
        left, top, right, bottom = box
        near = labels[top // CELL: -(-bottom // CELL), left // CELL: -(-right // CELL)]
        mine = numpy.isin(near, group).repeat(CELL, 0).repeat(CELL, 1)[top % CELL:, left % CELL:][: bottom - top, : right - left]
        yield Piece(box, mine & hole[top:bottom, left:right])


def fitted(pixels: Pixels, hole: Hole, scale: float, multiple: int, least: int = 1) -> tuple[Pixels, Hole]:
    """A piece at a model's size: scaled, then mirrored on at its right and lower edge until the sides are multiples.

    Nothing of a hole runs into its surroundings, and no pixel of it is lost: what is covered by one in part counts wholly.
    Args: least: smallest side afterwards, px.
    """
    import numpy
    from PIL import Image
    from scipy import ndimage

    height, width = hole.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size != (width, height):
        known = numpy.where(hole, 0, 255).astype(numpy.uint8)
        hole = numpy.array(Image.fromarray(known).resize(size, Image.Resampling.BOX)) < 255
        around = numpy.array(Image.fromarray(numpy.dstack([pixels, known])).resize(size, Image.Resampling.HAMMING))
        sharp = numpy.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
        near = ndimage.binary_dilation(hole, iterations=math.ceil(3 * max(1.0, scale))) if hole.any() else hole  # Lanczos reaches so far
        pixels = numpy.where((near & (around[..., 3] > 0))[..., None], around[..., :3], sharp)
    wide, tall = (-(-max(length, least) // multiple) * multiple - length for length in size)
    return (numpy.pad(pixels, ((0, tall), (0, wide), (0, 0)), mode="symmetric"),
            numpy.pad(hole, ((0, tall), (0, wide)), mode="symmetric"))


def unfitted(pixels: Pixels, size: tuple[int, int], scale: float) -> Pixels:
    """What came of it, at the piece's own size. Args: size: width, height of the piece."""
    import numpy
    from PIL import Image

    width, height = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    cut = pixels[:height, :width]
    return cut if (width, height) == size else numpy.array(Image.fromarray(cut).resize(size, Image.Resampling.LANCZOS))


def soft_edge(hole: Hole, feather: int) -> numpy.ndarray[tuple[int, int], numpy.dtype[numpy.float32]]:
    """How much of what is new is seen: 0 outside of the hole, rising from its edge to 1 at `feather` px inside, in thin ones sooner."""
    import numpy
    from scipy import ndimage

    if not feather or hole.all():
        return hole.astype(numpy.float32)
    inside = ndimage.distance_transform_edt(hole).astype(numpy.float32)
    labels, count = ndimage.label(hole, structure=numpy.ones((3, 3)))
    deepest = numpy.concatenate([[1], ndimage.maximum(inside, labels, numpy.arange(1, count + 1))]) if count else numpy.ones(1)
    return numpy.clip(inside / numpy.minimum(feather + 1, deepest)[labels], 0, 1).astype(numpy.float32)


def laid_in(pixels: Pixels, new: Pixels, hole: Hole, feather: int) -> Pixels:
    """The picture with what is new in the hole; not one value outside of it changes."""
    import numpy

    share = soft_edge(hole, feather)[..., None]
    mixed = numpy.rint(pixels * (1 - share) + new * share).astype(numpy.uint8)
    return numpy.where(hole[..., None], mixed, pixels)


def _around(hole: Hole, labels: numpy.ndarray[tuple[int, int], numpy.dtype[numpy.int32]], number: int, found: tuple[slice, slice]) -> Box:
    """The pixels of one hole. Args: found: its cells."""
    import numpy

    rows, columns = found
    mine = (labels[rows, columns] == number).repeat(CELL, 0).repeat(CELL, 1)
    part = hole[rows.start * CELL: rows.stop * CELL, columns.start * CELL: columns.stop * CELL]
    down, across = numpy.nonzero(mine[: part.shape[0], : part.shape[1]] & part)
    left, top = columns.start * CELL, rows.start * CELL
    return left + int(across.min()), top + int(down.min()), left + int(across.max()) + 1, top + int(down.max()) + 1


def _groups(boxes: dict[int, Box], side: int) -> list[list[int]]:
    """Holes that fit into one piece, the largest first."""
    groups: list[tuple[Box, list[int]]] = []
    for number in sorted(boxes, key=lambda one: -_area(boxes[one])):
        for place, (box, members) in enumerate(groups):
            both = _union([box, boxes[number]])
            if both == box or max(both[2] - both[0], both[3] - both[1]) <= side:
                groups[place] = (both, [*members, number])
                break
        else:
            groups.append((boxes[number], [number]))
    return [members for _, members in groups]


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _union(boxes: list[Box]) -> Box:
    return min(one[0] for one in boxes), min(one[1] for one in boxes), max(one[2] for one in boxes), max(one[3] for one in boxes)


def _widened(box: Box, context: int, least: int, size: tuple[int, int]) -> Box:
    """With its context, inside of the picture."""
    sides = []
    for begin, end, length in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        wanted = min(length, max(end - begin + 2 * context, least))
        start = max(0, min(begin - (wanted - (end - begin)) // 2, length - wanted))
        sides.append((start, start + wanted))
    return sides[0][0], sides[1][0], sides[0][1], sides[1][1]
