"""What a mask drawn by hand is made of: shapes that are added, taken away or intersected, and changes of the whole mask."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.base.errors import DatasetError
from core.dataset.images.masks import Place, at_place, combine, empty_mask, feather, grow, harden, invert, polygon, rectangle, stroke
from core.dataset.images.segmenting.clicking import SamName
from core.dataset.images.segmenting.sam import Prompt
from core.dataset.images.segmenting.shaping import filled

if TYPE_CHECKING:
    from core.dataset.images.masks import Mask

Size = tuple[int, int]
"""Width and height, px."""
Coordinate = Annotated[float, Field(ge=-100_000, le=100_000, allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate]
"""x, y in pixels of the version that is shown; 0, 0 is its upper left corner."""
Box = tuple[int, int, int, int]
"""Left, top, right, bottom; right and bottom are not within."""
MOST_POINTS = 20_000
"""Of one stroke or polygon."""
BESIDE = 2
"""Pixels that a shape may reach beyond its points."""


class Sources:
    """Where masks come from that a model made. This one has none."""

    def given(self, name: str, size: Size) -> Mask:
        """A mask that was kept under a name. Raises: DatasetError: there is none."""
        raise DatasetError(f"The mask {name!r} is not kept here.", "Leave the operation out, or let the model make it anew.")

    def segment(self, model: str, prompt: Prompt, size: Size) -> Mask:
        """What a model answers to clicks. Raises: DatasetError, ModelError, ConfigError."""
        raise DatasetError("No picture is shown that a model could look at.", "Leave the operation out.")


class _Operation(BaseModel, ABC):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @abstractmethod
    def apply(self, mask: Mask, sources: Sources) -> Mask:
        """The mask with it. Args: mask: may be changed. Raises: DatasetError, ModelError, ConfigError: a model's mask cannot be had."""


class _Shape(_Operation):
    """Something that is added to the mask before it, taken from it, or intersected with it."""

    how: Literal["add", "subtract", "intersect"] = "add"

    def box(self, size: Size) -> Box:
        """Where it may count; elsewhere it counts nowhere."""
        return 0, 0, *size

    @abstractmethod
    def drawn(self, size: Size, at: tuple[int, int], sources: Sources, whole: Size) -> Mask:
        """Within a box of that size whose corner lies there. Args: whole: size of the picture."""

    def apply(self, mask: Mask, sources: Sources) -> Mask:
        """Drawn into the mask, which is changed in its box only."""
        whole = mask.shape[1], mask.shape[0]
        left, top, right, bottom = _within(self.box(whole), whole)
        if self.how == "intersect":
            kept = empty_mask(whole)
            if right > left and bottom > top:
                shape = self.drawn((right - left, bottom - top), (left, top), sources, whole)
                kept[top:bottom, left:right] = combine(mask[top:bottom, left:right], shape, "intersect")
            return kept
        if right > left and bottom > top:
            shape = self.drawn((right - left, bottom - top), (left, top), sources, whole)
            mask[top:bottom, left:right] = combine(mask[top:bottom, left:right], shape, self.how)
        return mask


class Stroke(_Shape):
    """A round brush; `subtract` is the eraser."""

    op: Literal["stroke"] = "stroke"
    points: tuple[Point, ...] = Field(min_length=1, max_length=MOST_POINTS)
    width: float = Field(gt=0, le=20_000, allow_inf_nan=False)

    def box(self, size: Size) -> Box:
        """Its points, and half its width around them."""
        return _around(self.points, self.width / 2)

    def drawn(self, size: Size, at: tuple[int, int], sources: Sources, whole: Size) -> Mask:
        """What the brush touches."""
        return stroke(size, _moved(self.points, at), self.width)


class Rectangle(_Shape):
    """Between two opposite corners."""

    op: Literal["rectangle"] = "rectangle"
    start: Point = Field(alias="from")
    end: Point = Field(alias="to")

    def box(self, size: Size) -> Box:
        """Its corners."""
        return _around((self.start, self.end), 0)

    def drawn(self, size: Size, at: tuple[int, int], sources: Sources, whole: Size) -> Mask:
        """Its inside; a pixel at the edge counts by how much of it is covered."""
        return rectangle(size, *_moved((self.start, self.end), at))


class Polygon(_Shape):
    """A line that closes by itself."""

    op: Literal["polygon"] = "polygon"
    points: tuple[Point, ...] = Field(min_length=3, max_length=MOST_POINTS)

    def box(self, size: Size) -> Box:
        """Its points."""
        return _around(self.points, 0)

    def drawn(self, size: Size, at: tuple[int, int], sources: Sources, whole: Size) -> Mask:
        """Its inside."""
        return polygon(size, _moved(self.points, at))


class AtPlace(_Shape):
    """Where watermarks usually stand."""

    op: Literal["place"] = "place"
    place: Place
    width: float = Field(gt=0, le=100)
    height: float = Field(gt=0, le=100)

    def drawn(self, size: Size, at: tuple[int, int], sources: Sources, whole: Size) -> Mask:
        """A rectangle; width and height are percent of the picture's."""
        return at_place(whole, self.place, self.width, self.height)


class Clicks(_Shape):
    """What a model answers to points and a box."""

    op: Literal["segment"] = "segment"
    model: SamName  # type: ignore[valid-type]
    points: tuple[tuple[Coordinate, Coordinate, bool], ...] = Field(default=(), max_length=200)
    rectangle: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = Field(default=None, alias="box")

    def drawn(self, size: Size, at: tuple[int, int], sources: Sources, whole: Size) -> Mask:
        """Raises: as `Sources.segment`."""
        return sources.segment(str(self.model), self.prompt(), whole)

    def prompt(self) -> Prompt:
        """As the model is asked."""
        return Prompt(self.points, self.rectangle)


class Given(_Shape):
    """A mask that a model made and that is kept."""

    op: Literal["given"] = "given"
    name: str = Field(pattern=r"[0-9a-f]{16}")

    def drawn(self, size: Size, at: tuple[int, int], sources: Sources, whole: Size) -> Mask:
        """Raises: as `Sources.given`."""
        return sources.given(self.name, whole)


class Invert(_Operation):
    """What did not count counts."""

    op: Literal["invert"] = "invert"

    def apply(self, mask: Mask, sources: Sources) -> Mask:
        """The background."""
        return invert(mask)


class Grow(_Operation):
    """Every edge moved outwards; below 0: inwards."""

    op: Literal["grow"] = "grow"
    pixels: int = Field(ge=-2000, le=2000)

    def apply(self, mask: Mask, sources: Sources) -> Mask:
        """By a disc."""
        return grow(mask, self.pixels)


class Feather(_Operation):
    """Edges made soft."""

    op: Literal["feather"] = "feather"
    pixels: float = Field(ge=0, le=2000, allow_inf_nan=False)

    def apply(self, mask: Mask, sources: Sources) -> Mask:
        """By a Gaussian."""
        return feather(mask, self.pixels)


class Threshold(_Operation):
    """Edges made hard."""

    op: Literal["threshold"] = "threshold"
    value: int = Field(default=128, ge=1, le=255)

    def apply(self, mask: Mask, sources: Sources) -> Mask:
        """From the value on it counts wholly."""
        return harden(mask, self.value)


class FillHoles(_Operation):
    """What is surrounded by the mask counts too."""

    op: Literal["fill"] = "fill"

    def apply(self, mask: Mask, sources: Sources) -> Mask:
        """Without holes."""
        return filled(mask)


class Clear(_Operation):
    """Nothing counts any more, or everything."""

    op: Literal["clear"] = "clear"
    whole: bool = False

    def apply(self, mask: Mask, sources: Sources) -> Mask:
        """Of one value."""
        return empty_mask((mask.shape[1], mask.shape[0]), 255 if self.whole else 0)


Operation = Annotated[Stroke | Rectangle | Polygon | AtPlace | Clicks | Given | Invert | Grow | Feather | Threshold | FillHoles | Clear,
                      Field(discriminator="op")]


def _around(points: Sequence[Point], reach: float) -> Box:
    across, down = [x for x, _ in points], [y for _, y in points]
    return (math.floor(min(across) - reach) - BESIDE, math.floor(min(down) - reach) - BESIDE,
            math.ceil(max(across) + reach) + BESIDE, math.ceil(max(down) + reach) + BESIDE)


def _within(box: Box, size: Size) -> Box:
    return max(0, box[0]), max(0, box[1]), min(size[0], box[2]), min(size[1], box[3])


def _moved(points: Sequence[Point], at: tuple[int, int]) -> list[tuple[float, float]]:
    return [(x - at[0], y - at[1]) for x, y in points]
