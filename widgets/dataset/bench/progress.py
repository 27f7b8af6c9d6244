"""What a tool says while it works on one picture."""

from __future__ import annotations

from collections.abc import Callable

from core.base.progress import Progress
from widgets.kernel_loop import KernelLoop


class TryProgress(Progress):
    """Told in the status line, in the loop's thread; a press on Cancel stops the tool. Args: say: words, and the share that is done."""

    def __init__(self, loop: KernelLoop, say: Callable[[str, float], None]) -> None:
        super().__init__()
        self._loop, self._say = loop, say

    def report_start(self) -> None:
        """A phase began."""
        self._tell()

    def report_step(self, item: str) -> None:
        """One step is done."""
        self._tell()

    def _tell(self) -> None:
        count = f" {self.done} of {self.total}" if self.total > 1 else ""
        words, part = f"Working{count}: {self.what}", self.done / self.total if self.total > 1 else -1.0
        self._loop.soon(lambda: self._say(words, part))
