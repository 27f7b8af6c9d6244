"""How long the trainers of a run have worked in all attempts, from its events: what it waited for its turn, or was off, is not counted."""

from __future__ import annotations

from typing import Any


class Worked:
    """Adds the attempts up as their events come.

    An attempt counts from its first trainer to its end. One that vanished without a word counts to its last sign of life, which the next
    launch notes; where it did not, to its last event.
    """

    def __init__(self) -> None:
        self._before = self._began = self._last = 0.0
        self._attempt: object = None

    def take(self, event: dict[str, Any]) -> None:
        """The next event of the run."""
        kind, time = event.get("event"), float(event.get("time") or 0.0)
        if kind == "launch" and event.get("attempt") != self._attempt:  # else another try of the same attempt, whose end tells of all
            self._before, self._began = self.until(min(time, float(event.get("last_sign") or 0.0))), 0.0
            self._attempt = event.get("attempt")
        elif kind == "trainer":
            self._began = self._began or time
        elif kind == "end":
            self._before, self._began = self._before + float(event.get("seconds") or (time - self._began if self._began else 0.0)), 0.0
        self._last = time

    def until(self, now: float) -> float:
        """Seconds until a moment, in seconds since 1970; for a run that vanished, until its last sign of life."""
        return self._before + (max(0.0, now - self._began, self._last - self._began) if self._began else 0.0)
