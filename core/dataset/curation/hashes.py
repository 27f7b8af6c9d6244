"""Fingerprints of a picture: one of its exact pixels, and 64-bit hashes that stay alike when it is scaled, compressed or mirrored."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

SIDE = 32
"""Pixels a side of the grey copy that perceptual hashes are made of."""


class Fingerprint(NamedTuple):
    """What a picture is recognised by."""

    pixels: bytes
    """16 bytes of the BLAKE2b hash of size and decoded upright pixels."""
    phash: int
    """64 bits of low frequencies."""
    phash_mirrored: int
    """The same of the picture seen in a mirror."""
    dhash: int
    """64 bits: whether a place is brighter than the one to its right."""
    dhash_mirrored: int


def fingerprint(picture: Picture, plain: Picture) -> Fingerprint:
    """The fingerprint of an upright 8-bit picture.

    Args: picture: RGB or RGBA, as decoded. plain: the same in RGB, transparency over white; perceptual hashes are made of it.
    """
    grey = grey_copy(plain)
    mirrored = grey[:, ::-1]
    return Fingerprint(pixel_digest(picture), phash(grey), phash(mirrored), dhash(grey), dhash(mirrored))


def pixel_digest(picture: Picture) -> bytes:
    """16 bytes that two pictures share when each pixel is the same, whatever file they came from."""
    digest = hashlib.blake2b(f"{picture.mode} {picture.width} {picture.height} ".encode(), digest_size=16)
    rows = max(1, 2**22 // max(1, picture.width))
    for top in range(0, picture.height, rows):  # strip by strip: `tobytes` copies what it is given
        digest.update(picture.crop((0, top, picture.width, min(picture.height, top + rows))).tobytes())
    return digest.digest()


def grey_copy(picture: Picture) -> numpy.ndarray:
    """RGB picture → (SIDE, SIDE) float32 luma (ITU-R BT.601), each the mean of its place."""
    import numpy
    from PIL import Image

    small = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX if min(picture.size) >= SIDE else Image.Resampling.BILINEAR)
    return numpy.asarray(small, dtype=numpy.float32)


def phash(grey: numpy.ndarray) -> int:
    """64 bits: which of the 8 x 8 lowest frequencies (none of them constant) lie above their median.

    Source: C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), 3.2.1: DCT hash.
    Args: grey: (SIDE, SIDE).
    """
    import numpy

    basis = _basis()
    low = (basis @ grey @ basis.T)[1:9, 1:9]
    return _number(low > numpy.median(low))


def dhash(grey: numpy.ndarray) -> int:
    """64 bits: whether each of 8 x 8 places is brighter than its neighbour to the right (N. Krawetz, "Kind of Like That", 2013).

    Args: grey: (SIDE, SIDE).
    """
    import numpy

    rows = grey.reshape(8, SIDE // 8, SIDE).mean(1)
    edges = numpy.linspace(0, SIDE, 10)
    summed = numpy.concatenate([numpy.zeros((8, 1), numpy.float32), rows.cumsum(1)], axis=1)
    at = numpy.stack([numpy.interp(edges, numpy.arange(SIDE + 1), row) for row in summed])
    columns = numpy.diff(at, axis=1)
    return _number(columns[:, :-1] > columns[:, 1:])


@lru_cache(maxsize=1)
def _basis() -> numpy.ndarray:
    """(9, SIDE): the first rows of the orthonormal DCT-II."""
    import numpy

    frequency, place = numpy.arange(9)[:, None], numpy.arange(SIDE)[None, :]
    basis = numpy.cos(numpy.pi * (2 * place + 1) * frequency / (2 * SIDE)) * numpy.sqrt(2 / SIDE)
    basis[0] /= numpy.sqrt(2)
    return basis.astype(numpy.float32)


def _number(bits: numpy.ndarray) -> int:
    import numpy

    return int.from_bytes(numpy.packbits(bits.reshape(-1)).tobytes(), "big")
