"""Running another program: its lines into a log, its failure into a sentence."""

from __future__ import annotations

import os
import re
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.files import explain_disk_errors
from core.base.progress import SILENT, Progress

TAIL_LINES = 60
FAILURES: tuple[tuple[str, str, str], ...] = (
    (r"no space left on device|disk quota exceeded", "The disk is full.",
     "Free 10 GB and run it again; python3 -m pip cache purge empties pip's own store."),
    (r"could not resolve host|name resolution|network is unreachable|failed to establish a new connection"
     r"|connection (refused|timed out|reset)"
     r"|max retries exceeded|read timed out|operation too slow|couldn't connect|newconnectionerror|proxyerror",
     "The network was not reached.", "Check the connection and run it again; what was finished is kept."),
    (r"certificate verify failed|sslerror", "The server's certificate was not accepted.",
     "Check the clock of this machine and its proxy settings."),
    (r"permission denied|read-only file system|errno 13", "There is no permission to write there.", "Use a folder of your own."),
    (r"no module named ensurepip|ensurepip is not available|no module named '?venv", "This Python cannot make virtual environments.",
     "On Debian and Ubuntu run: sudo apt install python3-venv, then run it again."),
    (r"resolutionimpossible|conflicting dependencies", "Two packages ask for versions that exclude each other.",
     "Give Lorabook an environment of its own, in its folder: unset LORABOOK_VENV; python3 -m venv .venv && python3 installer.py"),
    (r"no matching distribution found|could not find a version", "A package has no version for this Python or platform.",
     "Python 3.10 to 3.13 on 64-bit Linux (on Windows: in WSL) or a Mac with an M processor is supported. "
     "With another Python: python3.11 installer.py --repair, then LORABOOK_PYTHON=python3.11 ./jupyter.sh"),
    (r"not our ref|did not match any file|unable to read tree|no such remote ref|reference is not a tree",
     "The source does not hold the pinned commit.", "Give a full clone of the trainer with --from."),
    (r"repository .* not found|does not appear to be a git repository|does not exist", "The source is no git repository.",
     "Give a clone of the trainer with --from."),
)
"""What a log says (lower case), what it means, what to do; the first match counts."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    lines: tuple[str, ...]
    """Its last lines."""

    @property
    def ok(self) -> bool:
        return self.code == 0

    def explain(self) -> tuple[str, str]:
        """One sentence for the cause, one for the remedy."""
        text = "\n".join(self.lines)
        for pattern, sentence, remedy in FAILURES:
            if re.search(pattern, text.lower()):
                return sentence, remedy
        last = next((line for line in reversed(self.lines) if line.strip()), f"exit code {self.code}")
        return f"It ended with: {last.strip()[:200]}.", "The log has the rest."


def redact(text: str) -> str:
    """`text` without the user name and password of any address in it."""
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1***@", text)


def clean_environment() -> dict[str, str]:
    """This process's environment without what would lead a child Python or pip astray."""
    unwanted = {"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "__PYVENV_LAUNCHER__"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore", "PIP_NO_INPUT": "1",
            "GIT_TERMINAL_PROMPT": "0", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def run_logged(argv: Sequence[str | Path], log: Path, progress: Progress = SILENT, cwd: Path | None = None,
               environ: Mapping[str, str] | None = None) -> Outcome:
    """Run to the end; every line goes, without passwords, to `log` and to `progress.note`.

    Args: environ: variables beside those of `clean_environment`.

    Raises: DiskError: the log cannot be written.
    """
    command = [str(part) for part in argv]
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with explain_disk_errors(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a", encoding="utf-8") as file:
            file.write("$ " + redact(" ".join(command)) + "\n")
            try:
                process = subprocess.Popen(command, cwd=cwd, env={**clean_environment(), **(environ or {})}, stdin=subprocess.DEVNULL,
                                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace")
            except FileNotFoundError:
                return Outcome(127, (f"{command[0]} was not found.",))
            with process:
                for line in process.stdout or ():
                    clean = redact(line.rstrip())
                    file.write(clean + "\n")
                    tail.append(clean)
                    progress.note(clean)
    return Outcome(process.returncode, tuple(tail))


def read_output(argv: Sequence[str | Path], timeout: float = 30) -> str | None:
    """What a short command prints, None if it is missing, fails or takes longer than `timeout` seconds."""
    try:
        done = subprocess.run([str(part) for part in argv], env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, encoding="utf-8", errors="replace", timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
