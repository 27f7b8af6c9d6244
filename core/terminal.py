"""What a command shows while it works, on a terminal or in a file."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from core.base.progress import Progress

RENEW_SECONDS = 0.2
"""Between two looks of a line that renews itself."""
LEAST_SECONDS, MOST_SECONDS = 2.0, 15.0
"""Where lines stay: none sooner after another, and none later while a phase goes on."""


class TerminalProgress(Progress):
    """Progress on the error stream, so that the output stream carries only results.

    On a terminal it is one line for each phase, which renews itself. Elsewhere (a file, a pipe) a long phase is told every tenth of
    it, or every 15 seconds.

    Args: stream: where it is written; the error stream when None.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self.stream = stream or sys.stderr
        self._renews = self.stream.isatty()
        self._open = False
        """Whether the present line is still to be ended."""
        self._shown = 0.0
        self._tenth = 0

    def report_start(self) -> None:
        """A phase began."""
        self.close()
        self._tenth, self._shown = 0, self._started
        self._write(f"{self.what} …", ends=not self._renews)

    def report_step(self, item: str) -> None:
        """Say how far it is, if it is time to."""
        now, is_last = time.monotonic(), self.done == self.total
        waited, tenth = now - self._shown, self.done * 10 // self.total if self.total else 0
        if self._renews:
            if waited < RENEW_SECONDS and not is_last:
                return
        elif waited < LEAST_SECONDS or (waited < MOST_SECONDS and tenth == self._tenth):
            return
        self._shown, self._tenth = now, tenth
        self._write(self._place(item, now), ends=is_last or not self._renews)

    def warn(self, message: str) -> None:
        """On a line of its own."""
        self._write(f"Note: {message}", ends=True, whole=True)

    def note(self, message: str) -> None:
        """On a line of its own."""
        self._write(message, ends=True, whole=True)

    def close(self) -> None:
        """End the line that renews itself."""
        if self._open:
            self._open = False
            self.stream.write("\n")

    def _place(self, item: str, now: float) -> str:
        """ "Training: 120 of 240 (50 %), epoch 3 of 5, 40 s left"."""
        from core.training.monitor.status import duration

        count = f"{self.done} of {self.total} ({self.done * 100 // self.total} %)" if self.total else str(self.done)
        if self.done == self.total:
            took = now - self._started
            return f"{self.what}: {count}" + (f", took {duration(took)}" if took >= 1 else "")
        left, words = self.seconds_left(), item if " " in item else ""  # the name of a file would only flicker
        return ", ".join(filter(None, [f"{self.what}: {count}", words, f"{duration(left)} left" if left is not None else ""]))

    def _write(self, text: str, ends: bool, whole: bool = False) -> None:
        """Args: ends: the line stays. whole: it may be longer than the terminal is wide; a line that wraps cannot renew itself."""
        if self._renews:
            room = shutil.get_terminal_size().columns - 1
            text = "\r\x1b[K" + (text if whole or len(text) <= room else f"{text[: room - 1]}…")
        self.stream.write(printable(text) + ("\n" if ends else ""))
        self.stream.flush()
        self._open = not ends


def printable(text: str) -> str:
    r"""The text with what UTF-8 does not have, in names of files of old archives, as \udc83: who reads it as JSON gets the name back."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
