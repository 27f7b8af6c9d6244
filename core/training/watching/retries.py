"""What follows the end of a try: another one with less memory or lower rates, where the run's guards allow it, else nothing."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.base.errors import StudioError
from core.base.files import read_json, write_json
from core.base.paths import ROOT
from core.training.config.rates import RATES
from core.training.guards import GuardSettings
from core.training.monitor.causes import Cause
from core.training.outputs import State
from core.training.relief import Relief, read_relief, write_relief
from core.training.resuming import furthest_state, resume_arguments
from core.training.run import Run
from core.training.watching.ladder import Situation, next_change

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

LOST = ("nan_loss", "black_samples")
"""Kinds of causes after which a lower rate may help."""
OF_THE_VAE = "Encoding a picture"
"""How the sentence of a NaN begins that no rate would mend."""


@dataclass(frozen=True)
class Retry:
    """Another try of a run."""

    cause: str
    """Kind of the cause why the last one ended."""
    sentence: str
    """What happened and what is done, without from where it goes on."""
    settings: TrainingSettings
    changes: dict[str, Any] = field(default_factory=dict)
    """What was changed: name to what it is now."""
    relief: Relief | None = None
    factor: float = 1.0
    """Of the learning rates."""


def next_try(run: Run, end: Mapping[str, Any], guards: GuardSettings, tried: Counter[str], buckets: Sequence[int] = ()) -> Retry | None:
    """Whether and how a run is tried again.

    Args:
        end: how the last try ended.
        tried: how often it was tried again in this attempt, by kind of cause.
        buckets: pictures with their repeats in each bucket, where the trainer told them.
    """
    if end.get("state") != "failed" or not end.get("cause"):
        return None
    cause = Cause.from_dict(end["cause"])
    others = sum(count for kind, count in tried.items() if kind != "out_of_memory")
    if cause.kind == "out_of_memory":
        return _with_less_memory(run, cause, buckets) if tried[cause.kind] < guards.memory_retries else None
    if others >= guards.restarts:
        return None
    if cause.kind == "stalled" and guards.on_stall == "restart":
        return Retry(cause.kind, f"{cause.sentence} It was begun again.", run.settings())
    wanted = guards.on_nan if cause.kind == "nan_loss" else guards.on_black
    if cause.kind in LOST and wanted == "lower" and not cause.sentence.startswith(OF_THE_VAE):
        return _with_lower_rates(run, cause, guards.rate_factor)
    return None


def _with_less_memory(run: Run, cause: Cause, buckets: Sequence[int]) -> Retry | None:
    settings = run.settings()
    change = next_change(Situation(settings, run.backend, read_relief(run.folder), buckets))
    if change is None:
        return None
    flat = {name: value for part in change.settings.values() for name, value in part.items()}
    more = {"micro_batch_size": change.relief.micro_batch_size} if change.relief else {}
    return Retry(cause.kind, f"{cause.sentence} Tried again with less: {change.sentence}.", change.applied(settings), {**flat, **more},
                 change.relief)


def _with_lower_rates(run: Run, cause: Cause, factor: float) -> Retry | None:
    """None where the optimizer finds its rate itself, so that none can be lowered."""
    settings = run.settings()
    if settings.optimizer.optimizer_type == "Adafactor" and settings.optimizer.options().get("relative_step", True):
        return None
    now = {name: getattr(settings.optimizer, name) for name in RATES if isinstance(getattr(settings.optimizer, name), (int, float))}
    lower = {name: value * factor for name, value in now.items()}
    return Retry(cause.kind, f"{cause.sentence} Tried again with {factor:g} of the learning rates.",
                 settings.with_values(optimizer=lower), lower, factor=factor)


def begin_again(run: Run, attempt: int, retry: Retry) -> State | None:
    """Make the run ready for another try: state, settings, command, and its events. Returns: the state that it goes on from.

    Raises: StudioError: the settings or the command cannot be written.
    """
    from core.training.config.pair import write_pair

    state = _state_for(run, retry)
    before = retry.settings.saving.resume
    resume = str(state.folder.resolve()) if state else (before if before and not _is_own(run, before) else None)
    write_pair(retry.settings.with_values(saving={"resume": resume}), run.folder)
    if retry.relief is not None:
        write_relief(retry.relief, run.folder)
    command = read_json(run.folder / "command.json")
    base = _command_anew(run) or command.get("base", command["argv"])
    write_json(run.folder / "command.json", {**command, "base": base, "argv": [*base, *resume_arguments(run, state)]})
    step = state.step if state else 0
    words = f"{retry.sentence} It goes on from step {step}." if state else f"{retry.sentence} It begins anew, for no state was saved."
    run.note("retry", attempt=attempt, cause=retry.cause, message=words, from_step=step, changes=retry.changes)
    run.note("launch", attempt=attempt, backend=run.backend, resumed_from=step)
    return state


def _command_anew(run: Run) -> list[str]:
    """The command where it says what the pair says, and so must be made anew; else nothing."""
    from core.training.backends import BACKENDS

    backend = BACKENDS.load(run.backend) if run.backend in BACKENDS else None
    return list(backend.command(run).argv) if backend is not None and backend.remakes_command(run.settings()) else []


def _state_for(run: Run, retry: Retry) -> State | None:
    """The furthest whole state; after a loss that is no number one that is still good, with its rates lowered."""
    state = furthest_state(run, good=retry.cause in LOST)
    if state is None or retry.factor == 1.0:
        return state
    argv = [sys.executable, "-m", "core.training.watching.rates", str(state.folder), repr(retry.factor)]
    lowered = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if lowered.returncode == 0:
        return state
    sys.stderr.write(lowered.stderr)
    with contextlib.suppress(StudioError):
        run.note("warning", message=f"The rates in {state.folder.name} could not be lowered, so that it is not gone on from there.")
    return None


def _is_own(run: Run, resume: str) -> bool:
    """Whether a state is one of the run's own, and not one that somebody chose to begin with."""
    return run.checkpoints.resolve().as_posix() in resume
