"""Faces cut out upright in one size, and laid back into their picture without an edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

SIDE = 512
"""Of a face as restorers take it, px."""
TEMPLATE = ((192.98, 239.95), (318.90, 240.19), (256.63, 314.02), (201.26, 371.41), (313.09, 371.15))
"""Eyes, nose and corners of the mouth in a face of 512 px, as FFHQ's pictures are aligned. Source: facexlib's face_template."""
BOX_SIDE, BOX_MIDDLE, FACE_MIDDLE = 1.56, 0.58, 0.596
"""A box from brows to chin in a face without landmarks: the square's side by the box's height; where between eyes and mouth the middle
lies in the box, and in the square."""
AROUND = (135, 133, 132)
"""Colour beyond the picture's edge. Source: facexlib."""
FEATHER = 0.25
"""Share of half the side over which a restored face fades out."""


@dataclass(frozen=True)
class Place:
    """Where a face lies: x = a·u − b·v + left, y = b·u + a·v + top, for u, v in the square of 512."""

    a: float
    b: float
    left: float
    top: float

    @property
    def side(self) -> float:
        """Of the square in the picture, px."""
        return float(SIDE * (self.a**2 + self.b**2) ** 0.5)

    def scaled(self, x: float, y: float) -> Place:
        """In a picture so many times as wide and as high, which are almost the same."""
        mean = (x * y) ** 0.5
        return Place(self.a * mean, self.b * mean, self.left * x, self.top * y)

    def corners(self) -> list[tuple[float, float]]:
        """Of the square, in the picture."""
        return [(self.a * u - self.b * v + self.left, self.b * u + self.a * v + self.top) for u in (0, SIDE) for v in (0, SIDE)]


def place_of(box: tuple[float, float, float, float], landmarks: Sequence[tuple[float, float]] | None) -> Place:
    """Where a face lies: by its five points where they are known (turned, moved and scaled to fit best), else by its box, upright.

    Args: box: left, top, right, bottom. landmarks: in the order of `TEMPLATE`.
    """
    import numpy

    if landmarks is None:
        side = BOX_SIDE * (box[3] - box[1])
        middle = (box[0] + box[2]) / 2
        return Place(side / SIDE, 0.0, middle - side / 2, box[1] + BOX_MIDDLE * (box[3] - box[1]) - FACE_MIDDLE * side)
    rows, wanted = [], []
    for (u, v), (x, y) in zip(TEMPLATE, landmarks, strict=True):
        rows += [(u, -v, 1, 0), (v, u, 0, 1)]
        wanted += [x, y]
    a, b, left, top = numpy.linalg.lstsq(numpy.array(rows), numpy.array(wanted), rcond=None)[0].tolist()
    return Place(a, b, left, top)


def cut_face(image: Picture, place: Place) -> Picture:
    """A face upright in 512 x 512. Args: image: RGB."""
    from PIL import Image

    data = (place.a, -place.b, place.left, place.b, place.a, place.top)
    return image.transform((SIDE, SIDE), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC, fillcolor=AROUND)


def lay_face(image: Picture, face: Picture, place: Place, strength: float = 1.0) -> None:
    """Lay a restored face where it was cut out; `image` is changed.

    Args: image: RGB. strength: how much of what was there is replaced, 0 to 1; transparency is no matter of this.
    """
    from PIL import Image

    corners = place.corners()
    box = (max(0, int(min(x for x, _ in corners))), max(0, int(min(y for _, y in corners))),
           min(image.width, int(max(x for x, _ in corners)) + 1), min(image.height, int(max(y for _, y in corners)) + 1))
    if box[0] >= box[2] or box[1] >= box[3]:
        return
    side = min(SIDE, max(1, round(place.side)))  # made smaller beforehand, where a pixel of the picture takes several of the face
    size, data = (box[2] - box[0], box[3] - box[1]), _back(place, side, box[0], box[1])
    parts = [part.resize((side, side), Image.Resampling.LANCZOS) if side < SIDE else part for part in (face, _mask(strength))]
    laid, mask = (part.transform(size, Image.Transform.AFFINE, data, Image.Resampling.BICUBIC) for part in parts)
    image.paste(laid, box, mask)


def _back(place: Place, side: int, left: int, top: int) -> tuple[float, ...]:
    """From a pixel of the picture to one of the face, as Pillow wants it. Args: side: of the face now. left, top: where it begins."""
    scale = side / SIDE / (place.a**2 + place.b**2)
    a, b = place.a * scale, place.b * scale
    x, y = left - place.left, top - place.top
    return (a, b, a * x + b * y, -b, a, a * y - b * x)


def _mask(strength: float) -> Picture:
    """What of a face is laid back: all but its edge, with rounded corners."""
    import numpy
    from PIL import Image

    far = numpy.abs((numpy.arange(SIDE) + 0.5) / (SIDE / 2) - 1)
    reach = (far[None, :] ** 4 + far[:, None] ** 4) ** 0.25
    share = numpy.clip((1 - reach) / FEATHER, 0, 1)
    smooth: numpy.ndarray = share * share * (3 - 2 * share)
    return Image.fromarray(numpy.rint(255 * strength * smooth).astype(numpy.uint8))
