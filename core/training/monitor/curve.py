"""The loss curve: one point a step, smoothed as TensorBoard does, continued by a resumed run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

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
    validation: float | None = None
    """Loss on pictures that are not learned, where it was found at this step."""
    time: float | None = None
    """When it was made, in seconds since 1970 or since the run's beginning, as its source tells."""


class Curve:
    """Points by step; a later word on a step replaces an earlier one."""

    def __init__(self) -> None:
        self._points: dict[int, CurvePoint] = {}

    def __bool__(self) -> bool:
        return bool(self._points)

    def put(self, step: int, **known: Any) -> None:
        """Add what is known of a step, as fields of its point; values that are None leave earlier ones alone."""
        old = self._points.get(step, CurvePoint(step))
        self._points[step] = replace(old, **{name: value for name, value in known.items() if value is not None and value != {}})

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
        values = smooth([point.average if point.loss is None else point.loss for point in ordered])
        return [replace(point, smoothed=value) for point, value in zip(ordered, values, strict=True)]


def smooth(values: Sequence[float | None]) -> list[float | None]:
    """The exponential average up to each value; None before the first number. What is no number is passed over."""
    mean, weight = 0.0, 0.0
    smoothed: list[float | None] = []
    for value in values:
        if value is not None and math.isfinite(value):
            mean = SMOOTHING * mean + (1 - SMOOTHING) * value
            weight = SMOOTHING * weight + (1 - SMOOTHING)
        smoothed.append(mean / weight if weight else None)
    return smoothed


def thin(points: list[CurvePoint], most: int) -> list[CurvePoint]:
    """At most about `most` points, evenly chosen; the first and the last are kept, and every one with a validation."""
    if len(points) <= most:
        return points
    stride, last = math.ceil(len(points) / most), len(points) - 1
    return [point for place, point in enumerate(points) if place % stride == 0 or place == last or point.validation is not None]


def part_words(name: str) -> str:
    """A trained part as it is called on screen; the trainers write unet, textencoder, textencoder1 …"""
    return name.replace("textencoder", "text encoder ").rstrip() if name != "unet" else "U-Net"
