"""Waits at a whole step until the disk has room for what is to be saved."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import DiskError
from core.training.guards import KeptGuards
from core.training.room import room_missing

if TYPE_CHECKING:
    from core.training.builtin.events import Reporter

LOOK_AGAIN = 1.0
"""Seconds between two looks at the disk."""


class RoomMaker:
    """Holds a run up before a save that would not fit. Somebody who stops it meanwhile is heard: then it is tried without waiting.

    Args: run_dir: its guards are read there, also while it waits; None: nothing is waited for.
    """

    def __init__(self, run_dir: Path | None, reporter: Reporter, stop: Callable[[], bool]) -> None:
        self.guards = KeptGuards(run_dir) if run_dir is not None else None
        self.reporter, self.stop = reporter, stop

    def __call__(self, folder: Path, needed: int) -> None:
        """Return as soon as there is room. Args: needed: bytes."""
        waited = False
        while (missing := self._missing(folder, needed)) and not self.stop():
            if not waited:
                waited = True
                self.reporter.say(f"paused before a save: {missing}")
                with contextlib.suppress(DiskError):  # the disk may be fuller than one more line bears
                    self.reporter.event("paused", message=missing)
            time.sleep(LOOK_AGAIN)
        if waited:
            with contextlib.suppress(DiskError):
                self.reporter.event("continued")

    def _missing(self, folder: Path, needed: int) -> str:
        guards = self.guards.now() if self.guards is not None else None
        return room_missing(folder, needed, guards) if guards is not None and guards.disk_pause and folder.is_dir() else ""
