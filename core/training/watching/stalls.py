"""Sees that a trainer stands still: no step for far longer than one usually takes, while nothing else goes on."""

from __future__ import annotations

import time

from core.training.guards import GuardSettings
from core.training.monitor.causes import Cause
from core.training.watching.signs import TRAINING, Signs


class StallGuard:
    """Tells of each standstill once."""

    def __init__(self) -> None:
        self._told_at = -1.0

    def look(self, signs: Signs, guards: GuardSettings, now: float | None = None) -> Cause | None:
        """The cause, if it stands still and that was not told yet. Loading, caching, drawing and saving are no standstill."""
        now = time.monotonic() if now is None else now
        if signs.facts.phase != TRAINING or signs.usual is None or signs.moved == self._told_at:
            return None
        waited, most = now - signs.moved, max(guards.stall_minutes * 60.0, guards.stall_factor * signs.usual)
        if waited < most:
            return None
        self._told_at = signs.moved
        return Cause("stalled", f"No step came for {waited / 60:.0f} minutes after step {signs.facts.step}; one usually takes "
                     f"{signs.usual:.2g} s.", "The machine's disk or GPU may hang: look at the log, stop the run and go on from its last "
                     "state.")
