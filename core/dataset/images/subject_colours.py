"""The subject's own colour at its soft edge, where the background's shines through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.dataset.images.masks import Mask

WIDE, NEAR = 45, 3
"""Reach of the two looks around each pixel, px; those of the paper, whose windows are 90 and 6."""
CERTAIN = 0.98
"""Share from which a pixel is the subject's alone, or the background's."""
TILE = 1024
"""Side of the squares in which a picture is worked on, px: it bounds the memory."""


def subject_colours(colours: Any, alpha: Mask) -> Any:
    """The subject's own colour where it is mixed with the background's; all other pixels stay as they are.

    Each mixed pixel is I = a F + (1 - a) B. F and B are first taken from the pixels around it that are wholly the one or the other, then
    changed as little as makes the sum right; a second look takes the means of what was found nearby. Source: the two looks of Forte,
    Pitié: Approximate Fast Foreground Colour Estimation (ICIP 2021); theirs begins with all pixels and corrects F alone.

    Args: colours: (h, w, 3) uint8. Returns: the same.
    """
    import numpy

    made = colours.copy()
    soft = (alpha > 0) & (alpha < 255)
    reach = WIDE + NEAR + 1
    for top in range(0, alpha.shape[0], TILE):
        for left in range(0, alpha.shape[1], TILE):
            tile = numpy.s_[top:top + TILE, left:left + TILE]
            if not soft[tile].any():
                continue
            y, x = max(0, top - reach), max(0, left - reach)
            wide = numpy.s_[y:top + TILE + reach, x:left + TILE + reach]
            found = _unmixed(colours[wide].astype(numpy.float32), alpha[wide].astype(numpy.float32)[..., None] / 255)
            inner = found[top - y:, left - x:][:soft[tile].shape[0], :soft[tile].shape[1]]
            made[tile][soft[tile]] = numpy.rint(inner[soft[tile]]).astype(numpy.uint8)
    return made


def _unmixed(mixed: Any, share: Any) -> Any:
    """Args: mixed: (h, w, 3) float32, 0 to 255. share: (h, w, 1), 0 to 1. Returns: the subject's colours."""
    import numpy

    sure, sure_not = (share >= CERTAIN).astype(numpy.float32), (share <= 1 - CERTAIN).astype(numpy.float32)
    subject, ground = _corrected(mixed, share, _mean(mixed, sure + 1e-3 * share, WIDE), _mean(mixed, sure_not + 1e-3 * (1 - share), WIDE))
    nearby = _mean(subject, share ** 2 + 1e-4, NEAR), _mean(ground, (1 - share) ** 2 + 1e-4, NEAR)
    return _corrected(mixed, share, *nearby)[0]


def _mean(values: Any, weights: Any, reach: int) -> Any:
    """Weighted means of the square around each pixel."""
    from scipy.ndimage import uniform_filter

    size = (2 * reach + 1, 2 * reach + 1, 1)
    return uniform_filter(values * weights, size=size, mode="nearest") / (uniform_filter(weights, size=size, mode="nearest") + 1e-9)


def _corrected(mixed: Any, share: Any, subject: Any, ground: Any) -> tuple[Any, Any]:
    """Both changed by least squares so that mixed they are what is seen."""
    missing = (mixed - share * subject - (1 - share) * ground) / (share ** 2 + (1 - share) ** 2)
    return (subject + share * missing).clip(0, 255), (ground + (1 - share) * missing).clip(0, 255)
