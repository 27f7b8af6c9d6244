"""What of a picture's quality can be measured without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

LONGEST = 1024
"""Longest side of the copy that is measured, so that sharpness of pictures of different sizes can be compared."""
TILES = 8
PLAIN_STD = 2.5
"""Grey levels (of 255) below which the spread inside a tile is no content but noise."""
BAR_STD, BAR_STEP = 5.0, 16
"""A row of a bar: its levels spread less than the first; the row behind its end differs from it by more than the second."""


class Measures(NamedTuple):
    """Numbers of one picture."""

    sharpness: float
    """90th percentile over 8 x 8 tiles of the Laplacian's variance: the sharpest tenth counts, not the blurred background."""
    flat: float
    """Share of tiles without any content, 0 to 1."""
    bars: float
    """Share of the area that is uniform bars along the edges, 0 to 1."""
    colour: float
    """Colourfulness, 0 for black and white, about 15 slight, 45 ordinary, above 80 strong."""


def measure(picture: Picture) -> Measures:
    """Measure an RGB picture of any size."""
    import numpy
    from PIL import Image

    small = picture
    if max(picture.size) > LONGEST:
        small = picture.copy()
        small.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX, reducing_gap=2.0)
    pixels = numpy.asarray(small)
    grey = numpy.asarray(small.convert("L"), dtype=numpy.float32)
    return Measures(sharpness(grey), flat_share(grey), bar_share(pixels), colourfulness(pixels))


def sharpness(grey: numpy.ndarray) -> float:
    """90th percentile of the variance of the Laplacian (4 neighbours) in at most 8 x 8 tiles.

    Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000): variance of the Laplacian; by tiles, so that a
    portrait before a blurred background is sharp. Args: grey: (h, w), 0 to 255. 0 for pictures of fewer than 3 pixels a side.
    """
    import numpy

    if min(grey.shape) < 3:
        return 0.0
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(numpy.percentile(_tiled(laplacian).var(axis=(1, 3)), 90))


def flat_share(grey: numpy.ndarray) -> float:
    """Share of tiles whose grey levels spread less than `PLAIN_STD`. Args: grey: (h, w), 0 to 255."""
    return float((_tiled(grey).std(axis=(1, 3)) < PLAIN_STD).mean())


def colourfulness(pixels: numpy.ndarray) -> float:
    """Hasler and Süsstrunk, "Measuring colourfulness in natural images" (2003), their metric M3. Args: pixels: (h, w, 3) uint8 RGB."""
    import numpy

    step = max(1, max(pixels.shape[:2]) // 256)
    red, green, blue = (pixels[::step, ::step, channel].astype(numpy.float32) for channel in range(3))
    first, second = red - green, (red + green) / 2 - blue
    return float(numpy.hypot(first.std(), second.std()) + 0.3 * numpy.hypot(first.mean(), second.mean()))


def bar_share(pixels: numpy.ndarray) -> float:
    """Share of the area in bars of one colour along the edges, each ending in a straight edge (letterbox, pillarbox, frames).

    Args: pixels: (h, w, 3) uint8 RGB.
    """
    height, width = pixels.shape[:2]
    top, bottom = _bar(pixels), _bar(pixels[::-1])
    if top + bottom >= height:
        return 0.0
    inner = pixels[top:height - bottom].swapaxes(0, 1)
    left, right = _bar(inner), _bar(inner[::-1])
    return 1.0 - (height - top - bottom) * (width - left - right) / (height * width)


def _bar(rows: numpy.ndarray) -> int:
    """How many of the first rows are a bar; 0 where they fade into the picture, as a sky does."""
    import numpy

    count = len(rows)
    first = rows[0].astype(numpy.float32).mean(0)
    if rows[0].std(0).max() > BAR_STD:
        return 0
    end = 0
    while end < count:
        part = rows[end:end + 64].astype(numpy.float32)
        uniform = (part.std(1).max(1) <= BAR_STD) & (numpy.abs(part.mean(1) - first).max(1) <= BAR_STEP / 2)
        if not uniform.all():
            end += int(uniform.argmin())
            break
        end += len(part)
    if end >= count - 3 or end < max(2, round(0.012 * count)):
        return 0
    behind = numpy.abs(rows[end + 1:end + 3].astype(numpy.float32) - first).max(2)
    return end if float((behind > BAR_STEP).mean()) >= 0.5 else 0


def _tiled(values: numpy.ndarray) -> numpy.ndarray:
    """(h, w) → (tiles down, h of a tile, tiles across, w of a tile); what is left over at the right and below is cut off."""
    down, across = min(TILES, values.shape[0]), min(TILES, values.shape[1])
    height, width = values.shape[0] // down, values.shape[1] // across
    return values[:down * height, :across * width].reshape(down, height, across, width)
