"""Faces in photographs by the cascade of local binary patterns that comes with scikit-image (OpenCV's lbpcascade_frontalface).

The cascade alone takes many a pattern for a face. So the picture and its mirror image are looked at, for a face is found in both and a
pattern seldom. On 19 photographs (those of scikit-image and scikit-learn, portraits, a group) at four sizes each, nothing was taken for a
face that is none; 4 of 5 portraits were found and 3 of the 6 faces of the group, none that is turned away or cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError, require
from core.base.progress import Progress
from core.base.registry import Entry
from core.dataset.curation.scorers.packaged import at_most
from core.dataset.images.detecting import Found
from core.dataset.images.detecting.boxes import SAME, gathered, overlaps, strongest, within

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

LONGEST = 360
"""Side of the copy that is looked at, px: a window is moved over every pixel of it."""
WINDOW = 24
"""Side of the cascade's own window, px; smaller faces of the copy are not seen."""
STEP = 1.1
"""By which the window grows."""
LEAST = 8
"""Windows that must agree on a face, in the picture and in its mirror image."""
SEPARATE = 2.0
"""An overlap that no two windows have: the package is to leave each of them by itself, for the number of those that agree is the score."""
MOST = 3000
"""Windows that are taken apart; more agree where a picture is nothing but a pattern."""
FACE = (0.09, -0.03, 0.91, 1.09)
"""Left, top, right and bottom of a face by the cascade's square, as MTCNN measures the same faces: a face is higher than wide."""


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
        """Faces that look into the camera, at least 1/15 of the longer side high."""
        import numpy

        small = at_most(picture, LONGEST)
        if min(small.size) < WINDOW:
            return []
        pixels = numpy.array(small)
        windows, mirrored = self._windows(pixels), self._windows(numpy.ascontiguousarray(pixels[:, ::-1]))
        mirrored[:, [0, 2]] = small.width - mirrored[:, [2, 0]]
        boxes, votes = _agreed(windows, mirrored)
        scale = numpy.array([picture.width / small.width, picture.height / small.height] * 2)
        places = within(_faces(boxes) * scale, picture.size)
        return [Found((left, top, right, bottom), float(votes[place] / (votes[place] + LEAST)))
                for place in strongest(boxes, votes, contained=True) for left, top, right, bottom in [places[place].tolist()]]

    def _windows(self, pixels: numpy.ndarray) -> numpy.ndarray:
        """(h, w, 3) uint8 → (n, 4): every window that the cascade takes for a face."""
        import numpy

        side = min(pixels.shape[:2])
        told = self._cascade.detect_multi_scale(pixels, STEP, 1, (WINDOW, WINDOW), (side, side), min_neighbor_number=1,
                                                intersection_score_threshold=SEPARATE)
        boxes = [(one["c"], one["r"], one["c"] + one["width"], one["r"] + one["height"]) for one in told[:MOST]]
        return numpy.array(boxes, dtype=float).reshape(-1, 4)


def _agreed(windows: numpy.ndarray, mirrored: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(n, 4), (m, 4) → squares on which enough of both agree, and how many: of the picture or its mirror image, the fewer."""
    import numpy

    squares = numpy.array([box for box, _ in gathered(numpy.concatenate([windows, mirrored]))]).reshape(-1, 4)
    votes = numpy.minimum((overlaps(squares, windows) > SAME).sum(axis=1), (overlaps(squares, mirrored) > SAME).sum(axis=1))
    return squares[votes >= LEAST], votes[votes >= LEAST]


def _faces(squares: numpy.ndarray) -> numpy.ndarray:
    """(n, 4) → (n, 4): the face in each of the cascade's squares."""
    import numpy

    sides = squares[:, 2:] - squares[:, :2]
    return numpy.concatenate([squares[:, :2], squares[:, :2]], axis=1) + numpy.concatenate([sides, sides], axis=1) * numpy.array(FACE)
