"""From where a run goes on, and what its trainer must be told for that."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from core.base.errors import StudioError
from core.base.jobs import read_events
from core.training.config.counting import steps_of_epoch
from core.training.monitor.lines import LogFacts, LogParser
from core.training.outputs import State, newest_good_state, newest_state
from core.training.run import Run

_END_OF_EPOCH = re.compile(r"-(\d{6})-state$")
_HEADER = re.compile(r"^\s*(?:num epochs|num batches per epoch|total optimization steps)\b|^=== attempt \d|^.*\bbucket \d+: resolution"
                     r"|^.*\[Prepare validation dataset ")


def furthest_state(run: Run, good: bool = False) -> State | None:
    """The furthest whole state of a run, with the step that it is at in the whole run; None where there is none.

    Args: good: only one whose weights are numbers; those before it that are not are set aside.
    """
    state = (newest_good_state if good else newest_state)(run.checkpoints, run.output_name)
    return replace(state, step=_step_in_run(run, state)) if state is not None and run.backend == "sd-scripts" else state


def resume_arguments(run: Run, state: State | None) -> list[str]:
    """What sd-scripts is told beside `resume`; the built-in trainer's states say it all.

    A state of an epoch's end goes on with the next epoch, by its number. One from within an epoch is found by its step where the count
    of sd-scripts is right: in a run that was not taken up before, without accumulation. Else its epoch is done again, for sd-scripts
    (`train_network.py` at 48d368fa, "calculate steps to skip") notes only the steps since the last start, and multiplies by the
    accumulated batches before it looks for the epoch.
    """
    if state is None or run.backend != "sd-scripts":
        return []
    if ended := _END_OF_EPOCH.search(state.folder.name):
        return _begin_at(run, int(ended.group(1)) + 1)
    if _counts_right(run) or not state.epoch:
        return ["--skip_until_initial_step"]
    return _begin_at(run, state.epoch)


def _begin_at(run: Run, epoch: int) -> list[str]:
    """By which words sd-scripts begins with an epoch.

    With several processes it divides the batches among them twice where it is told the epoch, and would begin too early; told the steps
    before it, it finds the right one.
    """
    steps = _steps_of_epoch(run)
    return ["--initial_step", str((epoch - 1) * steps)] if steps else ["--initial_epoch", str(epoch)]


def _steps_of_epoch(run: Run) -> int:
    """Steps of an epoch on several processes, by the settings as they are now and the buckets that the log tells; 0 with one process."""
    try:
        settings = run.settings()
    except StudioError:
        return 0
    processes, facts = settings.machines.num_processes, _length(run)
    if processes == 1:
        return 0
    accumulated = settings.schedule.gradient_accumulation_steps
    if facts.buckets:
        return steps_of_epoch(facts.buckets, settings.data.batch_size, accumulated, processes)
    return math.ceil(facts.batches / accumulated)


def _step_in_run(run: Run, state: State) -> int:
    """The optimizer updates of the whole run up to a state of sd-scripts, from its epoch and the length that the log tells."""
    facts = _length(run)
    if not (facts.total and facts.epochs) or (not (ended := _END_OF_EPOCH.search(state.folder.name)) and _counts_right(run)):
        return state.step
    epochs = int(ended.group(1)) if ended else max(0, state.epoch - 1)
    return min(facts.total, round(facts.total / facts.epochs * epochs))


def _counts_right(run: Run) -> bool:
    """Whether sd-scripts' own count of steps is that of the run."""
    taken_up = any(event.get("event") == "launch" and event.get("resumed_from") for event in read_events(run.folder)[0])
    try:
        return not taken_up and run.settings().schedule.gradient_accumulation_steps == 1
    except StudioError:
        return not taken_up


def _length(run: Run) -> LogFacts:
    """Epochs, steps in all, batches and buckets, as the last attempt printed them."""
    parser = LogParser()
    try:
        with open(run.log, encoding="utf-8", errors="replace") as file:
            parser.feed([line for line in file if _HEADER.match(line)])
    except FileNotFoundError:
        pass
    return parser.facts
