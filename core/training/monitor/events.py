"""Reads the built-in trainer's events.jsonl (and the supervisor's words in it), only the new bytes at each call."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from core.base.jobs import read_events
from core.training.monitor.curve import Curve
from core.training.monitor.worked import Worked


class EventsReader:
    """What the events of a run told so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offset = 0
        self.curve = Curve()
        self.start: dict[str, Any] = {}
        self.last_step: dict[str, Any] = {}
        self.launches: list[dict[str, Any]] = []
        self.samples: list[dict[str, Any]] = []
        self.saved: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self.message = ""
        self.retries: list[str] = []
        """What was changed on the way, and why: one sentence for each try after the first."""
        self.paused = ""
        """Why it makes a pause; empty: it makes none."""
        self.ending = ""
        """What happens after the epoch, when somebody asked to stop then."""
        self.seconds: deque[float] = deque(maxlen=20)
        self.memory: dict[str, Any] = {}
        """What the trainer told at its end of the GPU's memory: reserved and allocated, in bytes."""
        self.price_per_hour = 0.0
        """What the provider asks, where it was asked; 0: not known."""
        self._worked = Worked()

    def read(self) -> None:
        """Take in what was appended since the last call."""
        events, self.offset = read_events(self.folder, self.offset)
        for event in events:
            handler = getattr(self, f"_on_{event.get('event', '')}", None)
            if handler is not None:
                handler(event)
            self._worked.take(event)

    def _on_launch(self, event: dict[str, Any]) -> None:
        self.launches.append(event)
        self.last_step, self.message, self.paused, self.ending = {}, "", "", ""
        self.seconds.clear()
        self.curve.cut_after(int(event.get("resumed_from", 0)))

    def _on_waiting(self, event: dict[str, Any]) -> None:
        self.message = str(event.get("message", ""))

    def _on_start(self, event: dict[str, Any]) -> None:
        self.start, self.message = event, ""

    def _on_retry(self, event: dict[str, Any]) -> None:
        self.retries.append(str(event.get("message", "")))

    def _on_paused(self, event: dict[str, Any]) -> None:
        self.paused = str(event.get("message", ""))

    def _on_continued(self, event: dict[str, Any]) -> None:
        self.paused = ""

    def _on_end(self, event: dict[str, Any]) -> None:
        self.paused = self.ending = ""

    def _on_trainer(self, event: dict[str, Any]) -> None:
        self.message = ""

    def _on_memory(self, event: dict[str, Any]) -> None:
        self.memory = event

    def _on_price(self, event: dict[str, Any]) -> None:
        self.price_per_hour = float(event.get("per_hour", 0.0))

    def _on_step(self, event: dict[str, Any]) -> None:
        if not isinstance(event.get("step"), int):
            return
        self.last_step = event
        lr = {str(name): float(value) for name, value in (event.get("lr") or {}).items()}
        self.curve.put(event["step"], loss=event.get("loss"), average=event.get("average_loss"), lr=lr, epoch=event.get("epoch"),
                       time=event.get("time"))
        if event.get("seconds"):
            self.seconds.append(float(event["seconds"]))

    def _on_sample(self, event: dict[str, Any]) -> None:
        self.samples.append(event)

    def _on_saved(self, event: dict[str, Any]) -> None:
        self.saved.append(event)

    def _on_warning(self, event: dict[str, Any]) -> None:
        self.warnings.append(str(event.get("message", "")))

    def worked(self, now: float) -> float:
        """Seconds that its trainers have worked in all attempts: what it waited for its turn, or was off, is not counted.

        Args: now: seconds since 1970; for a run that vanished, its last sign of life.
        """
        return self._worked.until(now)

    @property
    def seconds_per_step(self) -> float | None:
        """Mean of the last twenty steps."""
        return sum(self.seconds) / len(self.seconds) if self.seconds else None

    @property
    def resumed_from(self) -> int:
        """The step that the present attempt went on from."""
        return int(self.launches[-1].get("resumed_from", 0)) if self.launches else 0
