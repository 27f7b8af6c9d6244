"""How long a run has worked, and what that has cost so far."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from core.base.errors import StudioError
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
    now = time.time() if active else float(run.heartbeat().get("time", 0.0))
    return Spending(events.worked(now), _price_given(run) or events.price_per_hour)


def _price_given(run: Run) -> float:
    """What the machine costs an hour, as it was told in the panel After the run; 0: nobody told it."""
    from core.training.finish.kept import read_finish_settings

    with contextlib.suppress(StudioError):
        return read_finish_settings(run.project_folder)[0].price_per_hour
    return 0.0
