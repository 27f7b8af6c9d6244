"""Follow a run from the command line or the demo: its progress, until it has ended."""

from __future__ import annotations

import time

from core.base.errors import Cancelled
from core.base.progress import SILENT, Progress
from core.training.monitor import Monitor, RunStatus
from core.training.run import Run

PAUSE = 0.5
"""Seconds between two looks."""


def follow(run: Run, progress: Progress = SILENT) -> RunStatus:
    """Wait for a run's end.

    Raises: Cancelled: the person stopped waiting; the run was asked to stop too, and saves what it has.
    """
    monitor, known_total, done, phase = Monitor(run), 0, 0, ""
    while not (status := monitor.read()).ended:
        if not status.total and status.phase != phase:
            phase = status.phase
            progress.start(phase)
        if status.total and status.total != known_total:
            known_total, done = status.total, 0
            progress.start("Training", known_total)
        try:
            progress.check()
            if known_total and status.step > done:
                place = f"epoch {status.epoch} of {status.epochs}" if status.epochs else ""
                progress.advance(place, by=status.step - done)
                done = status.step
        except Cancelled:
            run.stop()
            raise
        time.sleep(PAUSE)
    return status
