"""Versions that are all of one colour though their picture is not: what a broken model makes, in a job that nobody watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.dataset.images.variants import WHOLE, Kind

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

ONE_COLOUR = "it is all of one colour: look at it"
SIDE = 64
"""Pixels by pixels that are looked at, spread over the picture."""
NEARLY = 4
"""Levels of 255 by which they differ at most."""


def note_of(kind: Kind, was_plain: bool, made: Picture) -> str:
    """What is said of a version of a whole picture; empty: nothing strikes. Args: was_plain: what it was made of is of one colour too."""
    return ONE_COLOUR if kind in WHOLE and not was_plain and is_of_one_colour(made) else ""


def is_of_one_colour(image: Picture) -> bool:
    """Whether some thousand of its pixels are alike; whether they are seen does not count."""
    import numpy
    from PIL import Image

    few = image.resize((min(image.width, SIDE), min(image.height, SIDE)), Image.Resampling.NEAREST).convert("RGB")
    pixels = numpy.asarray(few)
    return bool((numpy.ptp(pixels, axis=(0, 1)) <= NEARLY).all())
