"""What a supervisor knows of its trainer at a moment: step, pace, phase, the last losses. Fed by the same readers as the monitor."""

from __future__ import annotations

import statistics
import time
from collections import deque
from pathlib import Path

from core.training.monitor.curve import CurvePoint
from core.training.monitor.lines import LogFacts, LogParser
from core.training.monitor.tensorboard import TensorBoardReader, list_boards

LEAST_STEPS = 5
"""Steps after which a usual time of one is believed."""
TRAINING = "Training"


class Signs:
    """The signs of one try of a run.

    Args:
        fresh: lines of its output that nobody has read yet; they are taken out.
        logs: the folder of its TensorBoard files.
        step: where it goes on from.
        now: seconds of a clock that only goes forward.
    """

    def __init__(self, fresh: deque[str], logs: Path, step: int = 0, now: float | None = None) -> None:
        self.fresh = fresh
        self.moved = time.monotonic() if now is None else now
        """When it last showed that it moves."""
        self._parser = LogParser()
        self._parser.feed([f"=== attempt 1, from step {step} ==="])
        self._began = time.time()
        self._from = step
        self._boards = TensorBoardReader(logs, set(list_boards(logs)))  # what an earlier try logged is no sign of this one
        self._seen: tuple[int, str] = (step, "")
        self._paces: deque[float] = deque(maxlen=50)

    @property
    def facts(self) -> LogFacts:
        """Step, epoch, phase and numbers, as the lines told them."""
        return self._parser.facts

    @property
    def usual(self) -> float | None:
        """Seconds of a step, the median of the last ones; None before a few were made."""
        return statistics.median(self._paces) if len(self._paces) >= LEAST_STEPS else None

    def read(self, now: float | None = None) -> None:
        """Take in what came since the last call."""
        now = time.monotonic() if now is None else now
        lines = []
        while self.fresh:
            lines.append(self.fresh.popleft())
        self._parser.feed(lines)
        step, phase = self.facts.step, self.facts.phase
        if lines and (step, phase) != self._seen:
            made = step - self._seen[0]
            if made > 0 and self._seen[1] == phase == TRAINING:
                self._paces.extend([(now - self.moved) / made] * min(made, LEAST_STEPS))
            self._seen, self.moved = (step, phase), now

    def rest(self, now: float | None = None) -> None:
        """It was made to wait: that time is no sign of anything."""
        self.moved = time.monotonic() if now is None else now

    def losses(self, count: int) -> list[CurvePoint]:
        """The last points of this try's curve: with the loss of each step where TensorBoard files tell it, else printed averages."""
        self._boards.read([(self._began - 1.0, self._from)])
        exact = [point for point in self._boards.curve.latest(count) if point.loss is not None and point.step > self._from]
        return exact or [point for point in self._parser.curve.latest(count) if point.step > self._from]
