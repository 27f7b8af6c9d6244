"""Where a picture is cut: a framing of one person, with the proportions of a training size, inside the picture, never through the face."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from core.base.buckets import Fitter, Size
from core.base.errors import ConfigError
from core.dataset.images.cropping.people import Person
from core.dataset.images.detecting import Box

Framing = Literal["face_focus", "upper_body", "full_body"]
Cut = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels of the picture."""
ABOVE_EYES = 1.2
"""Face heights between the upper edge and the eyes: they stand on the upper third of a face_focus; in the others the whole head is in the
upper third."""
WIDTH_OF_BODY = 0.75
"""Width of an upper_body by its height."""
STRIP, STRIP_WIDTH = 10.0, 4.0
"""Height and width of a full_body in face heights, where nobody knows where the body ends."""
MARGIN = 0.04
"""Of a body's height, around it."""
ENOUGH = 0.75
"""Share of a framing's height below which the picture ends too soon for it."""


@dataclass(frozen=True)
class Framed:
    """One crop."""

    cut: Cut
    bucket: Size
    """The training size whose proportions it has."""

    @property
    def size(self) -> Size:
        """Width and height, px."""
        return self.cut[2] - self.cut[0], self.cut[3] - self.cut[1]


class NoCrop(Exception):
    """Why there is no crop of this framing, in words that follow its name: "the picture ends …"."""


def frame(person: Person, framing: Framing, size: Size, fitter: Fitter, face_times: float = 3.5, body_times: float = 6.0) -> Framed:
    """A framing of a person.

    Args:
        size: of the picture, px.
        fitter: of the training sizes.
        face_times, body_times: heights of a face_focus and of an upper_body, in face heights.

    Raises: NoCrop: it cannot be framed so.
    """
    wish = _full_body(person, size) if framing == "full_body" else \
        _around_face(person, framing, size, face_times if framing == "face_focus" else body_times)
    return fit_cut(wish, person.head, size, fitter, whole=framing == "full_body" and person.body is not None)


def fit_cut(wish: Box, keep: Box, size: Size, fitter: Fitter, whole: bool = False) -> Framed:
    """The wish with the proportions of the training size that is nearest to it, inside the picture.

    Args:
        keep: what must not be cut.
        whole: the wish is to be held whole, as far as the picture allows; else its height counts.

    Raises: NoCrop: no training size holds what must not be cut.
    """
    left, top, right, bottom = wish
    width, height = min(right - left, size[0]), min(bottom - top, size[1])
    for bucket in _nearest((width, height), fitter):
        ratio = bucket[0] / bucket[1]
        tall = max(height, width / ratio) if whole else height
        tall = max(tall, keep[3] - keep[1], (keep[2] - keep[0]) / ratio)
        tall = min(tall, size[1], size[0] / ratio)
        cut = _as_trained(_whole_pixels(ratio, tall, size), fitter)
        placed = (_placed((left + right - cut[0]) / 2, cut[0], keep[0], keep[2], size[0]),
                  _placed(top - (cut[1] - height) * (0.5 if whole else 0), cut[1], keep[1], keep[3], size[1]))
        if placed[0] is not None and placed[1] is not None:
            return Framed((placed[0], placed[1], placed[0] + cut[0], placed[1] + cut[1]), _bucket(cut, fitter) or bucket)
    raise NoCrop("no training size holds the whole face")


def _around_face(person: Person, framing: Framing, size: Size, times: float) -> Box:
    """Raises: NoCrop."""
    face = person.face_height
    if not face:
        raise NoCrop("no face was found on this person")
    height = times * face
    top = max(0.0, person.eyes[1] - ABOVE_EYES * face)
    there = size[1] - top
    if framing == "upper_body" and there < ENOUGH * height:
        raise NoCrop("the picture ends too soon below the face")
    height = max(min(height, there), ENOUGH * height)
    half = (height if framing == "face_focus" else height * WIDTH_OF_BODY) / 2
    return person.eyes[0] - half, top, person.eyes[0] + half, top + height


def _full_body(person: Person, size: Size) -> Box:
    """Raises: NoCrop."""
    if person.body is not None:
        left, top, right, bottom = person.body
        margin = MARGIN * (bottom - top)
        return max(0.0, left - margin), max(0.0, top - margin), min(size[0], right + margin), min(size[1], bottom + margin)
    face = person.face_height
    top = max(0.0, person.eyes[1] - ABOVE_EYES * face)
    bottom = min(size[1], top + STRIP * face)
    if bottom - top < ENOUGH * STRIP * face:
        raise NoCrop("the picture ends too soon below the face (a detector of people tells where a body ends)")
    return person.eyes[0] - STRIP_WIDTH / 2 * face, top, person.eyes[0] + STRIP_WIDTH / 2 * face, bottom


def _nearest(size: tuple[float, float], fitter: Fitter) -> list[Size]:
    """Training sizes for a box: the one that a trainer takes, then by how far their proportions are from it."""
    ratio = size[0] / size[1]
    others = sorted(fitter.sizes, key=lambda bucket: abs(bucket[0] / bucket[1] - ratio))
    first = _bucket((max(1, round(size[0])), max(1, round(size[1]))), fitter)
    return [*([first] if first is not None else []), *others]


def _as_trained(size: Size, fitter: Fitter) -> Size:
    """A training that enlarges nothing rounds a small picture down by its steps: cut so, nothing of it is lost."""
    bucket = _bucket(size, fitter)
    is_small = fitter.rule.bucket_no_upscale and size[0] * size[1] <= fitter.rule.resolution[0] * fitter.rule.resolution[1]
    return bucket if bucket is not None and is_small else size


def _bucket(size: Size, fitter: Fitter) -> Size | None:
    """The training size that a trainer takes; None: it is narrower than one step of a training that enlarges nothing."""
    try:
        return fitter.fit(size).bucket
    except ConfigError:
        return None


def _whole_pixels(ratio: float, tall: float, size: Size) -> Size:
    """Whole pixels whose proportions are within one pixel of the ratio."""
    if ratio >= 1:
        width = max(1, min(size[0], round(tall * ratio)))
        return width, max(1, min(size[1], round(width / ratio)))
    height = max(1, min(size[1], round(tall)))
    return max(1, min(size[0], round(height * ratio))), height


def _placed(begin: float, length: int, low: float, high: float, most: int) -> int | None:
    """Where a stretch begins, px: as near as can be to `begin`, within 0 to `most` and around `low` to `high`; None: it cannot."""
    first, last = max(0, math.ceil(min(high, most) - 1e-9) - length), min(most - length, math.floor(max(low, 0) + 1e-9))
    return min(max(round(begin), first), last) if first <= last else None
