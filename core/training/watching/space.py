"""Pauses a trainer that cannot be told before a save for which the disk has no room, and lets it go on when there is some."""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.base.errors import StudioError
from core.training.guards import GuardSettings
from core.training.monitor.lines import LogFacts
from core.training.outputs import folder_size, list_outputs, newest_state
from core.training.room import room_missing, size_of_save
from core.training.run import Run
from core.training.watching.company import signal_company
from core.training.watching.signs import Signs

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

AHEAD = 20.0
"""Seconds before a save from which on there must be room for it."""


class SpaceGuard:
    """Stops and continues the trainer's processes (SIGSTOP, SIGCONT); nothing is lost by that.

    Args: group: the process group of the trainer.
    """

    def __init__(self, run: Run, settings: TrainingSettings | None, group: int) -> None:
        self.run, self.settings, self.group = run, settings, group
        self.paused = False
        self._warned = False

    def look(self, signs: Signs, guards: GuardSettings) -> bool:
        """Pause or go on as the disk asks for. Returns: whether it is paused."""
        if self.settings is None or not (guards.disk_pause or self.paused):
            return self.paused
        missing = room_missing(self.run.checkpoints, self._needed(), guards) if guards.disk_pause else ""
        if self.paused:
            signs.rest()
            if not missing:
                self.go_on()
        elif missing and is_near_a_save(signs, self.settings):
            self._pause(missing)
        elif missing and not self._warned:
            self._warned = True
            self.run.note("warning", message=f"The disk is nearly full. The next save will wait for room: {missing.partition(': ')[2]}")
        return self.paused

    def go_on(self) -> None:
        """Let the trainer go on, if it is paused."""
        if self.paused:
            self.paused = False
            signal_company(self.run, self.group, signal.SIGCONT)
            with contextlib.suppress(StudioError):
                self.run.note("continued")

    def _pause(self, reason: str) -> None:
        self.paused = signal_company(self.run, self.group, signal.SIGSTOP) or self.paused
        with contextlib.suppress(StudioError):  # the disk may be fuller than one more line bears
            self.run.note("paused", message=reason)

    def _needed(self) -> int:
        """Bytes of the next save: as the last one, else as the settings let expect."""
        assert self.settings is not None
        file, state = size_of_save(self.settings)
        files, known = list_outputs(self.run.checkpoints), newest_state(self.run.checkpoints, self.run.output_name)
        file = files[-1].stat().st_size if files else file
        state = folder_size(known.folder) if known else state
        return file + (state if self.settings.saving.save_state else 0)


def is_near_a_save(signs: Signs, settings: TrainingSettings) -> bool:
    """Whether the next save begins within `AHEAD` seconds, as far as can be told; not while one is under way."""
    facts = signs.facts
    following = next_save(facts, settings)
    if following is None or facts.phase != "Training":
        return False
    pace = signs.usual or facts.seconds_per_step or AHEAD
    return (following - facts.step) * pace <= max(AHEAD, 2 * pace)


def next_save(facts: LogFacts, settings: TrainingSettings) -> int | None:
    """The step at whose end the next save comes; None before the trainer told how long it trains."""
    return min((step for step in _saves(facts, settings) if step > facts.step), default=None)


def _saves(facts: LogFacts, settings: TrainingSettings) -> Iterator[int]:
    saving = settings.saving
    if not facts.total:
        return
    yield facts.total
    if saving.save_every_n_steps:
        yield (facts.step // saving.save_every_n_steps + 1) * saving.save_every_n_steps
    if saving.save_every_n_epochs and facts.epochs:
        of_epochs = facts.total / facts.epochs * saving.save_every_n_epochs
        yield math.ceil((facts.step // of_epochs + 1) * of_epochs)
