"""How a stage tells what it is doing, and how it is asked to stop."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from core.base.errors import Cancelled

T = TypeVar("T")


class Progress:
    """Receives a stage's steps and warnings; this base class is silent and never cancels.

    A stage calls `start`, then `advance` per item, `warn` for what the person should know, and checks for
    cancellation through `advance` (which raises `Cancelled` when asked to stop).
    """

    def __init__(self) -> None:
        self.total = 0
        self.done = 0
        self.what = ""
        self._before = 0
        self._started = time.monotonic()
        self._cancelled = False

    def start(self, what: str, total: int = 0, done: int = 0) -> None:
        """Begin a phase. Args: what: e.g. "Tagging"; total: number of items, 0 if unknown; done: items that were finished before."""
        self.what, self.total, self.done, self._before, self._started = what, total, done, done, time.monotonic()
        self.report_start()

    def advance(self, item: str = "", by: int = 1) -> None:
        """One item is finished. Raises: Cancelled: the person asked to stop."""
        self.done += by
        self.report_step(item)
        self.check()

    def check(self) -> None:
        """Raises: Cancelled: the person asked to stop."""
        if self._cancelled:
            raise Cancelled()

    def cancel(self) -> None:
        """Ask the stage to stop at the next item."""
        self._cancelled = True

    def track(self, items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
        """Yield each item and count it as finished when the next is asked for."""
        known = total if total is not None else len(items) if hasattr(items, "__len__") else 0  # type: ignore[arg-type]
        self.start(what, known)
        for item in items:
            yield item
            self.advance(str(item))

    def seconds_left(self) -> float | None:
        """Estimated seconds to the end of this phase, None while unknown."""
        finished = self.done - self._before
        if finished <= 0 or not self.total:
            return None
        return (time.monotonic() - self._started) / finished * (self.total - self.done)

    def warn(self, message: str) -> None:
        """Something the person should know; the work goes on."""

    def note(self, message: str) -> None:
        """One line for the log."""

    def report_start(self) -> None:
        """A phase began (for subclasses)."""

    def report_step(self, item: str) -> None:
        """One item is finished (for subclasses)."""


SILENT = Progress()
