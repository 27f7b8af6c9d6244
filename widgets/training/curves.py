"""A run's figures as curves of a chart: loss and rates, gradient and layers, the machine."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.training.comparing import Comparison
from core.training.monitor import RunStatus
from core.training.monitor.curve import part_words
from widgets.components.chart import Curve
from widgets.pieces import table

LOSS_PANES = ["Loss", "Learning rate"]
NORM_PANES = ["Gradient norm", "Change of the weights, %"]
MOST_LAYERS = 12
USAGE = (("GPU memory, GiB", "used", 1 / 1024), ("GPU load, %", "load", 1.0), ("GPU temperature, °C", "temperature", 1.0),
         ("GPU power, W", "power", 1.0))


def loss_curves(status: RunStatus) -> list[Curve]:
    """Raw, smoothed and validation loss; below them the rates."""
    points = status.curve
    steps = [point.step for point in points]
    if not points:
        return []
    own = any(point.loss is not None for point in points)
    raw = [number(point.loss if own else point.average) for point in points]
    curves = [Curve("loss" if own else "average loss", steps, raw, faint=True),
              Curve("smoothed loss", steps, [number(point.smoothed) for point in points])]
    if validated := [point for point in points if point.validation is not None]:
        curves.append(Curve("validation loss", [point.step for point in validated], [number(point.validation) for point in validated]))
    for name in dict.fromkeys(name for point in points for name in point.lr):
        curves.append(Curve(f"rate of {part_words(name)}", steps, [number(point.lr.get(name)) for point in points], pane=1))
    return curves


def norm_curves(status: RunStatus) -> list[Curve]:
    """The gradient, raw and smoothed; below it how much a step changes each part of the model."""
    norms = status.norms
    if not norms.gradient:
        return []
    steps = [step for step, _, _ in norms.gradient]
    curves = [Curve("gradient", steps, [number(length) for _, length, _ in norms.gradient], faint=True),
              Curve("smoothed gradient", steps, [number(smoothed) for _, _, smoothed in norms.gradient])]
    return curves + [Curve(part, [step for step, _ in shares], [100 * share for _, share in shares], pane=1)
                     for part, shares in norms.parts if shares]


def layer_table(status: RunStatus) -> str:
    """The layers that changed most and least, by their share; empty before any was measured."""
    layers = sorted(status.norms.layers, key=lambda change: -change.share)
    still = sum(1 for change in layers if not change.update)
    moving = [change for change in layers if change.update]
    if not layers:
        return ""
    shown = moving if len(moving) <= 2 * MOST_LAYERS else [*moving[:MOST_LAYERS], *moving[-MOST_LAYERS // 2:]]
    rows: list[tuple[str, object]] = [(change.name, f"{100 * change.share:.3g} % ({change.update:.3g} of {change.weight:.3g}), "
                                                    f"at step {change.step}") for change in shown]
    if len(shown) < len(moving):
        rows.insert(MOST_LAYERS, ("…", f"{len(moving) - len(shown)} layers between them"))
    if still:
        rows.append((f"{still} more", "not changed by the step at which they were measured"))
    return table(rows)


def usage_curves(status: RunStatus) -> tuple[list[str], list[Curve]]:
    """Panes and curves over minutes: memory, load, temperature and power of each GPU, free disk; only those that are told."""
    moments = status.usage
    if not moments:
        return [], []
    minutes = [(moment.time - moments[0].time) / 60 for moment in moments]
    panes: list[str] = []
    curves: list[Curve] = []
    cards = sorted({gpu.index for moment in moments for gpu in moment.gpus})
    for title, name, factor in USAGE:
        found = []
        for card in cards:
            mine = [next((gpu for gpu in moment.gpus if gpu.index == card), None) for moment in moments]
            values = [number(getattr(gpu, name)) * factor if gpu is not None else math.nan for gpu in mine]
            if any(math.isfinite(value) for value in values):
                found.append(Curve(f"GPU {card}: {title.partition(',')[0][4:]}", minutes, values, pane=len(panes)))
        if found:
            panes.append(title)
            curves += found
    curves.append(Curve("free disk", minutes, [moment.disk_free / 2**30 for moment in moments], pane=len(panes)))
    return [*panes, "Free disk, GiB"], curves


def compared_curves(comparison: Comparison, names: Sequence[str], by_time: bool) -> list[Curve]:
    """The smoothed loss of each run, and its validation loss where there is one. Args: by_time: over minutes, else over steps."""
    curves = []
    for colour, (run, name) in enumerate(zip(comparison.runs, names, strict=True), start=1):
        places = list(run.minutes) if by_time else [point.step for point in run.points]
        if not run.points or len(places) != len(run.points):
            continue
        curves.append(Curve(name, places, [number(point.smoothed) for point in run.points], colour=colour))
        validated = [(place, point.validation) for place, point in zip(places, run.points, strict=True) if point.validation is not None]
        if validated:
            curves.append(Curve(f"{name}, validation", [place for place, _ in validated], [number(loss) for _, loss in validated], pane=1,
                                colour=colour))
    return curves


def number(value: float | None) -> float:
    """NaN for what is not known: the line has a gap there."""
    return math.nan if value is None else value
