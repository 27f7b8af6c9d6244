"""Filling a hole from around it, without a model: the smoothest surface that continues colours and slopes (biharmonic)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from core.base.errors import require
from core.dataset.images.inpainting.painter import Painter, Wish

if TYPE_CHECKING:
    from core.dataset.images.inpainting.painter import Hole, Pixels

MOST = 40_000
"""Pixels of holes that are solved for at once (0.6 s on one core); where there are more, the piece is made smaller, for nothing fine
comes of it anyway."""


class Smooth(Painter):
    """The painter."""

    def scale(self, size: tuple[int, int], area: int) -> float:
        """Smaller where the holes are large."""
        return min(1.0, math.sqrt(MOST / max(1, area)))

    def fill(self, pixels: Pixels, hole: Hole, wish: Wish) -> Pixels:
        """Raises: MissingDependency."""
        return smoothly(pixels, hole)


def smoothly(pixels: Pixels, hole: Hole) -> Pixels:
    """Colours and their slopes go on into the holes. Source: skimage.restoration.inpaint_biharmonic. Raises: MissingDependency."""
    import numpy

    restoration = require("skimage.restoration", needed_for="Inpainting without a model")
    if not hole.any():
        return pixels.copy()
    filled = restoration.inpaint_biharmonic(pixels / 255, hole, channel_axis=-1)
    return numpy.where(hole[..., None], numpy.rint(filled.clip(0, 1) * 255), pixels).astype(numpy.uint8)
