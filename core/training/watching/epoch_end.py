"""Stops a trainer that cannot be told at the end of an epoch: when what it saves there is whole, never in the middle of a save."""

from __future__ import annotations

import re
import time
from pathlib import Path

from core.base.errors import StudioError
from core.training.outputs import State, is_whole, new_outputs, state_in, take_snapshot
from core.training.run import Run

QUIET, QUIET_AT_WORK = 2.0, 0.3
"""Seconds without a change after which what is whole is believed to be finished; the same once the trainer does something else."""
HEAR_STOP = ("builtin",)
"""Backends whose trainer ends by itself at the end of an epoch; any other is ended by the supervisor."""


def why_no_epoch_stop(run: Run) -> str:
    """Why a run cannot be stopped after its present epoch; empty when it can."""
    if run.backend in HEAR_STOP:
        return ""
    try:
        every = run.settings().saving.save_every_n_epochs
    except StudioError as error:
        return error.message
    if not every:
        return f"This run saves no epochs, and {run.backend} cannot be told to: nothing would be whole at the epoch's end. Use Stop now."
    return ""


def epoch_stop_words(run: Run) -> str:
    """What happens when a run is to stop after its epoch."""
    if run.backend in HEAR_STOP:
        return "It ends when the present epoch is over; LoRA and state are saved."
    saving = run.settings().saving
    when = "the present epoch" if saving.save_every_n_epochs == 1 else f"the next epoch that is saved (every {saving.save_every_n_epochs})"
    kept = "LoRA and state of it are" if saving.save_state else "LoRA of it is"
    return f"{run.backend} cannot be told to stop: it is ended as soon as {when} is over and the {kept} whole on the disk."


class EpochEnd:
    """Watches what a run saves from now on."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._before = take_snapshot(run.checkpoints)
        self._epoch = re.compile(re.escape(run.output_name) + r"-\d{6}")
        try:
            self._saves_state = run.settings().saving.save_state
        except StudioError:
            self._saves_state = True
        self._trace: tuple[object, ...] = ()
        self._since = 0.0

    def is_whole(self, saving: bool, now: float | None = None) -> bool:
        """Whether an epoch was saved since, file and state, and nothing of it changes any more.

        Args: saving: whether its output says that it still saves.
        """
        now = time.monotonic() if now is None else now
        saved = [path for path in new_outputs(self.run.checkpoints, self._before) if self._epoch.fullmatch(path.stem)]
        if not saved or not is_whole(saved[-1]):
            return False
        folder = saved[-1].with_name(f"{saved[-1].stem}-state")
        state = self._state(folder)
        if self._saves_state and state is None:
            return False
        trace = tuple(_facts(path) for path in [saved[-1], *(sorted(folder.rglob("*")) if state else [])])
        if trace != self._trace:
            self._trace, self._since = trace, now
        return now - self._since >= (QUIET if saving else QUIET_AT_WORK)

    @staticmethod
    def _state(folder: Path) -> State | None:
        try:
            return state_in(folder) if folder.is_dir() else None
        except OSError:
            return None


def _facts(path: Path) -> tuple[str, int, int]:
    try:
        facts = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), facts.st_size, facts.st_mtime_ns
