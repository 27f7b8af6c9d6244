"""Faces in photographs, found by MTCNN (Zhang, 2016), whose weights come with facenet-pytorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from core.base.errors import require
from core.base.registry import Entry
from core.dataset.curation.scorers.packaged import PackageFiles, at_most, find_package
from core.dataset.curation.vision_models import choose_device

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

PACKAGE = "facenet_pytorch"
LONGEST = 640
SMALLEST = 20
"""Pixels of a face in the copy that is looked at, below which none is looked for."""
SURE = 0.95
"""Probability below which something is not taken for a face."""


class Face(NamedTuple):
    """A face; places in shares of the picture's width and height, 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float
    sure: float
    points: tuple[tuple[float, float], ...] = ()
    """Both eyes, nose, both corners of the mouth; what is left in the picture comes first."""

    @property
    def height(self) -> float:
        """By the picture's height."""
        return self.bottom - self.top


def find_faces(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "") -> PackageFiles:
    """The models of the installed package."""
    return find_package("facenet-pytorch", Faces, f"{LONGEST} {SURE}")


class Faces:
    """How many faces, and how high the largest is."""

    size = LONGEST
    batch = 1

    def __init__(self, device: str = "auto") -> None:
        package: Any = require(PACKAGE, needed_for="Looking for faces", extra="curation")
        self.provider = choose_device(device)
        self._finder = package.MTCNN(keep_all=True, min_face_size=SMALLEST, device=self.provider)

    def prepare(self, picture: Picture) -> numpy.ndarray:
        """(h, w, 3) uint8 RGB, at most LONGEST a side."""
        import numpy

        return numpy.array(at_most(picture, LONGEST))

    def find(self, pixels: numpy.ndarray) -> list[Face]:
        """What `prepare` gave → the faces, the largest first."""
        height, width = pixels.shape[:2]
        if min(height, width) < SMALLEST:
            return []
        boxes, sure, points = self._finder.detect(pixels, landmarks=True)
        if boxes is None:
            return []
        shares: list[tuple[float, float, float, float]] = (boxes / (width, height, width, height)).clip(0, 1).tolist()
        places = (points / (width, height)).tolist()
        found = [Face(*box, float(probable), tuple((x, y) for x, y in five))
                 for box, probable, five in zip(shares, sure, places, strict=True)]
        return sorted((face for face in found if face.sure >= SURE), key=lambda face: -face.height)

    def score(self, batch: list[numpy.ndarray]) -> list[tuple[float, float]]:
        """Number of faces, and the height of the largest (0 without one)."""
        found = [self.find(pixels) for pixels in batch]
        return [(float(len(faces)), faces[0].height if faces else 0.0) for faces in found]
