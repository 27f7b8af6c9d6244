"""Faces, heads and people by models of the YOLO family: YOLOv8 as deepghs publishes it, YOLOX as Megvii does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from core.dataset.images.detecting.sessions import OnnxDetector, Seen, cells, corners, find_onnx

if TYPE_CHECKING:
    import numpy


class Yolo8(OnnxDetector):
    """RGB from 0 to 1 in; (1, 4 + classes, n) out: middle, width and height in pixels, then a probability for each class."""

    scale = 255.0

    def read(self, outputs: dict[str, numpy.ndarray]) -> Seen:
        """The first class alone, which is what these models are for."""
        rows = next(iter(outputs.values()))
        if rows.ndim != 3 or not 5 <= rows.shape[1] < rows.shape[2]:
            raise self.no_detector(f"it answers with {list(rows.shape)}")
        table = rows[0].T
        return Seen(corners(table[:, :2], table[:, 2:4]), table[:, 4])


class Yolox(OnnxDetector):
    """BGR from 0 to 255 in; (1, n, 5 + classes) out: for each cell where the middle lies by the cell, logarithms of width and height by the
    stride, whether there is anything, and a probability for each class; people are the first class."""

    is_bgr = True

    def read(self, outputs: dict[str, numpy.ndarray]) -> Seen:
        """People."""
        import numpy

        rows = next(iter(outputs.values()))
        places = cells(self.size)
        if rows.ndim != 3 or rows.shape[1] != len(places) or rows.shape[2] < 6:
            raise self.no_detector(f"it answers with {list(rows.shape)}")
        table, stride = rows[0].astype(float), places[:, 2:]
        with numpy.errstate(over="ignore"):
            return Seen(corners((table[:, :2] + places[:, :2]) * stride, numpy.exp(table[:, 2:4]) * stride), table[:, 4] * table[:, 5])


find_yolo8, find_yolox = partial(find_onnx, Yolo8), partial(find_onnx, Yolox)
