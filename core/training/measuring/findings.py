"""What a short run says of the planned training that is worth a word, each with its remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from core.base.findings import Finding
from core.base.words import counted
from core.training.config.finding import SettingFinding
from core.training.duration import rough_time
from core.training.measuring.fitting_caps import fitting_length
from core.training.measuring.measured import Measured
from core.training.measuring.outlook import Outlook
from core.training.measuring.shortened import processes_of
from core.training.relief import Relief
from core.training.watching.ladder import Change, Situation, next_change

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

NEARLY_FULL = 0.95
"""Share of the GPU's memory above which a longer run may end for a few MiB."""
OTHERS = 100
"""MiB of the GPU from which on what other programs held is worth a word."""
AGAIN = "Measure a short run"
"""The button."""
LENGTHS = {"max_train_epochs": "Epochs", "max_train_steps": "Steps"}


def failure_of(measured: Measured, settings: TrainingSettings, retries: int) -> SettingFinding:
    """Why the short run failed, with the next downgrade where memory was the cause, and always with a way to measure again.

    Args: retries: how often a run of the project tries with less memory by itself (`GuardSettings.memory_retries`).
    """
    assert measured.cause is not None
    what = f"The short run failed. {measured.cause.sentence}"
    if measured.cause.kind != "out_of_memory":
        return SettingFinding("error", what, f"{measured.cause.hint} Then measure again: '{AGAIN}'.".strip())
    return _out_of_memory(measured, what, measured.cause.hint, next_rung(measured, settings), retries)


def _out_of_memory(measured: Measured, what: str, hint: str, change: Change | None, retries: int) -> SettingFinding:
    """An error only where a run would certainly fail, too: with a rung left it goes on by itself, and what others held may be free now."""
    memory = measured.memory
    others = memory.gpu_before >= OTHERS
    if others:
        what += f" Other programs held {_gib(memory.gpu_before)} of the {_gib(memory.gpu_total)} of {memory.gpu_name}."
    again = f"{'Or close the other programs and measure' if others else 'Or measure'} again: '{AGAIN}'."
    by_itself = "as often as 'Tries with less memory' in the panel Train allows"
    if change is None:
        return SettingFinding("warning" if others else "error", what, f"{hint} {again}".strip())
    if change.relief is not None:
        does = f"A run goes on with less by itself, {by_itself}"
        if not retries:
            does = "Raise 'Tries with less memory' in the panel Train: then a run goes on with less by itself"
        return SettingFinding("warning", what, f"{does}: {change.sentence}. Or lower 'Batch size' (batch_size). {again}")
    fix = tuple((name, value) for part in change.settings.values() for name, value in part.items())
    does = f" A run does so by itself, {by_itself}." if retries else ""
    return SettingFinding("warning" if retries or others else "error", what, f"Train with less: {change.sentence}.{does} {again}", fix=fix)


def next_rung(measured: Measured, settings: TrainingSettings) -> Change | None:
    """What a run would try next when the GPU's memory ran out; None: it did not, or nothing is left to lower."""
    if measured.cause is None or measured.cause.kind != "out_of_memory":
        return None
    return next_change(Situation(settings, measured.backend, Relief()))


def findings_of(measured: Measured, settings: TrainingSettings, counts: list[int], found: Outlook | None, limits: Mapping[str, float],
                retries: int) -> list[Finding]:
    """Errors first.

    Args:
        limits: `price` of an hour, `most_money` and `most_hours` of the planned run; 0: not known, none.
        retries: how often a run tries with less memory by itself.
    """
    told: list[Finding] = []
    if measured.cause is not None:
        told.append(failure_of(measured, settings, retries))
    elif measured.ended_for:
        told.append(Finding("warning", measured.ended_for, "Raise the cap to measure the rest."))
    if found is not None:
        told += _missing(found, settings)
        told += _machines(settings)
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


def _machines(settings: TrainingSettings) -> Iterator[Finding]:
    if settings.machines.machines > 1:
        gpus = counted(processes_of(settings), "GPU")
        yield Finding("info", f"Of {settings.machines.machines} machines only this one was measured: memory, price and seconds of a step "
                      f"are those of one machine with {gpus}. What the machines send each other takes longer.")


def _money(measured: Measured, settings: TrainingSettings, counts: list[int], found: Outlook, limits: Mapping[str, float]
           ) -> Iterator[Finding]:
    price, cap = limits["price"], limits["most_money"]
    if not price or not cap or found.price(price) <= cap:
        return
    yield _too_long(measured, settings, counts, cap / price * 3600, "error",
                    f"The training would cost about {found.price(price):.2f} ({rough_time(found.whole)} at {price:g} an hour), more than "
                    f"the spend cap of {cap:g}.",
                    "raise 'Spend cap' and measure again" if measured.most_money else "raise 'Most money' in the panel After the run")


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
        others = f", {_gib(memory.gpu_before)} of it by others" if memory.gpu_before >= OTHERS else ""
        yield Finding("warning", f"The GPU was filled to {_gib(memory.gpu)} of {_gib(memory.gpu_total)}{others}: a longer run may end for "
                      "want of memory.", "Close other programs, or lower the batch size and raise 'Accumulate' "
                      "(gradient_accumulation_steps) as much.")


def _gib(mebibytes: float) -> str:
    return f"{mebibytes / 1024:.1f} GiB"
