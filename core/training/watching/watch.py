"""Everything that is looked at while one trainer works, a few times in ten seconds."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING

from core.base.errors import DiskError, StudioError
from core.training.guards import KeptGuards
from core.training.monitor.causes import Cause
from core.training.run import Run, StopWish
from core.training.watching.epoch_end import HEAR_STOP, EpochEnd, epoch_stop_words
from core.training.watching.losses import STEPS, SampleGuard, lost_in
from core.training.watching.signs import Signs
from core.training.watching.space import SpaceGuard
from core.training.watching.stalls import StallGuard

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

LOOK = 0.5
"""Seconds between two looks."""
LOOK_AT_FILES = 3.0
"""The same at TensorBoard files, samples and the disk."""


class Watch:
    """The guards of one try.

    Args:
        fresh: lines of its output that nobody has read yet.
        step: where it goes on from.
        group: its process group.
    """

    def __init__(self, run: Run, fresh: deque[str], step: int, group: int, guards: KeptGuards) -> None:
        self.run, self.guards = run, guards
        self.signs = Signs(fresh, run.folder / "logs", step)
        self.ended_for: Cause | None = None
        """Why it must end, as found here."""
        self.epoch_over = False
        """Whether it ends because an epoch is over, as somebody asked."""
        self._hears = run.backend in HEAR_STOP
        self._space = SpaceGuard(run, _settings_of(run), group)
        self._stalls, self._samples = StallGuard(), SampleGuard(run)
        self._epoch_end: EpochEnd | None = None
        self._told_of_epoch = False
        self._told: set[str] = set()
        self._next = self._next_files = 0.0

    def look(self, asked: StopWish) -> bool:
        """Look at everything that is due. Args: asked: what somebody asked of the run. Returns: whether the trainer is to be ended."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LOOK
            try:
                self._look_around(now, asked)
            except (StudioError, OSError) as error:  # a look that fails must not end the training
                self._warn_once(f"It could not be watched over for a moment: {error}")
        return self.ended_for is not None or self.epoch_over

    def release(self) -> None:
        """Let it go on if it is paused, so that it hears the end."""
        self._space.go_on()

    def _look_around(self, now: float, asked: StopWish) -> None:
        self.signs.read()
        self.ended_for = self._stall()
        if self.guards.trouble:
            self._warn_once(self.guards.trouble)
        if asked == "epoch":
            self._look_at_epoch()
        if now >= self._next_files:
            self._next_files = now + LOOK_AT_FILES
            self.ended_for = self.ended_for or self._look_at_files()

    def _look_at_files(self) -> Cause | None:
        guards = self.guards.now()
        if not self._hears and self._space.look(self.signs, guards):
            return None
        return self._samples.look(guards) or (None if self._hears else lost_in(self.signs.losses(STEPS)))

    def _stall(self) -> Cause | None:
        guards = self.guards.now()
        cause = None if self._space.paused else self._stalls.look(self.signs, guards)
        if cause is not None and guards.on_stall == "warn":
            self._warn_once(str(cause))
            return None
        return cause

    def _look_at_epoch(self) -> None:
        if not self._told_of_epoch:
            self._told_of_epoch = True
            with contextlib.suppress(StudioError):
                self.run.note("stopping-later", message=epoch_stop_words(self.run))
        if self._hears:
            return
        self._epoch_end = self._epoch_end or EpochEnd(self.run)
        self.epoch_over = self._epoch_end.is_whole(self.signs.facts.phase.startswith("Saving"))

    def _warn_once(self, message: str) -> None:
        if message in self._told:
            return
        self._told.add(message)
        with contextlib.suppress(DiskError):
            self.run.note("warning", message=message)


def _settings_of(run: Run) -> TrainingSettings | None:
    try:
        return run.settings()
    except StudioError:
        return None
