"""What a short run may cost: time and money, and how it is ended when they are spent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import Cancelled, ConfigError, StudioError
from core.base.progress import Progress
from core.training.finish.kept import read_finish_settings
from core.training.finish.providers import find_machine
from core.training.measuring.settings import MeasureSettings
from core.training.run import Run, StopWish
from core.training.watching.requests import StopRequest

PRICE_REMEDY = "Write 'Price of the machine' in the panel After the run, or set the spend cap to 0."


@dataclass(frozen=True)
class Caps:
    """What a short run may cost, and what the planned one may."""

    price: float
    """Of an hour; 0: not known."""
    most_money: float
    """0: no cap."""
    most_minutes: float
    most_hours: float
    """Of the planned run, as the panel After the run limits it; 0: no limit."""

    def reached(self, seconds: float) -> str:
        """Which cap so many seconds reach, as a sentence; empty: none."""
        if self.most_money and self.price and self.price * seconds / 3600 >= self.most_money:
            return f"The short run was ended: it had cost the spend cap of {self.most_money:g}, at {self.price:g} an hour."
        if seconds >= 60 * self.most_minutes:
            return f"The short run was ended: it had taken the {self.most_minutes:g} minutes of the time cap."
        return ""


def caps_for(project_folder: Path, wanted: MeasureSettings, progress: Progress) -> Caps:
    """The caps of a project's short run: its own, else those that the project keeps for its runs.

    Raises: ConfigError: a spend cap was asked for and the price of the machine is not known, or the kept file is wrong.
    """
    kept, _ = read_finish_settings(project_folder)
    price, most_money = kept.price_per_hour or _asked_price(project_folder), wanted.most_money or kept.most_money
    if most_money and not price:
        sentence = f"The spend cap of {most_money:g} cannot be kept: the price of the machine is not known."
        if wanted.most_money:
            raise ConfigError(sentence, PRICE_REMEDY)
        progress.warn(f"{sentence} {PRICE_REMEDY}")
        most_money = 0.0
    return Caps(price, most_money, wanted.most_minutes, kept.most_hours)


def _asked_price(project_folder: Path) -> float:
    """What the provider says; 0: there is none, or it does not tell."""
    try:
        machine = find_machine(project_folder)
        return 0.0 if machine.missing() else machine.facts().price_per_hour or 0.0
    except StudioError:
        return 0.0


class CapStop(StopRequest):
    """Ends a short run when a cap is reached, or when who started it does not want to wait."""

    def __init__(self, run: Run, caps: Caps, progress: Progress) -> None:
        super().__init__(run, 1)
        self.caps, self.progress = caps, progress
        self.began = time.time()
        self.reached = ""
        """Which cap was reached, as a sentence."""

    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.time() - self.began

    def asked(self) -> StopWish:
        """Never gently: nothing of it is worth a last checkpoint."""
        self.reached = self.reached or self.caps.reached(self.seconds())
        try:
            self.progress.check()
        except Cancelled:
            return "force"
        return "force" if self.reached else ""

    def beat(self) -> None:
        """Nobody waits for signs of life: its job tells of it."""
