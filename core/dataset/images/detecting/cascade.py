"""Faces in photographs by the cascade of local binary patterns that comes with scikit-image (OpenCV's lbpcascade_frontalface)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError, require
from core.base.progress import Progress
from core.base.registry import Entry
from core.dataset.curation.scorers.packaged import at_most
from core.dataset.images.detecting import Found
from core.dataset.images.detecting.boxes import gathered, within

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

LONGEST = 480
"""Side of the copy that is looked at, px: a window is moved over every pixel of it."""
WINDOW = 24
"""Side of the cascade's own window, px; smaller faces of the copy are not seen."""
STEP = 1.1
"""By which the window grows."""
LEAST = 5
"""Windows that must agree on one face."""
SEPARATE = 2.0
"""An overlap that no two windows have: the package is to leave each of them by itself, for the number of those that agree is the score."""
MOST = 3000
"""Windows that are taken apart; more agree where a picture is nothing but a pattern."""


@dataclass(frozen=True)
class CascadeFiles:
    """The model of the installed package."""

    identity: str
    needs: int = 0

    def where(self, device: str) -> str:
        """It computes on the CPU, whatever is asked for."""
        return "cpu"

    def open(self, device: str) -> Cascade:
        """Raises: ModelError: the package does not hold it."""
        return Cascade()


def find_cascade(entry: Entry, progress: Progress) -> CascadeFiles:
    """The model of the installed package."""
    from importlib.metadata import version

    return CascadeFiles(f"scikit-image {version('scikit-image')} lbp {LONGEST} {STEP} {LEAST}")


class Cascade:
    """The detector."""

    def __init__(self) -> None:
        data: Any = require("skimage.data", needed_for="Looking for faces")
        feature: Any = require("skimage.feature", needed_for="Looking for faces")
        try:
            self._cascade = feature.Cascade(data.lbp_frontal_face_cascade_filename())
        except (OSError, RuntimeError, ValueError) as error:
            raise ModelError(f"The face detector of scikit-image could not be opened: {error}.", "Run: python3 installer.py") from error

    def find(self, picture: Picture) -> list[Found]:
        """Faces that look into the camera, at least 1/20 of the longer side high."""
        import numpy

        small = at_most(picture, LONGEST)
        if min(small.size) < WINDOW:
            return []
        windows = self._windows(numpy.array(small))
        scale = numpy.array([picture.width / small.width, picture.height / small.height] * 2)
        found = [(box, votes / (votes + LEAST)) for box, votes in gathered(windows) if votes >= LEAST]
        places = within(numpy.array([box for box, _ in found]).reshape(-1, 4) * scale, picture.size)
        return [Found((left, top, right, bottom), score)
                for (left, top, right, bottom), (_, score) in zip(places.tolist(), found, strict=True)]

    def _windows(self, pixels: numpy.ndarray) -> numpy.ndarray:
        """(h, w, 3) uint8 → (n, 4): every window that the cascade takes for a face."""
        import numpy

        side = min(pixels.shape[:2])
        told = self._cascade.detect_multi_scale(pixels, STEP, 1, (WINDOW, WINDOW), (side, side), min_neighbor_number=1,
                                                intersection_score_threshold=SEPARATE)
        boxes = [(one["c"], one["r"], one["c"] + one["width"], one["r"] + one["height"]) for one in told[:MOST]]
        return numpy.array(boxes, dtype=float).reshape(-1, 4)
