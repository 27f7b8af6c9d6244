"""Detectors of faces, heads and people by name. To add one: a function like `find_cascade`, an entry, a test, a line of docs.

    with open_detector("lbp-face", "auto", progress) as detector:
        for found in detector.find(picture):
            print(found.kind, found.box, found.score)

Options of an entry: "finds": the kinds that it gives; "landmarks": it tells where eyes, nose and mouth are; "drawn": it knows drawn
pictures rather than photographs; "model": its name in the catalogue of models, where it does not come with a package; "least": score below
which nothing is taken (the makers' own choice); "same": overlap above which two boxes are one thing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from core.base.progress import SILENT, Progress
from core.base.registry import Entry, Registry
from core.models.warm import WARM

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FoundKind = Literal["face", "head", "person"]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the picture; 0, 0 is its upper left corner."""
Landmarks = tuple[tuple[float, float], ...]
"""Five points (x, y) in pixels of the picture: both eyes, nose, both corners of the mouth; what is left in the picture comes first."""


@dataclass(frozen=True)
class Found:
    """A face, a head or a person in a picture."""

    box: Box
    """Inside the picture, and never empty. Of a face: from the brows' upper end or the hairline to the chin."""
    score: float
    """How sure the detector is, 0 to 1."""
    kind: FoundKind = "face"
    landmarks: Landmarks | None = None
    """None: this detector does not tell."""

    @property
    def width(self) -> float:
        """Pixels."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Pixels."""
        return self.box[3] - self.box[1]


class Detector(Protocol):
    """A detector, opened for use."""

    def find(self, picture: Picture) -> list[Found]:
        """An RGB picture of any size → what is in it, the surest first; each thing once. Raises: ModelError: the model failed."""


class DetectorFiles(Protocol):
    """A detector's model, before it is opened."""

    identity: str
    """Names exactly this model: what was found by another is another result."""
    needs: int
    """Bytes of memory, about."""

    def where(self, device: str) -> str:
        """"cpu" or "cuda". Args: device: "auto", "cuda" or "cpu". Raises: ConfigError: CUDA was asked for and is not to be had."""

    def open(self, device: str) -> Detector:
        """Load it. Args: device: as for `where`. Raises: ModelError, MissingDependency."""


def _hub(name: str, title: str, opener: str, finds: FoundKind, model: str, licence: str, source: str, note: str, **options: Any) -> Entry:
    return Entry(name, f"{ROOM}.{opener}", title, source, ("onnxruntime",), licence, note=note,
                 options={"finds": (finds,), "landmarks": False, "drawn": False, "model": model, **options})


ROOM = "core.dataset.images.detecting"
_MIT_ANIME = "MIT, as its makers say"
DETECTORS: Registry[Any] = Registry(
    "detector",
    Entry("lbp-face", f"{ROOM}.cascade:find_cascade", "Faces (lbp-face)", needs=("skimage",), licence="BSD-3-Clause",
          source="https://scikit-image.org/docs/stable/auto_examples/applications/plot_face_detection.html",
          options={"finds": ("face",), "landmarks": False, "drawn": False}, note="photographs, into the camera"),
    Entry("mtcnn", f"{ROOM}.mtcnn:find_mtcnn", "Faces (mtcnn)", source="https://github.com/timesler/facenet-pytorch",
          needs=("facenet_pytorch", "torch"), licence="MIT", extra="curation",
          options={"finds": ("face",), "landmarks": True, "drawn": False}, note="photographs, also turned"),
    _hub("yunet", "Faces (yunet)", "yunet:find_yunet", "face", "yunet", "MIT",
         "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet", "photographs, also turned and small",
         landmarks=True, least=0.7, same=0.3),
    _hub("anime-face", "Faces (anime-face)", "yolo:find_yolo8", "face", "anime-face", _MIT_ANIME,
         "https://huggingface.co/deepghs/anime_face_detection", "drawings", drawn=True, least=0.307, same=0.7),
    _hub("anime-head", "Heads (anime-head)", "yolo:find_yolo8", "head", "anime-head", _MIT_ANIME,
         "https://huggingface.co/deepghs/anime_head_detection", "drawings", drawn=True, least=0.413, same=0.7),
    _hub("person", "People (YOLOX-S)", "yolo:find_yolox", "person", "yolox-s", "Apache-2.0",
         "https://github.com/Megvii-BaseDetection/YOLOX", "photographs", least=0.4, same=0.45),
    _hub("anime-person", "People (anime-person)", "yolo:find_yolo8", "person", "anime-person", _MIT_ANIME,
         "https://huggingface.co/deepghs/anime_person_detection", "drawings", drawn=True, least=0.324, same=0.5),
)
DetectorName = Literal[DETECTORS.names()]  # type: ignore[valid-type]
"""The names above, as a choice for a settings class."""


def find_detector(name: str, progress: Progress = SILENT) -> DetectorFiles:
    """A detector's model, fetched where it is not here yet.

    Raises: ConfigError: no detector has that name. MissingDependency. ModelError: its model cannot be had. DiskError. Cancelled.
    """
    entry = DETECTORS.entry(name)
    files: DetectorFiles = DETECTORS.load(name)(entry, progress)
    return files


@contextlib.contextmanager
def open_detector(name: str, device: str = "auto", progress: Progress = SILENT) -> Iterator[Detector]:
    """A detector, kept open for the next picture. Args: device: "auto", "cuda" or "cpu". Raises: as `find_detector`."""
    files = find_detector(name, progress)
    where = files.where(device)
    with WARM.use(("detector", files.identity, where), DETECTORS.entry(name).title, lambda: files.open(device), where,
                  files.needs) as model:
        yield model
