"""A mask brought into shape: hard or soft, its largest part, without holes, inverted, grown, softened."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from core.dataset.images.masks import feather, grow, harden, invert
from core.dataset.images.segmenting.settings import ShapeSettings

if TYPE_CHECKING:
    from core.dataset.images.masks import Mask


def shaped(mask: Mask, settings: ShapeSettings) -> Mask:
    """In the order of the settings. Returns: a new mask."""
    made = harden(mask, math.ceil(settings.threshold * 255 / 100)) if settings.edge == "hard" else mask.copy()
    made = largest_part(made) if settings.largest else made
    made = filled(made) if settings.holes else made
    made = invert(made) if settings.invert else made
    made = grow(made, round(pixels(settings.grow, settings.unit, made)))
    return feather(made, pixels(settings.feather, settings.unit, made))


def pixels(length: float, unit: Literal["px", "percent"], mask: Mask) -> float:
    """A length in pixels; percent are of the longer side."""
    return length if unit == "px" else length * max(mask.shape) / 100


def largest_part(mask: Mask) -> Mask:
    """What hangs together with the most pixels that count by half or more (8 neighbours); soft edges stay with their part."""
    import numpy
    from scipy import ndimage

    parts, count = ndimage.label(mask > 0, structure=numpy.ones((3, 3)))
    if count < 2:
        return mask.copy()
    weights = numpy.bincount(parts.ravel(), weights=(mask >= 128).ravel(), minlength=count + 1)
    return numpy.where(parts == 1 + int(weights[1:].argmax()), mask, 0).astype(numpy.uint8)


def filled(mask: Mask) -> Mask:
    """What is surrounded by what counts by half or more counts wholly (4 neighbours: a hole does not leak through a corner)."""
    import numpy
    from scipy import ndimage

    within = ndimage.binary_fill_holes(mask >= 128) & (mask < 128)
    return numpy.where(within, 255, mask).astype(numpy.uint8)
