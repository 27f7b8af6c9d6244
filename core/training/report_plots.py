"""A run's figures as inline SVG for the report: every chart has words beside it, and nothing is fetched or run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.training.comparing import Comparison
from core.training.monitor.curve import CurvePoint, part_words, thin
from core.training.monitor.norms import Norms
from core.training.monitor.usage import Moment
from core.training.report_parts import escape

WIDTH, LEFT, BOTTOM, TOP = 760, 62, 34, 10
MOST_POINTS = 500
"""Of one line; more cannot be told apart and only make the file larger."""
COLOURS = 6


@dataclass(frozen=True)
class PlotLine:
    """One line of a chart."""

    label: str
    points: Sequence[tuple[float, float | None]]
    """x and y; what is no number is left out."""
    raw: bool = False
    """Drawn thin and pale, behind the others."""


def loss_plot(points: Sequence[CurvePoint]) -> str:
    """The loss: raw thin, smoothed bold, validation beside them; "" when no number is known."""
    chosen = thin(list(points), MOST_POINTS)
    told = [(point.step, point.average if point.loss is None else point.loss) for point in chosen]
    lines = [PlotLine("as the trainer told it", told, raw=True),
             PlotLine("smoothed", [(point.step, point.smoothed) for point in chosen]),
             PlotLine("validation", [(point.step, point.validation) for point in chosen if point.validation is not None])]
    numbers = [value for _, value in finite(lines[1])] or [value for _, value in finite(lines[0])]
    return plot(lines, f"Loss of {points[-1].step} steps, smoothed at the end {numbers[-1]:.4g}", "steps") if numbers else ""


def rate_plot(points: Sequence[CurvePoint]) -> str:
    """The learning rates by part."""
    chosen = thin(list(points), MOST_POINTS)
    names = dict.fromkeys(name for point in chosen for name in point.lr)
    lines = [PlotLine(part_words(name), [(point.step, point.lr.get(name)) for point in chosen]) for name in names]
    return plot(lines, "Learning rate", "steps")


def norm_plots(norms: Norms) -> str:
    """The gradient's length, and how much a step changes each part of the model."""
    stride = max(1, len(norms.gradient) // MOST_POINTS)
    gradient = norms.gradient[::stride]
    lines = [PlotLine("each step", [(step, length) for step, length, _ in gradient], True),
             PlotLine("smoothed", [(step, smoothed) for step, _, smoothed in gradient])]
    parts = [PlotLine(part, [(step, 100 * share) for step, share in shares]) for part, shares in norms.parts]
    return plot(lines, "Gradient norm of a step, before it is clipped", "steps") + \
        plot(parts, "Change of a step, in % of the weights", "steps")


def usage_plots(moments: Sequence[Moment]) -> str:
    """Memory, load, temperature and power of each GPU, and the free disk, over minutes."""
    chosen = moments[::max(1, len(moments) // MOST_POINTS)]
    cards = sorted({gpu.index for moment in chosen for gpu in moment.gpus})
    text = ""
    for words, name, factor in (("GPU memory in use, GiB", "used", 1 / 1024), ("GPU load, %", "load", 1.0),
                                ("GPU temperature, °C", "temperature", 1.0), ("GPU power, W", "power", 1.0)):
        text += plot([PlotLine(f"GPU {card}", [(_minutes(moment, chosen), value * factor) for moment in chosen for gpu in moment.gpus
                                               if gpu.index == card and (value := getattr(gpu, name)) is not None]) for card in cards],
                     words, "minutes", 160)
    return text + plot([PlotLine("free", [(_minutes(moment, chosen), moment.disk_free / 2**30) for moment in chosen])],
                       "Free disk, GiB", "minutes", 160)


def comparison_plots(comparison: Comparison) -> str:
    """The smoothed losses of all runs, over steps and, where the times of all are known, over minutes."""
    def lines(by_time: bool) -> list[PlotLine]:
        found = []
        for run in comparison.runs:
            places: Sequence[float] = run.minutes if by_time else [point.step for point in run.points]
            chosen = list(zip(places, run.points, strict=False))[::max(1, len(run.points) // MOST_POINTS)]
            found.append(PlotLine(run.id, [(place, point.smoothed) for place, point in chosen]))
        return found

    by_step = plot(lines(False), "Smoothed loss", "steps")
    return by_step + (plot(lines(True), "Smoothed loss", "minutes") if comparison.has_minutes else "")


def plot(lines: Sequence[PlotLine], words: str, x_words: str, height: int = 260) -> str:
    """One chart; "" when no number is known. Args: words: what it shows, below it. height: of its drawing, in px at full width."""
    drawn = [(line, finite(line)) for line in lines]
    values = [value for _, points in drawn for _, value in points]
    if not values:
        return ""
    places = [place for _, points in drawn for place, _ in points]
    first, last = min(places), max(places)
    last = last if last > first else first + 1
    ticks = round_ticks(min(values), max(values))
    low, high = min(*values, ticks[0]), max(*values, ticks[-1])

    def x(place: float) -> float:
        return LEFT + (place - first) / (last - first) * (WIDTH - LEFT - 12)

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (height - BOTTOM - TOP)

    parts = [f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 12}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
             f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.4g}</text>' for value in ticks]
    for place in _x_ticks(first, last):
        parts.append(f'<text x="{x(place):.1f}" y="{height - 12}" text-anchor="middle">{place:g}</text>')
    colours = _colours(lines)
    for line, points in sorted(drawn, key=lambda found: not found[0].raw):
        if len(points) == 1:
            parts.append(f'<circle class="{colours[line.label]}" cx="{x(points[0][0]):.1f}" cy="{y(points[0][1]):.1f}" r="3"/>')
        elif points:
            path = " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in points)
            parts.append(f'<polyline class="{colours[line.label]}" points="{path}"/>')
    legend = "".join(f'<span class="{colours[line.label]}"><i></i>{escape(line.label)}</span>' for line, points in drawn if points)
    return (f'<figure><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(words)}">{"".join(parts)}</svg>'
            f'<figcaption class="state">{escape(words)}, over {x_words}.<span class="legend">{legend}</span></figcaption></figure>')


def finite(line: PlotLine) -> list[tuple[float, float]]:
    """Its points whose value is a number."""
    return [(place, value) for place, value in line.points if value is not None and math.isfinite(value)]


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) from below `low` to above `high`, four to nine of them."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(times * power for times in (1, 2, 5, 10) if span / (times * power) <= 6)
    first = math.floor(low / step)
    return [number * step for number in range(first, max(math.ceil(high / step), first + 1) + 1)]


def _x_ticks(first: float, last: float) -> Iterable[float]:
    """Round places between the first and the last."""
    return [place for place in round_ticks(first, last) if first <= place <= last]


def _colours(lines: Sequence[PlotLine]) -> dict[str, str]:
    """A class for each line: raw ones are pale, the others have a colour each."""
    names, number = {}, 0
    for line in lines:
        names[line.label] = "raw" if line.raw else f"line line{number % COLOURS}"
        number += not line.raw
    return names


def _minutes(moment: Moment, moments: Sequence[Moment]) -> float:
    return (moment.time - moments[0].time) / 60
