"""What somebody asked of a run that is at work, and the supervisor's own sign of life."""

from __future__ import annotations

import contextlib
import time

from core.base.errors import Cancelled, DiskError
from core.base.files import write_json
from core.base.progress import Progress
from core.training.monitor.gpu import read_gpus
from core.training.monitor.usage import UsageWriter
from core.training.run import Run, StopWish

HEARTBEAT = 4.0
"""Seconds between two heartbeats."""


class StopRequest(Progress):
    """Knows whether somebody asked to stop: by the run's `stop` file, or by SIGTERM to this process."""

    def __init__(self, run: Run, attempt: int) -> None:
        super().__init__()
        self.run, self.attempt = run, attempt
        self.signalled = False
        self._next_beat = 0.0
        self._usage = UsageWriter(run.folder)

    def asked(self) -> StopWish:
        """What was asked for; "" when nothing was."""
        wish = self.run.stop_asked()
        return "gentle" if self.signalled and wish != "force" else wish

    def now(self) -> bool:
        """Whether it is to end now, not only after the epoch."""
        return self.asked() in ("gentle", "force")

    def check(self) -> None:
        """Called while the run waits for its turn. Raises: Cancelled: somebody asked to stop."""
        self.beat()
        if self.asked():
            raise Cancelled("The training had not begun.", "")

    def beat(self) -> None:
        """A sign of life every few seconds, with the GPUs. A full disk must not end the training."""
        if time.monotonic() < self._next_beat:
            return
        self._next_beat = time.monotonic() + HEARTBEAT
        gpus = read_gpus()
        values = {"time": time.time(), "attempt": self.attempt, "gpus": [gpu.as_dict() for gpu in gpus]}
        with contextlib.suppress(DiskError):
            write_json(self.run.folder / "heartbeat.json", values)
        if self.run.has_begun():  # what another run takes while this one waits is not its own
            self._usage.note(gpus)
