"""Masks: what counts of a picture. White (255) counts, black (0) does not, grey counts in part.

A mask is an array of the picture's size, shape (height, width), uint8. Nothing here changes its argument.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.base.errors import DatasetError
from core.dataset.images.opening import open_image

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

    Mask = numpy.ndarray[tuple[int, int], numpy.dtype[numpy.uint8]]

Point = tuple[float, float]
"""x, y in pixels of the picture; 0, 0 is its upper left corner."""
Place = Literal["top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"]
SMOOTH = 4
"""So many times larger is drawn what is then made smaller, so that slanted edges are not jagged."""
BY_DISTANCE = 6
"""Pixels from which on hard masks are grown by distances, which takes as long for any radius."""
MOST_DRAWN = 40_000_000
"""Pixels above which shapes are drawn at their own size."""


def empty_mask(size: tuple[int, int], value: int = 0) -> Mask:
    """A mask of one value. Args: size: width and height, px."""
    import numpy

    return numpy.full((size[1], size[0]), value, dtype=numpy.uint8)


def read_mask(source: Path | bytes, size: tuple[int, int]) -> Mask:
    """A mask file, brought to the size of its picture; where it is transparent nothing counts.

    Args: source: the file, or what it holds. size: width and height of the picture, px.
    Raises: DatasetError: missing, no image, or of other proportions than the picture.
    """
    import numpy
    from PIL import Image

    image = open_image(source).image
    if not fits_picture(image.size, size):
        called = source.name if isinstance(source, Path) else "The mask"
        raise DatasetError(f"{called} has {image.width} x {image.height} pixels, its picture {size[0]} x {size[1]}.",
                           "A mask must have the proportions of its picture: draw it anew.")
    grey = image.convert("L")
    if image.mode == "RGBA":
        grey = Image.composite(grey, Image.new("L", grey.size), image.getchannel("A"))
    if grey.size != size:
        grey = grey.resize(size, Image.Resampling.BILINEAR)
    return numpy.array(grey)


def fits_picture(mask: tuple[int, int], picture: tuple[int, int]) -> bool:
    """Whether both sizes have the same proportions, within a pixel."""
    return abs(mask[0] * picture[1] - mask[1] * picture[0]) <= max(*picture, *mask)


def harden(mask: Mask, threshold: int = 128) -> Mask:
    """Counts wholly from the threshold on (1 to 255), else not at all."""
    import numpy

    return numpy.where(mask >= threshold, 255, 0).astype(numpy.uint8)


def invert(mask: Mask) -> Mask:
    """What did not count counts."""
    import numpy

    return numpy.subtract(255, mask, dtype=numpy.uint8)


def grow(mask: Mask, pixels: int) -> Mask:
    """Every edge moved outwards by so many pixels, by a disc (grey stays grey); below 0: inwards. The picture's own border is no edge."""
    if pixels < 0:
        return invert(_grown(invert(mask), -pixels))
    return _grown(mask, pixels) if pixels else mask.copy()


def feather(mask: Mask, pixels: float) -> Mask:
    """Edges made soft: a Gaussian whose deviation is a third of `pixels`, so that the step is about twice as wide."""
    import numpy
    from PIL import Image, ImageFilter

    if pixels <= 0:
        return mask.copy()
    return numpy.array(Image.fromarray(mask).filter(ImageFilter.GaussianBlur(pixels / 3)))


def combine(one: Mask, other: Mask, how: Literal["add", "subtract", "intersect"]) -> Mask:
    """What counts in either, in the first and not in the other, or in both; soft edges stay soft.

    Raises: DatasetError: they are of different sizes.
    """
    import numpy

    if one.shape != other.shape:
        raise DatasetError(f"One mask has {one.shape[1]} x {one.shape[0]} pixels, the other {other.shape[1]} x {other.shape[0]}.",
                           "Both must be of the picture's size.")
    if how == "add":
        return numpy.maximum(one, other)
    return numpy.minimum(one, other if how == "intersect" else invert(other))


def rectangle(size: tuple[int, int], first: Point, second: Point) -> Mask:
    """Between two opposite corners, whichever they are; a pixel at the edge counts by how much of it is covered. Args: size: as
    `empty_mask`."""
    import numpy

    def covered(length: int, begin: float, end: float) -> numpy.ndarray[tuple[int], numpy.dtype[numpy.float64]]:
        places = numpy.arange(length)
        return numpy.clip(numpy.minimum(places + 1, end) - numpy.maximum(places, begin), 0.0, 1.0)

    (left, right), (top, bottom) = sorted((first[0], second[0])), sorted((first[1], second[1]))
    return numpy.rint(255 * numpy.outer(covered(size[1], top, bottom), covered(size[0], left, right))).astype(numpy.uint8)


def polygon(size: tuple[int, int], points: Sequence[Point]) -> Mask:
    """Inside of a line that closes by itself; empty for fewer than three points. Args: size: as `empty_mask`."""
    import numpy
    from PIL import Image, ImageDraw

    if len(points) < 3:
        return empty_mask(size)
    scale = _scale(size)
    canvas = Image.new("L", (size[0] * scale, size[1] * scale))
    ImageDraw.Draw(canvas).polygon([(x * scale - 0.5, y * scale - 0.5) for x, y in points], fill=255)
    return numpy.array(canvas.reduce(scale) if scale > 1 else canvas)


def stroke(size: tuple[int, int], points: Sequence[Point], width: float) -> Mask:
    """What a round brush touches on its way; a dot for a single point. Args: size: as `empty_mask`. width: of the brush, px."""
    import numpy
    from PIL import Image, ImageDraw

    scale = _scale(size)
    canvas = Image.new("L", (size[0] * scale, size[1] * scale))
    draw, radius = ImageDraw.Draw(canvas), width * scale / 2
    line = [(x * scale, y * scale) for x, y in points]
    if len(line) > 1:
        draw.line(line, fill=255, width=max(1, round(2 * radius)), joint="curve")
    for x, y in line:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return numpy.array(canvas.reduce(scale) if scale > 1 else canvas)


def at_place(size: tuple[int, int], place: Place, width: float, height: float) -> Mask:
    """A rectangle where watermarks usually stand.

    Args: size: as `empty_mask`. width, height: of the rectangle, percent of the picture's.
    """
    wide, tall = size[0] * width / 100, size[1] * height / 100
    left = 0.0 if "left" in place else size[0] - wide if "right" in place else (size[0] - wide) / 2
    top = 0.0 if "top" in place else size[1] - tall if "bottom" in place else (size[1] - tall) / 2
    return rectangle(size, (left, top), (left + wide, top + tall))


def share(mask: Mask) -> float:
    """How much of the picture counts, 0 to 1."""
    return float(mask.mean()) / 255 if mask.size else 0.0


def transparency(image: Picture) -> Mask | None:
    """What is seen of a picture; None: it is nowhere transparent."""
    import numpy

    if image.mode != "RGBA" or image.getchannel("A").getextrema() == (255, 255):
        return None
    return numpy.array(image.getchannel("A"))


def with_alpha(image: Picture, mask: Mask) -> Picture:
    """RGBA: what does not count is transparent, over what was transparent before. Args: image: RGB or RGBA. Raises: DatasetError."""
    import numpy
    from PIL import Image

    if image.size != mask.shape[::-1]:
        raise DatasetError(f"The mask has {mask.shape[1]} x {mask.shape[0]} pixels, the picture {image.width} x {image.height}.",
                           "Both must be of one size.")
    alpha = mask if image.mode != "RGBA" else numpy.minimum(mask, numpy.array(image.getchannel("A")))
    picture = image.convert("RGB")
    picture.putalpha(Image.fromarray(alpha))
    return picture


def _scale(size: tuple[int, int]) -> int:
    return SMOOTH if size[0] * size[1] * SMOOTH * SMOOTH <= MOST_DRAWN else 1


def _grown(mask: Mask, radius: int) -> Mask:
    """The largest value within a disc: for each row of the disc a running maximum, whose windows grow from row to row."""
    import numpy

    if radius >= BY_DISTANCE and not ((mask > 0) & (mask < 255)).any():
        return _grown_hard(mask, radius)
    height = mask.shape[0]
    grown = mask.copy()
    for up in range(min(radius, height - 1), -1, -1):
        row = _running_maximum(mask, int(math.sqrt((radius + 0.5) ** 2 - up * up)))
        numpy.maximum(grown[: height - up], row[up:], out=grown[: height - up])
        numpy.maximum(grown[up:], row[: height - up], out=grown[up:])
    return grown


def _grown_hard(mask: Mask, radius: int) -> Mask:
    """The same of a mask that is 0 or 255: what lies so near to it. The disc is that of all whole steps up to half a pixel further."""
    import numpy
    from scipy import ndimage

    if not mask.any():
        return mask.copy()
    rows, columns = numpy.flatnonzero(mask.any(axis=1)), numpy.flatnonzero(mask.any(axis=0))
    top, bottom = max(0, rows[0] - radius), rows[-1] + radius + 1
    left, right = max(0, columns[0] - radius), columns[-1] + radius + 1
    grown = numpy.zeros_like(mask)
    near = ndimage.distance_transform_edt(mask[top:bottom, left:right] == 0) <= radius + 0.5
    grown[top:bottom, left:right][near] = 255
    return grown


def _running_maximum(mask: Mask, reach: int) -> Mask:
    """The largest value of so many to the left and to the right; windows are doubled until they are wide enough."""
    import numpy

    reach = min(reach, mask.shape[1] - 1)
    if reach < 1:
        return mask
    padded = numpy.pad(mask, ((0, 0), (reach, reach)))
    window, wanted = 1, 2 * reach + 1
    while window < wanted:
        step = min(window, wanted - window)
        padded = numpy.maximum(padded[:, : padded.shape[1] - step], padded[:, step:])
        window += step
    return padded
