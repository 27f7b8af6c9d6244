"""Bringing each new state to the far end while the run is at work, so that the training can go on when the machine was taken away."""

from __future__ import annotations

import time

from core.base.errors import ConfigError, DiskError, TrainingError
from core.base.progress import Progress
from core.training.finish.clock import seconds
from core.training.finish.files import state_files
from core.training.finish.settings import FinishSettings
from core.training.finish.status import Board
from core.training.finish.upload import Uploader
from core.training.outputs import State, newest_state
from core.training.run import Run

LOOK = 30.0
"""Seconds between two looks for a new state."""


class StateKeeper:
    """Looks for states and uploads them; what goes wrong is told, and tried again with the next state."""

    def __init__(self, run: Run, settings: FinishSettings, board: Board, progress: Progress) -> None:
        self.run, self.settings, self.board, self.progress = run, settings, board, progress
        self._kept: State | None = None
        self._next = 0.0

    def look(self) -> None:
        """Upload a state that is new. Raises: Cancelled."""
        if not self.settings.keeps_states or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + seconds(LOOK)
        state = newest_state(self.run.checkpoints, self.run.output_name)
        if state is None or state == self._kept:
            return
        self._kept = state
        try:
            self._bring(state)
        except (TrainingError, ConfigError, DiskError, OSError) as error:
            self.progress.warn(f"The state of step {state.step} was not uploaded: {error}")
            self.board.note("state not uploaded", at=state.step, message=str(error))

    def _bring(self, state: State) -> None:
        uploader = Uploader(self.run, self.settings, self.progress)
        files = list(state_files(self.run))
        there = uploader.verify(uploader.upload(files), files)
        if not there.all_verified:
            raise TrainingError(f"not every file of it is whole there: {there.trouble()}.")
        self.board.note("state uploaded", at=state.step, repo_id=there.repo_id)
