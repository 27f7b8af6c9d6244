"""The trainer's output on its way into the run's log."""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.training.backends.wandb_ready import login_password
from core.training.monitor.lines import LineSplitter

_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|API_?KEY", re.IGNORECASE)


def secrets_in(env: Mapping[str, str]) -> list[str]:
    """What must not be read in a log: the values of variables, and the key that `wandb login` has kept."""
    return [value for value in (*(value for name, value in env.items() if _SECRET.search(name)), login_password()) if len(value) >= 8]


class LogWriter(threading.Thread):
    """Copies the trainer's output into log.txt, one line for each line and each redraw of a progress bar."""

    def __init__(self, pipe: Any, path: Path, secrets: list[str]) -> None:
        super().__init__(daemon=True)
        self.pipe, self.path, self.secrets = pipe, path, secrets
        self.tail: deque[str] = deque(maxlen=600)
        self.fresh: deque[str] = deque(maxlen=100_000)
        """Lines that nobody has taken yet; who watches over the run takes them."""
        self.unwritable = False

    def run(self) -> None:
        """Ends with the pipe."""
        splitter = LineSplitter()
        while data := os.read(self.pipe.fileno(), 1 << 16):
            self.write(splitter.feed(data))
        self.write(splitter.rest())

    def write(self, lines: list[str]) -> None:
        """A full disk ends the log, not the training; the tail stays in memory, with the reason in it for the diagnosis."""
        clean = [self._without_secrets(line) for line in lines if line.strip()]
        self.tail.extend(clean)
        self.fresh.extend(clean)
        if not clean:
            return
        try:
            with open(self.path, "ab") as file:
                file.write("".join(f"{line}\n" for line in clean).encode("utf-8"))
        except OSError as error:
            if not self.unwritable:
                self.tail.append(str(error))
            self.unwritable = True

    def _without_secrets(self, line: str) -> str:
        for secret in self.secrets:
            line = line.replace(secret, "***")
        return line
