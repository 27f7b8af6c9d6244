"""Processes killed in the middle: at a counted step on the disk, so that the kill comes there on any machine, or after a time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from core.base.paths import ROOT

STEP, PLACE = "LORABOOK_TEST_DIES_AT", "LORABOOK_TEST_DIES_IN"
CHANGES = {"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate"}
"""Besides them, opening a file to write it. What SQLite does is not seen."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def begin() -> None:
    """Called by the code that is to die, when it begins with what matters: its steps are counted from here."""
    print("ready", flush=True)
    last, place = int(os.environ[STEP]), os.environ[PLACE]
    if last:
        sys.addaudithook(_counting(last, place))


def _counting(last: int, place: str) -> Callable[[str, tuple[object, ...]], None]:
    seen = 0

    def hook(event: str, given: tuple[object, ...]) -> None:
        nonlocal seen
        if event not in CHANGES and not (event == "open" and isinstance(given[2], int) and given[2] & WRITES):
            return
        paths = [Path(path) for path in given[:2] if isinstance(path, (str, os.PathLike))]
        if any(str(path).startswith(place) or not path.is_absolute() for path in paths):  # a bare name: in an open folder
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def killed(code: str, folder: Path, *given: object, step: int = 0, seconds: float = 0) -> bool:
    """Run the code, and have it killed before the step-th change in the folder after its `begin()`, or so long after it.

    Args: code: calls `begin()`. folder, given: its arguments. Returns: whether it was still at work.
    """
    told = {**os.environ, STEP: str(step), PLACE: str(folder)}
    with subprocess.Popen([sys.executable, "-c", code, str(folder), *map(str, given)], cwd=ROOT, env=told, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"ready\n"
        if not step:
            time.sleep(seconds)
            other.kill()
        other.wait(120)
    assert other.returncode in (0, -signal.SIGKILL)
    return other.returncode == -signal.SIGKILL
