"""A line chart over steps: curves in panes above each other, with a readout under the pointer and by arrow keys."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets

HERE = Path(__file__).parent
MOST_POINTS = 1200
"""Points of one curve that go to the browser; more cannot be told apart on a screen."""


@dataclass(frozen=True)
class Curve:
    """One line of the chart."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    """May hold NaN: the line has a gap there."""
    pane: int = 0
    """0 is the upper pane."""
    faint: bool = False
    """Drawn thin and pale, behind the others: raw values."""
    colour: int | None = None
    """1 to 6: the same for lines that belong together; None: by its place among the curves, where the first two share one."""


class Chart(anywidget.AnyWidget):
    """Shows curves; redrawn when `show` is called.

    Attributes:
        curves: label, pane, faint, colour, x and y (little-endian float32) of each line.
        panes: title of each pane.
        x_title: what is counted from left to right.
    """

    _esm = HERE / "chart.js"
    _css = HERE / "chart.css"

    curves = traitlets.List(traitlets.Dict()).tag(sync=True)
    panes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    x_title = traitlets.Unicode("step").tag(sync=True)

    def show(self, curves: Sequence[Curve]) -> None:
        """Draw these curves instead of the present ones. Raises: ValueError: x and y differ in length."""
        self.curves = [self._packed(curve) for curve in curves]

    @staticmethod
    def _packed(curve: Curve) -> dict[str, Any]:
        if len(curve.x) != len(curve.y):
            raise ValueError(f"{curve.label}: {len(curve.x)} x and {len(curve.y)} y.")
        x, y = thin(curve.x, curve.y, MOST_POINTS)
        return {"label": curve.label, "pane": curve.pane, "faint": curve.faint, "colour": curve.colour,
                "x": array("f", x).tobytes(), "y": array("f", y).tobytes()}


def thin(x: Sequence[float], y: Sequence[float], most: int) -> tuple[list[float], list[float]]:
    """At most `most` points that look the same: of each stretch its lowest and highest point, in order, and both ends."""
    if len(x) <= most:
        return list(x), list(y)
    keep = {0, len(x) - 1}
    stretches = (most - 2) // 2
    for number in range(stretches):
        stretch = range(number * len(x) // stretches, (number + 1) * len(x) // stretches)
        real = [place for place in stretch if math.isfinite(y[place])]
        if real:
            keep |= {min(real, key=y.__getitem__), max(real, key=y.__getitem__)}
        else:
            keep.add(stretch[0])
    places = sorted(keep)
    return [x[place] for place in places], [y[place] for place in places]
