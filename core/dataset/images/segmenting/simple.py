"""Segmenters that need no model: what is not transparent, what stands before a plain background, where watermarks stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.base.errors import DatasetError
from core.dataset.images.masks import at_place, transparency
from core.dataset.images.segmenting.segmenter import Segmenter

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from core.dataset.images.masks import Mask

MOST_COLOURS = 0.6
"""Share of the border that must have one colour, within the tolerance, for it to be the background's."""


class AlphaSegmenter(Segmenter):
    """The picture's own transparency."""

    def finish(self, picture: Picture, result: Any) -> Mask:
        """Raises: DatasetError: it is nowhere transparent."""
        mask = transparency(picture)
        if mask is None:
            raise DatasetError("It is nowhere transparent.", "Choose another way under 'Found by'.")
        return mask


class PlaceSegmenter(Segmenter):
    """A rectangle in a corner, at an edge or in the middle."""

    def finish(self, picture: Picture, result: Any) -> Mask:
        """A rectangle of the settings' size."""
        return at_place(picture.size, self.settings.place, self.settings.width, self.settings.height)


class PlainSegmenter(Segmenter):
    """All but what has the colour of most of the border and hangs together with it."""

    def finish(self, picture: Picture, result: Any) -> Mask:
        """Raises: DatasetError: its border is of many colours."""
        import numpy
        from scipy import ndimage

        pixels = numpy.asarray(picture.convert("RGB")).astype(numpy.int16)
        border = numpy.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        colour = numpy.median(border, axis=0)
        near = numpy.abs(border - colour).max(axis=1) <= self.settings.tolerance
        if near.mean() < MOST_COLOURS:
            raise DatasetError(f"Only {near.mean():.0%} of its border is of one colour: its background is not plain.",
                               "Choose another way under 'Found by', or a larger 'Tolerance'.")
        alike = numpy.abs(pixels - border[near].mean(axis=0)).max(axis=2) <= self.settings.tolerance
        parts, count = ndimage.label(alike)
        at_border = numpy.unique(numpy.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
        is_background = numpy.zeros(count + 1, dtype=bool)
        is_background[at_border[at_border > 0]] = True
        return numpy.where(is_background[parts], 0, 255).astype(numpy.uint8)
