"""What the canvas in the browser tells, read and checked: strokes, shapes, points and boxes inside of the picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OPERATIONS = ("stroke", "rectangle", "polygon")
HOW = ("add", "subtract", "intersect")
"""What an operation does with the mask; a stroke knows the first two."""
WISHES = ("undo", "redo", "save")
Size = tuple[int, int]


@dataclass(frozen=True)
class Deed:
    """Something that was done on the canvas."""

    number: int
    """Grows by one with each; `Canvas.show_overlay` is told it."""
    kind: str
    """stroke, rectangle or polygon (drawn on the mask), undo, redo, save, or crop (the box was confirmed)."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Of a stroke: points [[x, y], …], width, how ("add" or "subtract"); of a rectangle: first, second, how (`HOW`); of a polygon:
    points, how;
    of a crop: box [left, top, right, bottom], whole pixels."""

    @property
    def is_operation(self) -> bool:
        """Whether it changes the mask."""
        return self.kind in OPERATIONS

    @property
    def operation(self) -> dict[str, Any]:
        """An operation on a mask as plain data: `op` and the fields."""
        return {"op": self.kind, **self.fields}


@dataclass(frozen=True)
class Wanted:
    """A part of the picture that is looked at more closely than its preview is sharp."""

    version: int
    """Of the picture that is meant."""
    box: tuple[int, int, int, int]
    """left, top, right, bottom, px of the picture."""
    scale: float
    """Pixels of the screen for one of the picture, at most 1: more than it has is not wished for."""

    @property
    def size(self) -> Size:
        """Width and height in which it is wished for, px."""
        left, top, right, bottom = self.box
        return max(1, round((right - left) * self.scale)), max(1, round((bottom - top) * self.scale))


def read_deed(number: int, given: Mapping[str, Any], size: Size) -> Deed | None:
    """A deed out of a message, its points inside of the picture; None: it is none. Args: size: of the picture, px."""
    kind = str(given.get("kind"))
    if kind in WISHES:
        return Deed(number, kind)
    if kind == "crop":
        box = read_box(given.get("box"), size)
        return Deed(number, kind, {"box": box}) if box else None
    how = given.get("how")
    if kind not in OPERATIONS or how not in (HOW[:2] if kind == "stroke" else HOW):
        return None
    listed = [given.get("first"), given.get("second")] if kind == "rectangle" else _listed(given.get("points"))
    points = [_point(one, size) for one in listed]
    placed = [point for point in points if point is not None]
    if len(placed) < len(points) or len(placed) < {"stroke": 1, "rectangle": 2, "polygon": 3}[kind]:
        return None
    if kind == "rectangle":
        return Deed(number, kind, {"first": placed[0], "second": placed[1], "how": how})
    if kind == "polygon":
        return Deed(number, kind, {"points": placed, "how": how})
    width = _number(given.get("width"))
    return Deed(number, kind, {"points": placed, "width": width, "how": how}) if width is not None and width > 0 else None


def read_points(given: Any, size: Size) -> list[list[float]]:
    """Points with 1 (meant) or 0; what is none is left out."""
    found = []
    for one in _listed(given):
        point = _point(one[:2], size) if isinstance(one, (list, tuple)) and len(one) == 3 else None
        if point is not None:
            found.append([*point, 1 if one[2] else 0])
    return found


def read_box(given: Any, size: Size) -> list[float]:
    """left, top, right, bottom inside of the picture; [] for what is no box."""
    if not isinstance(given, (list, tuple)) or len(given) != 4:
        return []
    first, second = _point(given[:2], size), _point(given[2:], size)
    if first is None or second is None:
        return []
    (left, top), (right, bottom) = first, second
    return [left, top, right, bottom] if left < right and top < bottom else []


def read_wanted(given: Mapping[str, Any], shown: Mapping[str, Any]) -> Wanted | None:
    """What part is wished for; None: none, or of a picture that is gone. Args: shown: `Canvas.shown`."""
    box, scale = read_box(given.get("box"), (shown.get("width", 0), shown.get("height", 0))), _number(given.get("scale"))
    if not box or scale is None or not 0 < scale <= 1 or given.get("version") != shown.get("version"):
        return None
    left, top, right, bottom = (round(value) for value in box)
    return Wanted(int(shown["version"]), (left, top, right, bottom), scale)


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, (list, tuple)) else []


def _number(given: Any) -> float | None:
    return given if isinstance(given, (int, float)) and not isinstance(given, bool) and math.isfinite(given) else None


def _point(given: Any, size: Size) -> list[float] | None:
    if not isinstance(given, (list, tuple)) or len(given) != 2:
        return None
    x, y = (_number(value) for value in given)
    return None if x is None or y is None else [min(max(x, 0), size[0]), min(max(y, 0), size[1])]
