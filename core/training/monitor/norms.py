"""Reads norms.jsonl of a run: how long the gradient of each step was, and how much each layer changed; only the new bytes at each call.

It is written inside the trainer's process (`core.training.backends.inside.lorabook_norms`).
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.training.monitor.curve import smooth

FILE = "norms.jsonl"
SILENT_STEPS = 50
"""Steps after which a training of which nothing was measured is taken for one that cannot be measured."""
GRADIENTS = 1500
"""Most steps whose gradient a status carries."""
_PART = re.compile(r"^[a-z]+_(unet|te\d?)_")
_PARTS = {"unet": "U-Net", "te": "text encoder", "te1": "text encoder 1", "te2": "text encoder 2"}


@dataclass(frozen=True)
class LayerChange:
    """How much one step changed one layer, when it was measured last."""

    name: str
    step: int
    update: float
    """Length of the change of all its weights."""
    weight: float
    """Length of the weights before it."""

    @property
    def share(self) -> float:
        """The change as a share of the weights; 0 where both are 0."""
        return self.update / self.weight if self.weight else 0.0


@dataclass(frozen=True)
class Norms:
    """What was measured of a run so far."""

    gradient: tuple[tuple[int, float | None, float | None], ...] = ()
    """Step, length, smoothed length; None: it was no number, and fp16 passed the step over."""
    layers: tuple[LayerChange, ...] = ()
    """In the order of the model."""
    parts: tuple[tuple[str, tuple[tuple[int, float], ...]], ...] = ()
    """For U-Net, text encoder …: steps, and the change of all its layers together as a share of their weights."""
    off: str = ""
    """Why it is not measured any more; empty: it is."""

    @property
    def last_gradient(self) -> float | None:
        """Of the last step that has one."""
        return next((length for _, length, _ in reversed(self.gradient) if length is not None), None)

    def off_words(self) -> str:
        """That it is not measured, or not any more, and why; empty where it is."""
        return f"Not measured{' any more' if self.gradient or self.layers else ''}: {self.off}." if self.off else ""


class NormsReader:
    """What the file of a run told so far; a resumed run does the steps again that it makes anew."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._forget()

    def _forget(self) -> None:
        self._offset = 0
        self._names: list[str] = []
        self._gradient: dict[int, float | None] = {}
        self._layers: dict[str, LayerChange] = {}
        self._parts: dict[str, dict[int, float]] = {}
        self._off = ""
        self._norms = Norms()

    def read(self, steps: int = 0) -> Norms:
        """Take in what was appended since the last call. Args: steps: that were made meanwhile, to tell that nothing will come."""
        self._take_in(list(self._fresh()))
        if steps >= SILENT_STEPS and not (self._norms.gradient or self._norms.layers or self._norms.off):
            return Norms(off=f"in {steps} steps no step of an optimizer was heard, as with 'fused_backward_pass'")
        return self._norms

    def _take_in(self, fresh: Sequence[Mapping[str, Any]]) -> None:
        if not fresh:
            return
        for row in fresh:
            handler = getattr(self, f"_on_{row.get('kind', '')}", None)
            if handler is not None:
                with contextlib.suppress(KeyError, TypeError, ValueError):  # a damaged row
                    handler(row)
        parts = tuple((part, tuple(sorted(steps.items()))) for part, steps in self._parts.items())
        self._norms = Norms(tuple(self._gradients()), tuple(self._layers.values()), parts, self._off)

    def _fresh(self) -> Iterable[dict[str, Any]]:
        try:
            with open(self.path, "rb") as file:
                if file.seek(0, 2) < self._offset:  # somebody replaced the file
                    self._forget()
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        rows = []
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):
                rows.append(json.loads(line))
        return [row for row in rows if isinstance(row, dict)]

    def _on_begin(self, row: dict[str, Any]) -> None:
        step = int(row["step"])
        self._names, self._off = [str(name) for name in row["layers"]], ""
        self._layers = {name: change for name, change in self._layers.items() if name in self._names}
        self._gradient = {known: length for known, length in self._gradient.items() if known <= step}
        self._parts = {part: {known: share for known, share in steps.items() if known <= step} for part, steps in self._parts.items()}

    def _on_steps(self, row: dict[str, Any]) -> None:
        for step, length in enumerate(row["gradient"], start=int(row["first"])):
            self._gradient[step] = None if length is None else float(length)

    def _on_layers(self, row: dict[str, Any]) -> None:
        step, names = int(row["step"]), self._names[int(row["first"]):]
        for name, update, weight in zip(names, row["update"], row["weight"], strict=False):
            if update is not None and weight is not None:
                self._layers[name] = LayerChange(name, step, float(update), float(weight))
        gathered: dict[str, list[LayerChange]] = {}
        for change in self._layers.values():
            gathered.setdefault(part_of(change.name), []).append(change)
        for part, changes in gathered.items():
            weight = math.hypot(*(change.weight for change in changes))
            if weight:
                self._parts.setdefault(part, {})[step] = math.hypot(*(change.update for change in changes)) / weight

    def _on_off(self, row: dict[str, Any]) -> None:
        self._off = str(row["why"])

    def _gradients(self) -> Iterable[tuple[int, float | None, float | None]]:
        steps = sorted(self._gradient)
        smoothed = smooth([self._gradient[step] for step in steps])
        stride = max(1, math.ceil(len(steps) / GRADIENTS))
        last = len(steps) - 1
        return [(step, self._gradient[step], smoothed[place]) for place, step in enumerate(steps) if place % stride == 0 or place == last]


def part_of(layer: str) -> str:
    """Which part of the model a layer belongs to, in words; by the names of LoRA files."""
    found = _PART.match(layer)
    return _PARTS.get(found.group(1), "all layers") if found else "all layers"
