"""Who moves images of a project: one at a time rejects them or puts them back, and an import adds one between two of these."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from core.base.errors import Cancelled, DatasetError
from core.base.files import explain_disk_errors
from core.base.locks import waited_for
from core.base.progress import Progress
from core.dataset.project import Project

RECORD_FILE = "rejected.jsonl"
"""What was rejected and put back; it only grows."""
LOCK, GATE = "rejecting.lock", "rejecting.gate"
"""The lock is held alone by who moves images. The gate is passed before it, so that an import, which takes it for each image anew, lets
others in."""
PATIENCE = 10.0
"""Seconds that a person waits at a button."""


@contextlib.contextmanager
def moving_images(project: Project) -> Iterator[None]:
    """Two who move images at once would take each other's names. Raises: DatasetError: someone else is at it; DiskError."""
    with contextlib.ExitStack() as stack:
        with explain_disk_errors(project.rejected):
            project.rejected.mkdir(parents=True, exist_ok=True)
        try:
            for name in (GATE, LOCK):
                stack.enter_context(waited_for(project.hidden / name, Patience(PATIENCE)))
        except Cancelled as error:
            raise DatasetError(f"Images of {project.name!r} are being rejected, put back or imported by someone else.",
                               "Wait until that has ended.") from error
        with explain_disk_errors(project.rejected):
            yield


class Patience(Progress):
    """Gives up after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raises: Cancelled: the time is over."""
        if time.monotonic() > self._end:
            raise Cancelled()


@contextlib.contextmanager
def among_movers(project: Project, progress: Progress) -> Iterator[int]:
    """Add an image while nobody rejects images or puts them back. It waits for those under way.

    Yields: a number that changes with each image that was rejected or put back. Raises: Cancelled: stopped while it waited; DiskError.
    """
    with waited_for(project.hidden / GATE, progress):
        pass
    with waited_for(project.hidden / LOCK, progress):
        try:
            moves = (project.hidden / RECORD_FILE).stat().st_size
        except FileNotFoundError:
            moves = 0
        yield moves
