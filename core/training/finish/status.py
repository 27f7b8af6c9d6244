"""Where the finish of a run stands: `finish.json` in the run's folder, written by the process that does it and read by panels."""

from __future__ import annotations

import contextlib
import copy
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from core.base.errors import DiskError, StudioError
from core.base.files import read_json, write_json, write_text
from core.base.process import ProcessMark, is_alive, mark_of
from core.training.finish.tokens import is_set_here
from core.training.run import Run

FinishState = Literal["starting", "waiting", "uploading", "verifying", "holding", "countdown", "acting",
                      "stopped", "kept_on", "failed", "cancelled", "lost"]
ENDED = ("stopped", "kept_on", "failed", "cancelled", "lost")
AT_WORK = ("starting", "waiting", "uploading", "verifying", "acting")
"""What another run's finish must be waited for: until then its files are not safe."""
FileState = Literal["waiting", "uploading", "uploaded", "verified", "wrong", "failed"]


@dataclass(frozen=True)
class FileReport:
    """One file on its way to the far end."""

    name: str
    """Its path in the repository."""
    size: int
    """Bytes."""
    state: FileState = "waiting"
    words: str = ""
    """What is wrong with it."""


@dataclass(frozen=True)
class FinishStatus:
    """What a panel shows of a finish."""

    state: FinishState
    message: str = ""
    will: str = ""
    """What will happen to the machine, as a sentence."""
    seconds_left: int = 0
    files: tuple[FileReport, ...] = ()
    repo_id: str = ""
    attempt: int = 0
    safe: bool = False
    """Whether the finished LoRA was verified at the far end, of the attempt that is noted."""
    has_token: bool = True
    """Whether its process has a token of Hugging Face; of one that has not said so it is believed."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ENDED


class Board:
    """Writes `finish.json`; a full disk must not end what it tells of.

    Attributes: seen: whether the last word could be written, and so can be seen by a person.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._values: dict[str, Any] = {"files": []}
        self._written: dict[str, Any] = {}
        self.seen = True

    def begin(self, mark: ProcessMark | None = None, has_token: bool | None = None) -> None:
        """A finish begins. Args: mark: the process that does it; this one when None. has_token: whether that has one; None: as this one."""
        mark = mark or mark_of(os.getpid())
        before = read_values(self.run)
        kept: dict[str, Any] = {str(name): before[name] for name in ("safe", "attempt", "repo_id") if name in before}
        self._values = {"files": [], "attempt": self.run.attempt(), **kept, "mark": mark.as_dict() if mark else None,
                        "has_token": is_set_here() if has_token is None else has_token}
        self.say("starting", "It is starting.")

    def say(self, state: FinishState, message: str, seconds_left: int = 0, **more: Any) -> None:
        """Write it down, where something has changed. Args: more: `will`, `repo_id`, `safe`, `attempt`."""
        self._values.update(more, state=state, message=message, seconds_left=seconds_left)
        if self._values == self._written and self.seen:
            return
        self.seen = False
        with contextlib.suppress(DiskError):
            write_json(self.run.folder / "finish.json", {**self._values, "time": time.time()})
            self._written, self.seen = copy.deepcopy(self._values), True

    def show(self, state: FinishState, message: str, files: Sequence[FileReport], **more: Any) -> None:
        """The same, with the files."""
        self._values["files"] = [asdict(file) for file in files]
        self.say(state, message, **more)

    def note(self, step: str, **values: Any) -> None:
        """One step for the run's events.jsonl."""
        with contextlib.suppress(DiskError):
            self.run.note("finish", step=step, **values)


def read_values(run: Run) -> dict[str, Any]:
    """What `finish.json` says; {} where there is none."""
    try:
        values = read_json(run.folder / "finish.json")
    except (StudioError, OSError):
        return {}
    return values if isinstance(values, dict) else {}


def read_finish(run: Run) -> FinishStatus | None:
    """Where the finish of a run stands; None: there was none. A process that ended without a word leaves a lost one."""
    values = read_values(run)
    if "state" not in values:
        return None
    files = tuple(FileReport(**file) for file in values.get("files", ()))
    state, message = values["state"], str(values.get("message", ""))
    if state not in ENDED and not is_alive(_mark(values)):
        state, message = "lost", "The process that was to do it ended without a word. The machine stays on."
    return FinishStatus(state, message, str(values.get("will", "")), int(values.get("seconds_left", 0)), files,
                        str(values.get("repo_id", "")), int(values.get("attempt", 0)), bool(values.get("safe")),
                        bool(values.get("has_token", True)))


def is_safe(run: Run) -> bool:
    """Whether the LoRA of its last attempt was verified at the far end."""
    values = read_values(run)
    return bool(values.get("safe")) and values.get("attempt") == run.attempt()


def keep_on(run: Run) -> None:
    """Ask that the machine stays on when this attempt of the run has ended; what is uploaded is uploaded. Raises: DiskError."""
    write_text(cancel_file(run), f"{run.attempt()}\n")


def is_kept_on(run: Run) -> bool:
    """Whether somebody asked for that; a file that cannot be read counts as asked."""
    try:
        asked = cancel_file(run).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return not asked.isdecimal() or int(asked) >= run.attempt()


def cancel_file(run: Run) -> Path:
    """The request to keep the machine on."""
    return run.folder / "finish-cancel"


def _mark(values: Mapping[str, Any]) -> ProcessMark | None:
    try:
        return ProcessMark.from_dict(values["mark"]) if values.get("mark") else None
    except (KeyError, TypeError, ValueError):
        return None
