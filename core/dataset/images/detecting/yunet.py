"""Faces by YuNet (Wu, Peng and Yu, 2023), as OpenCV's model zoo publishes it; its outputs are read as OpenCV's FaceDetectorYN does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from core.dataset.images.detecting.sessions import OnnxDetector, Seen, cells, corners, find_onnx

if TYPE_CHECKING:
    import numpy

STRIDES = (8, 16, 32)
PARTS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""Outputs for each stride ("cls_8" …), and the numbers for each cell."""


class YuNet(OnnxDetector):
    """BGR from 0 to 255 in; for each cell probabilities of a face and of a thing, where the middle lies by the cell, logarithms of width
    and height by the stride, and five points by the cell."""

    empty = 0
    is_bgr = True
    shares = (1.0, 0.4)
    """It knows faces up to 300 px of its 640 (its card says): a close-up is seen when it is made smaller."""

    def read(self, outputs: dict[str, numpy.ndarray]) -> Seen:
        """Faces with their points."""
        import numpy

        places = cells(self.size, STRIDES)
        table = {part: self._joined(outputs, part, len(places)) for part in PARTS}
        middles, stride = places[:, :2], places[:, 2:]
        boxes = corners((table["bbox"][:, :2] + middles) * stride, numpy.exp(numpy.minimum(table["bbox"][:, 2:], 20)) * stride)
        points = (table["kps"].reshape(-1, 5, 2) + middles[:, None]) * stride[:, None]
        return Seen(boxes, numpy.sqrt(table["cls"].clip(0, 1) * table["obj"].clip(0, 1))[:, 0], points)

    def _joined(self, outputs: dict[str, numpy.ndarray], part: str, count: int) -> numpy.ndarray:
        """(n, numbers) of every stride, the finest first. Raises: ModelError: they are missing, or not that many."""
        import numpy

        names = [f"{part}_{stride}" for stride in STRIDES]
        if missing := [name for name in names if name not in outputs]:
            raise self.no_detector(f"it has no output {missing[0]}")
        rows = numpy.concatenate([outputs[name].reshape(-1, PARTS[part]) for name in names if outputs[name].size % PARTS[part] == 0])
        if len(rows) != count:
            raise self.no_detector(f"it answers with {len(rows)} cells, not {count}")
        return rows.astype(float)


find_yunet = partial(find_onnx, YuNet)
