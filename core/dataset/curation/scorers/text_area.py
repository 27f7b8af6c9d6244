"""How much of a picture is covered by text, found by RapidOCR, whose weights come with its package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.base.errors import require
from core.base.registry import Entry
from core.dataset.curation.scorers.packaged import PackageFiles, at_most, find_package

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

PACKAGE = "rapidocr_onnxruntime"
LONGEST = 1280
SURE = 0.6
"""Confidence of the recognised string below which a box is taken for texture, not text."""


def find_text_area(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "") -> PackageFiles:
    """The models of the installed package."""
    return find_package("rapidocr-onnxruntime", TextArea, f"{SURE}")


class TextArea:
    """Share of the area inside boxes of text that could be read."""

    size = LONGEST
    batch = 1
    provider = "CPUExecutionProvider"

    def __init__(self, device: str = "auto") -> None:
        package: Any = require(PACKAGE, needed_for="Looking for text", extra="curation")
        self._engine = package.RapidOCR()

    def prepare(self, picture: Picture) -> numpy.ndarray:
        """(h, w, 3) uint8 BGR, at most LONGEST a side."""
        import numpy

        return numpy.ascontiguousarray(numpy.asarray(at_most(picture, LONGEST))[..., ::-1])

    def score(self, batch: list[numpy.ndarray]) -> list[float]:
        """Shares, 0 to 1."""
        return [self._share(pixels) for pixels in batch]

    def _share(self, pixels: numpy.ndarray) -> float:
        height, width = pixels.shape[:2]
        if min(height, width) < 8:
            return 0.0
        found, _ = self._engine(pixels)
        boxes = [box for box, _, sure in found or () if float(sure) >= SURE]
        return covered(boxes, width, height)


def covered(boxes: list[list[list[float]]], width: int, height: int) -> float:
    """Share of a picture inside quadrilaterals (corners in pixels); where they overlap, the area counts once."""
    if not boxes:
        return 0.0
    import numpy
    from PIL import Image, ImageDraw

    mask = Image.new("1", (width, height))
    draw = ImageDraw.Draw(mask)
    for box in boxes:
        draw.polygon([(float(x), float(y)) for x, y in box], fill=1)
    return float(numpy.asarray(mask).mean())
