"""How long a run has worked, and what that has cost so far."""

from __future__ import annotations

import time
from dataclasses import dataclass

from core.training.monitor.events import EventsReader
from core.training.run import Run


@dataclass(frozen=True)
class Spending:
    """Time and money of a run; what it waited for its turn, or was off, is not counted."""

    seconds: float = 0.0
    price_per_hour: float = 0.0
    """0: not known."""

    @property
    def price(self) -> float | None:
        """In the provider's currency; None where the price of an hour is not known."""
        return self.seconds / 3600 * self.price_per_hour if self.price_per_hour else None

    def words(self) -> str:
        """ "1.24 so far, at 0.5 an hour"; empty where the price is not known."""
        return "" if self.price is None else f"{self.price:.2f} so far, at {self.price_per_hour:g} an hour"


def spending_of(run: Run, events: EventsReader, active: bool) -> Spending:
    """Of a run now. Args: active: whether it is at work; one that vanished has worked until its last sign of life."""
    from core.training.finish.kept import price_of_hour

    now = time.time() if active else float(run.heartbeat().get("time", 0.0))
    return Spending(events.worked(now), price_of_hour(run.project_folder, events.price_per_hour))
