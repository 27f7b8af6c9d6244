"""The loss curve: one point a step, smoothed as TensorBoard does, continued by a resumed run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

SMOOTHING = 0.95
"""Weight of the past in the smoothed loss."""


@dataclass(frozen=True)
class CurvePoint:
    """What is known of one step."""

    step: int
    loss: float | None = None
    """Of this step alone; None where the trainer tells only averages."""
    average: float | None = None
    """The trainer's own average."""
    lr: dict[str, float] = field(default_factory=dict)
    epoch: int | None = None
    smoothed: float | None = None
    """Exponential average of `loss` (else of `average`), without the pull towards 0 at the beginning."""


class Curve:
    """Points by step; a later word on a step replaces an earlier one."""

    def __init__(self) -> None:
        self._points: dict[int, CurvePoint] = {}

    def __bool__(self) -> bool:
        return bool(self._points)

    def put(self, step: int, loss: float | None = None, average: float | None = None, lr: dict[str, float] | None = None,
            epoch: int | None = None) -> None:
        """Add what is known of a step; values that are None leave earlier ones alone."""
        old = self._points.get(step, CurvePoint(step))
        self._points[step] = CurvePoint(step, old.loss if loss is None else loss, old.average if average is None else average,
                                        lr or old.lr, old.epoch if epoch is None else epoch)

    def lr_of(self, step: int) -> dict[str, float]:
        """The learning rates known of a step."""
        return self._points[step].lr if step in self._points else {}

    def cut_after(self, step: int) -> None:
        """Forget what a resumed run will do again."""
        for late in [known for known in self._points if known > step]:
            del self._points[late]

    def latest(self, count: int) -> list[CurvePoint]:
        """The last points in the order of steps, not smoothed."""
        return [self._points[step] for step in sorted(self._points)[-count:]]

    def points(self) -> list[CurvePoint]:
        """In the order of steps, with the smoothed loss."""
        ordered = [self._points[step] for step in sorted(self._points)]
        mean, weight, smoothed = 0.0, 0.0, []
        for point in ordered:
            value = point.average if point.loss is None else point.loss
            if value is not None and math.isfinite(value):
                mean = SMOOTHING * mean + (1 - SMOOTHING) * value
                weight = SMOOTHING * weight + (1 - SMOOTHING)
            smoothed.append(CurvePoint(point.step, point.loss, point.average, point.lr, point.epoch, mean / weight if weight else None))
        return smoothed


def thin(points: list[CurvePoint], most: int) -> list[CurvePoint]:
    """At most about `most` points, evenly chosen; the first and the last are kept."""
    if len(points) <= most:
        return points
    stride = math.ceil(len(points) / most)
    chosen = points[::stride]
    return chosen if chosen[-1] is points[-1] else [*chosen, points[-1]]
