"""The limits of a run: how long, and how much money."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from core.base.errors import DiskError, StudioError
from core.base.jobs import read_events
from core.training.finish.providers import Machine, MachineFacts
from core.training.finish.settings import FinishSettings
from core.training.monitor.worked import Worked
from core.training.run import Run


class Limits:
    """Watches both; the provider is asked once, and only where its answer is needed."""

    def __init__(self, run: Run, settings: FinishSettings, machine: Machine) -> None:
        self.run, self.settings = run, settings
        self.trouble = ""
        """Why a limit cannot be kept; empty: it can, or there is none."""
        facts = self._ask(machine)
        self.price = settings.price_per_hour or facts.price_per_hour or 0.0
        if facts.price_per_hour:  # for the monitor, which asks no provider
            with contextlib.suppress(DiskError):
                run.note("price", per_hour=facts.price_per_hour)
        if settings.most_money and not self.price:
            self.trouble = (f"The limit of {settings.most_money:g} cannot be kept: the price of the machine is not known. "
                            f"{self.trouble}").rstrip()
        self._machine_start = facts.started or _first_process()
        self._worked, self._offset = Worked(), 0

    def _ask(self, machine: Machine) -> MachineFacts:
        settings = self.settings
        needed = (settings.most_money and not settings.price_per_hour) or (
            settings.limit_since == "machine" and (settings.most_hours or settings.most_money))
        if needed and not machine.missing():
            try:
                return machine.facts()
            except StudioError as error:
                self.trouble = str(error)
        return MachineFacts()

    def hours(self, now: float | None = None) -> float:
        """How long it counts already; 0 while its training has not begun."""
        now = now or time.time()
        if self.settings.limit_since == "machine":
            return max(0.0, now - self._machine_start) / 3600 if self._machine_start else 0.0
        events, self._offset = read_events(self.run.folder, self._offset)
        for event in events:
            self._worked.take(event)
        return self._worked.until(now) / 3600

    def reached(self, now: float | None = None) -> str:
        """Which limit is reached, as a sentence; empty: none."""
        hours, settings = self.hours(now), self.settings
        if settings.most_hours and hours >= settings.most_hours:
            return f"The limit of {settings.most_hours:g} hours is reached."
        if settings.most_money and self.price and hours * self.price >= settings.most_money:
            return f"The limit of {settings.most_money:g} is reached: {hours:.2f} hours at {self.price:g} an hour."
        return ""


def limit_events(run: Run) -> list[dict[str, Any]]:
    """The stops that limits have asked for."""
    return [event for event in read_events(run.folder)[0] if event.get("event") == "finish" and event.get("step") == "limit"]


def _first_process() -> float:
    """When this machine's or container's first process was started; 0 where that is not told."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return float(psutil.Process(1).create_time())
    return 0.0
