"""Faces by MTCNN, as the scorer of faces finds them: with both eyes, nose and mouth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.base.progress import Progress
from core.base.registry import Entry
from core.dataset.curation.scorers.faces import Faces, find_faces
from core.dataset.curation.vision_models import choose_device
from core.dataset.images.detecting import Found

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


@dataclass(frozen=True)
class MtcnnFiles:
    """The model of the installed package."""

    identity: str
    needs: int = 50_000_000

    def where(self, device: str) -> str:
        """Raises: ConfigError: CUDA was asked for and is not to be had."""
        return choose_device(device)

    def open(self, device: str) -> Mtcnn:
        """Raises: MissingDependency."""
        return Mtcnn(Faces(device))


def find_mtcnn(entry: Entry, progress: Progress) -> MtcnnFiles:
    """The model of the installed package."""
    return MtcnnFiles(find_faces(entry).identity)


class Mtcnn:
    """The detector. Args: faces: the scorer's, which looks at a reduced copy."""

    def __init__(self, faces: Faces) -> None:
        self._faces = faces

    def find(self, picture: Picture) -> list[Found]:
        """Faces, also turned ones, the surest first."""
        width, height = picture.size
        faces = sorted(self._faces.find(self._faces.prepare(picture)), key=lambda face: -face.sure)
        return [Found((face.left * width, face.top * height, face.right * width, face.bottom * height), face.sure, "face",
                      tuple((x * width, y * height) for x, y in face.points))
                for face in faces if face.right > face.left and face.bottom > face.top]
