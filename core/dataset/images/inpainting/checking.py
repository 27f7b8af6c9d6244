"""Whether what a model gave for a piece is a picture at all, and whether it fits to what lies around the hole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.base.errors import require

if TYPE_CHECKING:
    from core.dataset.images.inpainting.painter import Hole, Pixels

RING = 16
"""Pixels around a hole that are held against the picture."""
LEAST_SSIM = 0.35
"""Structural similarity below which the surroundings are another picture; a VAE alone leaves more than twice of it."""
SEAM = 24.0
"""Levels of 255 by which colours around may have moved before the edge is seen."""
DARK = 4
"""Levels of 255: a filling that is nowhere lighter is black."""


@dataclass(frozen=True)
class Likeness:
    """How what the model gave just outside of a hole is like the picture."""

    psnr: float
    """dB; infinite: the same."""
    ssim: float
    """-1 to 1; 1: the same."""
    moved: float
    """Levels of 255 by which the mean colour differs, in the channel where it differs most."""

    def trouble(self, least_psnr: float) -> str:
        """Why it does not fit; empty: it does. Args: least_psnr: dB; 0: it is not asked."""
        if not least_psnr:
            return ""
        if self.psnr < least_psnr:
            return f"around the mark it was unlike the picture ({self.psnr:.0f} dB, {least_psnr:g} are wanted)"
        if self.ssim < LEAST_SSIM:
            return f"around the mark it was another picture (SSIM {self.ssim:.2f}, {LEAST_SSIM:g} is wanted)"
        return f"around the mark its colours had moved by {self.moved:.0f} of 255, which is seen as an edge" if self.moved > SEAM else ""


def likeness(pixels: Pixels, painted: Pixels, hole: Hole) -> Likeness:
    """In a ring around the hole. Source: skimage.metrics."""
    import numpy

    metrics = require("skimage.metrics", needed_for="Holding a result against its picture")
    ring = ring_of(hole)
    if not ring.any():
        return Likeness(math.inf, 1.0, 0.0)
    before, after = pixels[ring].astype(float), painted[ring].astype(float)
    error = float(numpy.mean((before - after) ** 2))
    psnr = 10 * math.log10(255**2 / error) if error else math.inf
    moved = float(numpy.abs(before.mean(axis=0) - after.mean(axis=0)).max())
    if min(hole.shape) < 7:
        return Likeness(psnr, 1.0, moved)
    _, every = metrics.structural_similarity(pixels, painted, channel_axis=-1, full=True)
    return Likeness(psnr, float(every[ring].mean()), moved)


def is_black(pixels: Pixels, painted: Pixels, hole: Hole) -> bool:
    """Whether a hole was filled with black though the picture around is not: what a model that failed gives."""
    ring = ring_of(hole)
    return bool(painted[hole].max(initial=0) <= DARK and ring.any() and pixels[ring].mean() > 4 * DARK)


def ring_of(hole: Hole) -> Hole:
    """What lies just outside of the holes."""
    from scipy import ndimage

    return ndimage.binary_dilation(hole, iterations=RING) & ~hole
