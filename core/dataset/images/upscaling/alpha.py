"""Colours under what is transparent: a network sees them, so they are those of the nearest pixel that is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy

    Pixels = numpy.ndarray[tuple[int, int, int], numpy.dtype[numpy.uint8]]


def bled(pixels: Pixels) -> Pixels | None:
    """(h, w, 4) → (h, w, 3) with the colours of the nearest pixels that are seen, where nothing is; None: nothing is seen at all."""
    import numpy
    from scipy import ndimage

    hidden = pixels[..., 3] == 0
    if not hidden.any():
        return numpy.ascontiguousarray(pixels[..., :3])
    if hidden.all():
        return None
    rows, columns = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
    filled: Pixels = pixels[rows, columns, :3]
    return filled
