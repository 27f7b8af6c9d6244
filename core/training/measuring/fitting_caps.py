"""How long a planned training may be so that it costs no more than a cap."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.training.measuring.measured import Measured
from core.training.measuring.outlook import outlook

if TYPE_CHECKING:
    from core.training.config import TrainingSettings


def fitting_length(measured: Measured, settings: TrainingSettings, counts: list[int], most_seconds: float) -> tuple[str, int] | None:
    """The setting of the length, and the most that takes no longer; None: not even one epoch or step is short enough.

    Epochs where the length is given in epochs, else steps.
    """
    schedule = settings.schedule
    name = "max_train_epochs" if schedule.max_train_epochs is not None else "max_train_steps"

    def fits(length: int) -> bool:
        found = outlook(measured, settings.with_values(schedule={name: length}), counts)
        return found is not None and found.whole <= most_seconds

    now = outlook(measured, settings, counts)
    if now is None:
        return None
    most = _largest(fits, now.totals.epochs if name == "max_train_epochs" else now.totals.steps)
    return (name, most) if most else None


def _largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest number from 1 to `most` that fits, 0: none does. What fits is every number up to one."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
