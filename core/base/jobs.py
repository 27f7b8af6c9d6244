"""Jobs: a stage in a process of its own, described by files, so that any kernel can watch or stop it.

A job's folder: `settings.json` (what to run), `process.json` (who runs it), `events.jsonl` (what happened, one
JSON object a line), `log.txt`, `report.json` (what came out), `cancel` (somebody asked to stop). State is read from these and
from the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from core.base.errors import Cancelled, DatasetError, DiskError
from core.base.files import append_line, explain_disk_errors, read_json, write_json, write_text
from core.base.paths import ROOT
from core.base.process import ProcessMark, end_group, is_alive, mark_of, start_detached
from core.base.progress import Progress

JobState = Literal["starting", "waiting", "running", "done", "failed", "cancelled", "lost"]
ENDED = ("done", "failed", "cancelled", "lost")
RUNNER = "core.job"
"""The module that runs a job's folder: `python -m core.job FOLDER`."""
STEPS_PER_SECOND = 10.0
_LOG_LINE = 400
"""Bytes that a line of a log has at most, as a rule."""


def append_event(folder: Path, event: str, **values: Any) -> None:
    """Append one line to `events.jsonl`. Args: event: start, step, warning, done, failed, cancelled …"""
    line = json.dumps({"event": event, "time": time.time(), **values}, ensure_ascii=False, default=str)
    append_line(Path(folder) / "events.jsonl", line, errors="replace")  # a picture's name may be no UTF-8


def read_events(folder: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The whole lines of `events.jsonl` from a byte offset on, and the offset to continue from.

    A last line that is still being written is left for the next call; a damaged line is passed over.
    """
    try:
        with open(Path(folder) / "events.jsonl", "rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    events = []
    for line in whole.splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                events.append(event)
    return events, offset + len(whole)


def read_tail(path: Path, size: int) -> str:
    """The whole lines among the last `size` bytes of a text file; empty where there is none."""
    try:
        with open(path, "rb") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - size))
            data = file.read()
    except FileNotFoundError:
        return ""
    return data[data.find(b"\n") + 1 if end > size else 0:].decode("utf-8", "replace").replace("\r", "\n")


@dataclass(frozen=True)
class JobStatus:
    """What a panel shows of a job."""

    state: JobState
    what: str = ""
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    message: str = ""
    """The last word: a summary, an error's sentence with its remedy, or why it is waiting."""
    warnings: tuple[str, ...] = ()
    report: dict[str, Any] = field(default_factory=dict)
    item: str = ""
    """What the last step told of itself: a file's name, or how fast it goes."""
    time: float = 0.0
    """When its last word came, seconds since 1970; 0: it said nothing yet."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ENDED


@dataclass
class _Seen:
    """What a job's events said up to a place in their file."""

    offset: int = 0
    inode: int = 0
    state: JobState | None = None
    what: str = ""
    done: int = 0
    total: int = 0
    item: str = ""
    time: float = 0.0
    left: float | None = None
    message: str = ""
    warnings: list[str] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    report_mark: tuple[int, ...] = ()
    """Of the file that the report was read from: inode, time, size."""

    def take_in(self, event: Mapping[str, Any]) -> None:
        """One event more."""
        kind, self.time = event.get("event"), float(event.get("time", self.time))
        if kind == "start":
            self.state, self.what, self.message, self.left = "running", event.get("what", ""), "", None
            self.total, self.done, self.item = event.get("total", 0), event.get("done", 0), ""
        elif kind == "step":
            self.done, self.left, self.item = event.get("done", self.done), event.get("seconds_left"), str(event.get("item", ""))
        elif kind == "warning":
            self.warnings.append(str(event.get("message", "")))
        elif kind == "waiting":
            self.state, self.message = "waiting", event.get("message", "")
        elif kind in ("done", "failed", "cancelled"):
            self.state, self.message, self.left = kind, event.get("message", ""), None


@dataclass(frozen=True)
class Job:
    """One job, by its folder. Its object remembers how far the events were read, so that a look reads only what is new."""

    folder: Path
    _seen: list[_Seen] = field(default_factory=lambda: [_Seen()], compare=False, repr=False)

    @classmethod
    def open(cls, folder: Path) -> Job:
        """Raises: DatasetError: there is no job in that folder."""
        folder = Path(folder)
        if not (folder / "settings.json").is_file():
            raise DatasetError(f"There is no job in {folder}.")
        return cls(folder)

    @property
    def id(self) -> str:
        """The folder's name: time and stage."""
        return self.folder.name

    @property
    def stage(self) -> str:
        """Name of the stage that it runs."""
        return str(read_json(self.folder / "settings.json")["stage"])

    def mark(self) -> ProcessMark | None:
        """The process that runs it, None before it started."""
        file = self.folder / "process.json"
        return ProcessMark.from_dict(read_json(file)) if file.is_file() else None

    def log_tail(self, lines: int = 200) -> str:
        """The last lines of its log."""
        return "\n".join(read_tail(self.folder / "log.txt", lines * _LOG_LINE).splitlines()[-lines:])

    def status(self) -> JobStatus:
        """Read what was written since the last look, and look for the process."""
        alive = is_alive(self.mark())
        seen = self._read_on()
        state, left, message = seen.state or "starting", seen.left, seen.message
        if state not in ENDED and not alive:
            state, left, message = "lost", None, f"The process ended without a word. Its last lines are in {self.folder / 'log.txt'}."
            if self.cancel_asked():
                state, message = "cancelled", str(Cancelled())
        return JobStatus(state, seen.what, seen.done, seen.total, left, message, tuple(seen.warnings), self._report(seen),
                         seen.item, seen.time)

    def _report(self, seen: _Seen) -> dict[str, Any]:
        """The stage's report, read once: after an import of ten thousand pictures it is a long one, and panels look often."""
        path = self.folder / "report.json"
        with contextlib.suppress(FileNotFoundError):
            facts = path.stat()
            mark = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if mark != seen.report_mark:
                seen.report, seen.report_mark = read_json(path), mark
            return seen.report
        return {}

    def _read_on(self) -> _Seen:
        """Take in the new events; a file that shrank or was replaced is read anew."""
        with contextlib.suppress(FileNotFoundError):
            now, seen = (self.folder / "events.jsonl").stat(), self._seen[0]
            if now.st_size < seen.offset or now.st_ino != seen.inode:
                self._seen[0] = _Seen(inode=now.st_ino)
        seen = self._seen[0]
        events, seen.offset = read_events(self.folder, seen.offset)
        for event in events:
            seen.take_in(event)
        return seen

    def cancel(self, grace: float = 0.0) -> bool:
        """Ask it to stop, from the first moment on; with `grace` seconds, end it by force after that. Returns: whether it has ended.

        The request is left as a file: a process that is still loading ends at SIGTERM without a word, or is not noted yet.
        """
        mark = self.mark()
        if mark is not None and not is_alive(mark):
            return True
        with contextlib.suppress(DiskError):
            write_text(self.folder / "cancel", "")
        return mark is not None and end_group(mark, grace)

    def cancel_asked(self) -> bool:
        """Whether somebody asked it to stop."""
        return (self.folder / "cancel").exists()


def start_job(project_folder: Path, stage: str, settings: Mapping[str, Any], secrets: Mapping[str, str] | None = None) -> Job:
    """Start a stage in its own process.

    Args:
        project_folder: the project it works on, or the folder of a stage that needs none; the job's folder is made under its `jobs/`.
        stage: a name of `core.stages.STAGES`.
        settings: the stage's settings as plain values.
        secrets: variables of the process's environment: what it must know and no file may hold.

    Raises: DiskError: the job's folder cannot be written.
    """
    folder = _new_folder(Path(project_folder) / "jobs", stage)
    write_order(folder, {"stage": stage, "project": str(Path(project_folder).resolve()), "settings": dict(settings)})
    mark = start_detached([sys.executable, "-m", RUNNER, str(folder)], cwd=ROOT, log=folder / "log.txt",
                          env={"PYTHONUNBUFFERED": "1", **(secrets or {})})
    with contextlib.suppress(DiskError):  # the process notes itself too
        write_json(folder / "process.json", mark.as_dict())
    return Job(folder)


def write_order(folder: Path, order: Mapping[str, Any]) -> None:
    """Note what a job is to do, for its owner only: an address may hold a secret until the process has read it. Raises: DiskError."""
    write_json(folder / "settings.json", order, mode=0o600)


def _new_folder(parent: Path, name: str) -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for number in range(1, 1000):
        folder = parent / (f"{stamp}-{name}" if number == 1 else f"{stamp}-{name}-{number}")
        with contextlib.suppress(FileExistsError), explain_disk_errors(folder):
            folder.mkdir(parents=True)
            return folder
    raise FileExistsError(f"{parent / stamp}-{name}")


def list_jobs(project_folder: Path) -> list[Job]:
    """The project's jobs, newest first."""
    folders = (Path(project_folder) / "jobs").glob("*/settings.json")
    return [Job(file.parent) for file in sorted(folders, reverse=True)]


class JobProgress(Progress):
    """Writes a stage's progress into a job's folder, at most ten steps a second."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._last_step = 0.0

    def report_start(self) -> None:
        """A phase began."""
        append_event(self.folder, "start", what=self.what, total=self.total, done=self.done)

    def report_step(self, item: str) -> None:
        """One item is finished."""
        now = time.monotonic()
        if now - self._last_step < 1 / STEPS_PER_SECOND and self.done != self.total:
            return
        self._last_step = now
        append_event(self.folder, "step", done=self.done, item=item, seconds_left=self.seconds_left())

    def warn(self, message: str) -> None:
        """Kept with the job and shown in its panel."""
        append_event(self.folder, "warning", message=message)

    def note(self, message: str) -> None:
        """One line for the log."""
        sys.stdout.write(message + "\n")
        sys.stdout.flush()


def write_own_mark(folder: Path) -> None:
    """Note this very process as the one that runs the folder's job."""
    mark = mark_of(os.getpid())
    if mark is not None:
        write_json(folder / "process.json", mark.as_dict())
