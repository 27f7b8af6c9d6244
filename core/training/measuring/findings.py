"""What a short run says of the planned training that is worth a word, each with its remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from core.base.findings import Finding
from core.training.config.finding import SettingFinding
from core.training.duration import rough_time
from core.training.measuring.fitting_caps import fitting_length
from core.training.measuring.measured import Measured
from core.training.measuring.outlook import Outlook
from core.training.relief import Relief
from core.training.watching.ladder import Change, Situation, next_change

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

NEARLY_FULL = 0.95
"""Share of the GPU's memory above which a longer run may end for a few MiB."""
LENGTHS = {"max_train_epochs": "Epochs", "max_train_steps": "Steps"}


def failure_of(measured: Measured, settings: TrainingSettings) -> SettingFinding:
    """Why the short run failed, with the next downgrade where memory was the cause."""
    assert measured.cause is not None
    what, change = f"The short run failed. {measured.cause.sentence}", next_rung(measured, settings)
    if change is None:
        return SettingFinding("error", what, measured.cause.hint)
    if change.relief is not None:
        return SettingFinding("error", what, "A run goes on with less by itself, as often as 'Tries with less memory' in the panel Train "
                              f"allows: {change.sentence}. Or lower 'Batch size' (batch_size).")
    fix = tuple((name, value) for part in change.settings.values() for name, value in part.items())
    return SettingFinding("error", what, f"Train with less: {change.sentence}.", fix=fix)


def next_rung(measured: Measured, settings: TrainingSettings) -> Change | None:
    """What a run would try next when the GPU's memory ran out; None: it did not, or nothing is left to lower."""
    if measured.cause is None or measured.cause.kind != "out_of_memory":
        return None
    return next_change(Situation(settings, measured.backend, Relief()))


def findings_of(measured: Measured, settings: TrainingSettings, counts: list[int], found: Outlook | None, limits: Mapping[str, float]
                ) -> list[Finding]:
    """Errors first.

    Args: limits: `price` of an hour, `most_money` and `most_hours` of the planned run; 0: not known, none.
    """
    told: list[Finding] = []
    if measured.cause is not None:
        told.append(failure_of(measured, settings))
    elif measured.ended_for:
        told.append(Finding("warning", measured.ended_for, "Raise the cap to measure the rest."))
    if found is not None:
        told += _missing(found, settings)
        told += _money(measured, settings, counts, found, limits)
        told += _hours(measured, settings, counts, found, limits)
    told += nearly_full(measured)
    return sorted(told, key=lambda one: ("error", "warning", "info").index(one.level))


def _missing(found: Outlook, settings: TrainingSettings) -> Iterator[Finding]:
    if found.missing:
        yield Finding("warning", f"The short run did not come to its {' and '.join(found.missing)}, which are therefore not counted in "
                      "time and price.", "Raise the caps and measure again.")
    if settings.data.validation_split:
        yield Finding("info", "A short run holds no pictures back: what validation takes is not counted in time and price.")


def _money(measured: Measured, settings: TrainingSettings, counts: list[int], found: Outlook, limits: Mapping[str, float]
           ) -> Iterator[Finding]:
    price, cap = limits["price"], limits["most_money"]
    if not price or not cap or found.price(price) <= cap:
        return
    yield _too_long(measured, settings, counts, cap / price * 3600, "error",
                    f"The training would cost about {found.price(price):.2f} ({rough_time(found.whole)} at {price:g} an hour), more than "
                    f"the spend cap of {cap:g}.", "raise the cap")


def _hours(measured: Measured, settings: TrainingSettings, counts: list[int], found: Outlook, limits: Mapping[str, float]
           ) -> Iterator[Finding]:
    hours = limits["most_hours"]
    if not hours or found.whole <= hours * 3600:
        return
    yield _too_long(measured, settings, counts, hours * 3600, "warning",
                    f"The training would take about {rough_time(found.whole)}, but would be stopped after {hours:g} hours ('Most hours' in "
                    "the panel After the run).", "raise that limit")


def _too_long(measured: Measured, settings: TrainingSettings, counts: list[int], most_seconds: float, level: Any, what: str, else_do: str
              ) -> SettingFinding:
    length = fitting_length(measured, settings, counts, most_seconds)
    if length is None:
        return SettingFinding(level, what, "Not even the shortest training of these settings fits: lower the resolution or the samples, or "
                              f"{else_do}.")
    name, most = length
    return SettingFinding(level, what, f"Set '{LENGTHS[name]}' ({name}) to {most}, which fits, or {else_do}.", fix=((name, most),))


def nearly_full(measured: Measured) -> Iterator[Finding]:
    """That the GPU was so full that a longer run may not fit."""
    memory = measured.memory
    if memory.gpu_total and memory.gpu >= NEARLY_FULL * memory.gpu_total and measured.cause is None:
        others = f", {_gib(memory.gpu_before)} of it by others" if memory.gpu_before >= 100 else ""
        yield Finding("warning", f"The GPU was filled to {_gib(memory.gpu)} of {_gib(memory.gpu_total)}{others}: a longer run may end for "
                      "want of memory.", "Close other programs, or lower the batch size and raise 'Accumulate' "
                      "(gradient_accumulation_steps) as much.")


def _gib(mebibytes: float) -> str:
    return f"{mebibytes / 1024:.1f} GiB"
