"""Jobs: a stage in a process of its own, described by files, so that any kernel can watch or stop it.

A job's folder: `settings.json` (what to run), `process.json` (who runs it), `events.jsonl` (what happened, one
JSON object a line), `log.txt`, `report.json` (what came out). State is read from these and from the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from core.base.errors import DatasetError
from core.base.files import append_line, read_json, write_json
from core.base.paths import ROOT, projects_dir
from core.base.process import ProcessMark, end_group, is_alive, mark_of, start_detached
from core.base.progress import Progress

JobState = Literal["starting", "waiting", "running", "done", "failed", "cancelled", "lost"]
ENDED = ("done", "failed", "cancelled", "lost")
RUNNER = "core.job"
"""The module that runs a job's folder: `python -m core.job FOLDER`."""
STEPS_PER_SECOND = 10.0


def append_event(folder: Path, event: str, **values: Any) -> None:
    """Append one line to `events.jsonl`. Args: event: start, step, warning, done, failed, cancelled …"""
    append_line(Path(folder) / "events.jsonl", json.dumps({"event": event, "time": time.time(), **values}, ensure_ascii=False, default=str))


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
            events.append(json.loads(line))
    return events, offset + len(whole)


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

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ENDED


@dataclass(frozen=True)
class Job:
    """One job, by its folder."""

    folder: Path

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
        try:
            text = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def status(self) -> JobStatus:
        """Read the files and look for the process; nothing is remembered between calls."""
        alive = is_alive(self.mark())
        events, _ = read_events(self.folder)
        return _status_from(events, alive, self.folder)

    def cancel(self, grace: float = 0.0) -> bool:
        """Ask it to stop; with `grace` seconds, end it by force after that. Returns: whether it has ended."""
        mark = self.mark()
        return True if mark is None else end_group(mark, grace)


def _status_from(events: list[dict[str, Any]], alive: bool, folder: Path) -> JobStatus:
    what, done, total, left, message, warnings = "", 0, 0, None, "", []
    state: JobState = "starting" if alive else "lost"
    for event in events:
        kind = event.get("event")
        if kind == "start":
            state, what, total, done, message = "running", event.get("what", ""), event.get("total", 0), 0, ""
        elif kind == "step":
            done, left = event.get("done", done), event.get("seconds_left")
        elif kind == "warning":
            warnings.append(str(event.get("message", "")))
        elif kind == "waiting":
            state, message = "waiting", event.get("message", "")
        elif kind in ("done", "failed", "cancelled"):
            state, message, left = kind, event.get("message", ""), None
    if state not in ENDED and not alive:
        state, left = "lost", None
        message = f"The process ended without a word. Its last lines are in {folder / 'log.txt'}."
    report = read_json(folder / "report.json") if (folder / "report.json").is_file() else {}
    return JobStatus(state, what, done, total, left, message, tuple(warnings), report)


def start_job(project_folder: Path, stage: str, settings: Mapping[str, Any]) -> Job:
    """Start a stage in its own process.

    Args:
        project_folder: the project it works on; the job's folder is made under its `jobs/`.
        stage: a name of `core.stages.STAGES`.
        settings: the stage's settings as plain values.

    Raises: DiskError: the job's folder cannot be written.
    """
    folder = _new_folder(Path(project_folder) / "jobs", stage)
    write_json(folder / "settings.json", {"stage": stage, "project": str(Path(project_folder).resolve()), "settings": dict(settings)})
    mark = start_detached([sys.executable, "-m", RUNNER, str(folder)], cwd=ROOT, log=folder / "log.txt", env={"PYTHONUNBUFFERED": "1"})
    write_json(folder / "process.json", mark.as_dict())
    return Job(folder)


def _new_folder(parent: Path, name: str) -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for number in range(1, 1000):
        folder = parent / (f"{stamp}-{name}" if number == 1 else f"{stamp}-{name}-{number}")
        with contextlib.suppress(FileExistsError):
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
        append_event(self.folder, "start", what=self.what, total=self.total)

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


@contextlib.contextmanager
def turn_on_the_machine(folder: Path, progress: Progress) -> Iterator[None]:
    """Wait until no other heavy job or training run works on this machine, then hold the place.

    The place is a file lock, which the system frees when its holder ends, however it ends; waiting jobs are
    processes of their own, so the queue survives a restart of the kernel.
    """
    place = projects_dir() / ".machine.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(place, "a+") as file:
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    file.seek(0)
                    append_event(folder, "waiting", message=f"Waiting for {file.read().strip() or 'another job'} to finish.")
                    told = True
                progress.check()
                time.sleep(0.5)
        file.truncate(0)
        file.write(Path(folder).name)
        file.flush()
        yield


def write_own_mark(folder: Path) -> None:
    """Note this very process as the one that runs the folder's job."""
    mark = mark_of(os.getpid())
    if mark is not None:
        write_json(folder / "process.json", mark.as_dict())
