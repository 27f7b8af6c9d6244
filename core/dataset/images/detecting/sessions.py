"""What every detector in ONNX shares: the picture shrunk into the model's square, and boxes brought back to the picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from core.base.errors import ModelError
from core.base.progress import Progress
from core.base.registry import Entry
from core.dataset.images.detecting import Found
from core.dataset.images.detecting.boxes import areas, strongest, within
from core.models.having import have_model
from core.models.onnx_sessions import onnx_device, open_session, run_whole

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

SIDE = 640
"""Side of the square that such a model looks at, where its file leaves it open."""
MOST = 2000
"""Boxes, the surest, among which those that are one thing are sought."""


@dataclass(frozen=True)
class Seen:
    """What a model saw, in pixels of its own square."""

    boxes: numpy.ndarray
    """(n, 4): left, top, right, bottom."""
    scores: numpy.ndarray
    """(n,), 0 to 1."""
    points: numpy.ndarray | None = None
    """(n, 5, 2): eyes, nose and mouth."""


@dataclass(frozen=True)
class OnnxFiles:
    """One file on this disk."""

    path: Path
    entry: Entry
    opener: type[OnnxDetector]

    @property
    def identity(self) -> str:
        """Names exactly this model."""
        stat = self.path.stat()
        return f"{self.entry.name}:{self.path}:{stat.st_size}:{stat.st_mtime_ns}"

    @property
    def needs(self) -> int:
        """Bytes: of the weights, and about as much for what lies between them."""
        return 3 * self.path.stat().st_size

    def where(self, device: str) -> str:
        """"cpu" or "cuda". Raises: ConfigError: CUDA was asked for and is not to be had."""
        return onnx_device(device)

    def open(self, device: str) -> OnnxDetector:
        """Raises: ModelError: it is no such model."""
        return self.opener(self, device)


def find_onnx(opener: type[OnnxDetector], entry: Entry, progress: Progress) -> OnnxFiles:
    """The file of a detector, fetched where it is not here yet. Raises: ModelError, DiskError, Cancelled."""
    return OnnxFiles(have_model("detector", entry.options["model"], progress), entry, opener)


class OnnxDetector(ABC):
    """A detector in ONNX. A subclass says how the picture goes in, and reads what comes out."""

    empty: ClassVar[int] = 114
    """Grey of what is laid beside the picture, as in its training."""
    is_bgr: ClassVar[bool] = False
    scale: ClassVar[float] = 1.0
    """What a value from 0 to 255 is divided by."""
    shares: ClassVar[tuple[float, ...]] = (1.0,)
    """How much of its square the picture takes; several: it is looked at more than once."""

    def __init__(self, files: OnnxFiles, device: str) -> None:
        self.name, self.options = files.path.name, files.entry.options
        self.session, self.provider = open_session(files.path, device)
        shape = self.session.get_inputs()[0].shape
        if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
            raise self.no_detector(f"it takes {shape}")
        height, width = (side if isinstance(side, int) else SIDE for side in shape[2:])
        self.size = (width, height)

    @abstractmethod
    def read(self, outputs: dict[str, numpy.ndarray]) -> Seen:
        """What the model answers → what it saw. Raises: ModelError: it is another kind of model."""

    def no_detector(self, why: str) -> ModelError:
        """What is said of a file that is another kind of model."""
        return ModelError(f"{self.name} is no {type(self).__name__} detector: {why}.", "Take the file away, and the right one is fetched.")

    def find(self, picture: Picture) -> list[Found]:
        """What is in a picture. Raises: ModelError: the model failed."""
        import numpy

        seen = [self._look(picture, share) for share in self.shares]
        boxes, scores = numpy.concatenate([one.boxes for one in seen]), numpy.concatenate([one.scores for one in seen])
        points = None if seen[0].points is None else numpy.concatenate([one.points for one in seen if one.points is not None])
        left = [place for place in strongest(boxes, scores, self.options["same"]) if areas(boxes[place:place + 1])[0] >= 1]
        return [self._found(Seen(boxes, scores, points), place) for place in left]

    def prepared(self, picture: Picture, share: float = 1.0) -> tuple[numpy.ndarray, numpy.ndarray]:
        """(1, 3, height, width) float32 with the picture in the upper left corner, and by how much it was shrunk: x, y, x, y."""
        import numpy
        from PIL import Image

        scale = share * min(self.size[0] / picture.width, self.size[1] / picture.height)
        small = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        canvas = numpy.full((self.size[1], self.size[0], 3), self.empty, dtype=numpy.float32)
        canvas[:small[1], :small[0]] = numpy.asarray(picture.resize(small, Image.Resampling.BILINEAR, reducing_gap=2.0))
        ordered = canvas[:, :, ::-1] if self.is_bgr else canvas
        factor = numpy.array([small[0] / picture.width, small[1] / picture.height] * 2)
        return numpy.ascontiguousarray(ordered.transpose(2, 0, 1)[None]) / numpy.float32(self.scale), factor

    def _look(self, picture: Picture, share: float) -> Seen:
        """What is sure enough, in pixels of the picture. Raises: ModelError."""
        import numpy

        pixels, factor = self.prepared(picture, share)
        seen = self.read(run_whole(self.session, pixels, failed=("The detector failed", "Choose another detector, or the device 'cpu'."),
                                   refused=(f"{self.name} refused its input", "It is no such detector: fetch it again.")))
        sure = numpy.flatnonzero(numpy.nan_to_num(seen.scores) >= float(self.options["least"]))
        sure = sure[numpy.argsort(-seen.scores[sure], kind="stable")][:MOST]
        return Seen(within(seen.boxes[sure].astype(float) / factor, picture.size), seen.scores[sure],
                    None if seen.points is None else seen.points[sure] / factor[:2])

    def _found(self, seen: Seen, row: int) -> Found:
        left, top, right, bottom = seen.boxes[row].tolist()
        points = None if seen.points is None else tuple((float(x), float(y)) for x, y in seen.points[row])
        return Found((left, top, right, bottom), min(1.0, float(seen.scores[row])), self.options["finds"][0], points)


def cells(size: tuple[int, int], strides: tuple[int, ...] = (8, 16, 32)) -> numpy.ndarray:
    """(n, 3): column, row and stride of every cell of the model's grids, row by row, the finest grid first.

    Args: size: width and height of what the model looks at, px.
    """
    import numpy

    grids = []
    for stride in strides:
        rows, columns = numpy.mgrid[: size[1] // stride, : size[0] // stride]
        grids.append(numpy.stack([columns.ravel(), rows.ravel(), numpy.full(rows.size, stride)], axis=1))
    return numpy.concatenate(grids).astype(float)


def corners(middle: numpy.ndarray, size: numpy.ndarray) -> numpy.ndarray:
    """(n, 2) of middles, (n, 2) of widths and heights → (n, 4)."""
    import numpy

    return numpy.concatenate([middle - size / 2, middle + size / 2], axis=1)
