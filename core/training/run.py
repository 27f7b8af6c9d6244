"""Runs: one training, described by the files of its folder; any kernel on the machine finds it again.

State is derived from the files and the processes, never from memory:

    run.json          what the run is: backend, output name; written once, last, so that it makes the run
    command.json      the trainer's command line, made by the backend at each launch
    supervisor.json   who watches: attempt, host, process mark, since when; trainer.json: who trains
    heartbeat.json    the supervisor's last sign of life, with the GPUs as it saw them
    stop              somebody asked to stop ("gentle", "force", or "epoch": when the present epoch is over)
    events.jsonl      what happened; the supervisor's last word is an `end` event with the attempt's number
    log.txt           everything that the trainer printed
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.base.errors import StudioError, TrainingError
from core.base.files import explain_disk_errors, read_json, safe_stem, write_json, write_text
from core.base.jobs import append_event, read_tail
from core.base.process import ProcessMark, is_alive
from core.training.kept import placed_now
from core.training.moving import moves_of

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

RunState = Literal["prepared", "running", "stopping", "done", "failed", "cancelled", "lost"]
StopWish = Literal["", "gentle", "force", "epoch"]
ENDED = ("done", "failed", "cancelled", "lost")
ACTIVE = ("running", "stopping")
HELD = "Held in the queue. Release it there to let it begin."
"""The message of a run that waits because somebody holds it."""
HEARTBEAT_LIMIT = 60.0
"""Seconds after which a supervisor on another machine, of which only the heartbeat is seen, counts as gone."""
_TAIL = 1 << 16


@dataclass(frozen=True)
class Run:
    """One run, by its folder `<project>/runs/<id>`."""

    folder: Path

    @classmethod
    def create(cls, project_folder: Path, settings: TrainingSettings, backend: str) -> Run:
        """Make the run's folder and write the TOML pair into it; nothing is started.

        Raises: ConfigError: the settings cannot be written. DiskError: no space or no permission.
        """
        from core.training.config import for_run
        from core.training.config.pair import write_pair

        name = settings.saving.output_name
        folder = _new_folder(Path(project_folder).absolute() / "runs", name)
        try:
            write_pair(for_run(settings, folder), folder)
            for place in ("checkpoints", "samples", "logs"):
                (folder / place).mkdir(exist_ok=True)
            write_json(folder / "run.json", {"backend": backend, "output_name": name, "created": time.time()})
        except (StudioError, OSError):
            shutil.rmtree(folder, ignore_errors=True)  # made a moment ago by this very function
            raise
        return cls(folder)

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Raises: TrainingError: there is no run in that folder."""
        folder = Path(folder)
        if not (folder / "run.json").is_file():
            raise TrainingError(f"There is no training run in {folder}.", "Choose one of the project's runs.")
        return cls(folder)

    @classmethod
    def list(cls, project_folder: Path, readable: bool = False) -> list[Run]:
        """The project's runs, newest first. Args: readable: without those whose run.json cannot be read: no matter of the others."""
        runs = (cls(file.parent) for file in (Path(project_folder) / "runs").glob("*/run.json"))
        found = [run for run in runs if not readable or run.is_readable()]
        return sorted(found, key=lambda run: (run.info.get("created", 0.0), run.id), reverse=True)

    def is_readable(self) -> bool:
        """Whether run.json is there and says what a run is."""
        with contextlib.suppress(OSError, TypeError):
            info = _read(self.folder / "run.json")
            return {"backend", "output_name"} <= info.keys() and isinstance(info.get("created", 0.0), int | float)
        return False

    @property
    def id(self) -> str:
        """The folder's name: time and LoRA."""
        return self.folder.name

    @property
    def project_folder(self) -> Path:
        """The project that it belongs to."""
        return self.folder.parent.parent

    @property
    def info(self) -> dict[str, Any]:
        """What run.json says: backend, output_name, created (seconds since 1970)."""
        return dict(read_json(self.folder / "run.json"))

    @property
    def backend(self) -> str:
        """Name of the backend that trains it."""
        return str(self.info["backend"])

    @property
    def output_name(self) -> str:
        """The LoRA's name, without ending."""
        return str(self.info["output_name"])

    @property
    def checkpoints(self) -> Path:
        """Where the trainer saves LoRA files and states (its output_dir)."""
        return self.folder / "checkpoints"

    @property
    def log(self) -> Path:
        """Everything that the trainer printed."""
        return self.folder / "log.txt"

    def settings(self) -> TrainingSettings:
        """The settings that it was made with, every path inside its project or Lorabook's folder where these lie now.

        Raises: ConfigError: its settings.toml is missing or wrong.
        """
        from core.training.config import for_run

        settings = self.written_settings()
        moves = moves_of(self, settings.saving.output_dir)
        return for_run(type(settings).from_values(placed_now(settings.values(), moves)), self.folder) if moves else settings

    def written_settings(self) -> TrainingSettings:
        """What its settings.toml says, with the places of then. Raises: ConfigError: it is missing or wrong."""
        from core.training.config.pair import pair_in
        from core.training.config.presets import load_settings

        return load_settings(pair_in(self.folder).settings)

    def attempt(self) -> int:
        """How many times it was launched."""
        return int(self._supervisor().get("attempt", 0))

    def supervisor_mark(self) -> ProcessMark | None:
        """The process that watches the trainer, None before the first launch."""
        return _mark(self._supervisor())

    def trainer_mark(self) -> ProcessMark | None:
        """The process that trains, None before it was started."""
        return _mark(_read(self.folder / "trainer.json"))

    def heartbeat(self) -> dict[str, Any]:
        """The supervisor's last sign of life: time (seconds since 1970), gpus. Empty before the first."""
        return _read(self.folder / "heartbeat.json")

    def is_active(self) -> bool:
        """Whether a supervisor or a trainer still works for it."""
        supervisor = self._supervisor()
        if supervisor and supervisor.get("host") != socket.gethostname():
            last = max(float(sign.get("time", 0.0)) for sign in (self.heartbeat(), supervisor))  # it began before its first beat
            return time.time() - last < HEARTBEAT_LIMIT
        return is_alive(_mark(supervisor)) or is_alive(self.trainer_mark())

    def is_at_work(self) -> bool:
        """Whether it is trained now, or waits for its turn; of one that has ended only small files are read."""
        return self.is_active() and self.state() in ACTIVE

    def has_begun(self) -> bool:
        """Whether the present attempt's trainer was started: before that it waits for its turn."""
        return bool(self.attempt()) and _read(self.folder / "trainer.json").get("attempt") == self.attempt()

    def stop_asked(self) -> StopWish:
        """ "gentle", "force", "epoch", or "" when nobody asked to stop."""
        try:
            text = (self.folder / "stop").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""
        return text if text in ("force", "epoch") else "gentle"  # type: ignore[return-value]

    def end(self) -> dict[str, Any]:
        """The supervisor's last word on the present attempt; empty while there is none."""
        attempt = self.attempt()
        for event in reversed(_tail_events(self.folder)):
            if event.get("event") == "end" and event.get("attempt") == attempt:
                return event
        return {}

    def last_sign(self) -> float:
        """When its present attempt ended, or was last heard of; seconds since 1970, 0: it never was."""
        return float(self.end().get("time") or self.heartbeat().get("time") or self._supervisor().get("time") or 0.0)

    def state(self) -> RunState:
        """Read the files and look for the processes.

        `lost`: neither supervisor nor trainer lives, and neither said how it ended (killed, or the machine stopped).
        """
        if not self.attempt():
            return "prepared"
        end = self.end()
        if not end and self.is_active():
            return "stopping" if self.stop_asked() in ("gentle", "force") else "running"
        end = end or self.end()
        if end:
            return end["state"]  # type: ignore[no-any-return]
        return "cancelled" if self.stop_asked() in ("gentle", "force") else "lost"

    def stop(self, force: bool = False, after_epoch: bool = False) -> None:
        """Ask it to stop, from the first second on: the supervisor reads the request, even one made before it was up.

        Args:
            force: do not wait for the trainer's last checkpoint.
            after_epoch: when the present epoch is over and saved; one that waits for its turn stops at once.
        """
        if self.state() not in ACTIVE or (after_epoch and self.stop_asked()):
            return
        later = after_epoch and self.has_begun()
        write_text(self.folder / "stop", "force" if force else "epoch" if later else "gentle")
        if later:
            return
        trainer = self.trainer_mark()
        if trainer is not None and not is_alive(self.supervisor_mark()) and is_alive(trainer):
            from core.training.watching.company import end_company

            end_company(self, trainer)

    def log_tail(self, lines: int = 200) -> tuple[str, ...]:
        """The last lines of the log."""
        return tuple(tail_lines(self.log, lines))

    def note(self, event: str, **values: Any) -> None:
        """Append to events.jsonl."""
        append_event(self.folder, event, **values)

    def _supervisor(self) -> dict[str, Any]:
        return _read(self.folder / "supervisor.json")


def present_run(runs: Sequence[Run]) -> Run | None:
    """The run that is trained now, else the first that waits, else the newest. Args: runs: newest first, as `Run.list` gives them."""
    working = [run for run in runs if run.is_at_work()]
    return next((run for run in working if run.has_begun()), working[-1] if working else next(iter(runs), None))


def note_supervisor(run: Run, attempt: int, mark: ProcessMark | None) -> None:
    """Write down which process watches over an attempt. Raises: DiskError."""
    write_json(run.folder / "supervisor.json", {"attempt": attempt, "host": socket.gethostname(), "time": time.time(),
                                                "mark": mark.as_dict() if mark else None})


def tail_lines(path: Path, lines: int) -> list[str]:
    """The last lines of a text file, read from its end."""
    return [line for line in read_tail(path, max(lines * 400, _TAIL)).splitlines() if line.strip()][-lines:]


def _tail_events(folder: Path) -> list[dict[str, Any]]:
    """The last events; the supervisor's `end` is always among them, since nothing is written after it."""
    events = []
    for line in read_tail(folder / "events.jsonl", _TAIL).split("\n"):
        with contextlib.suppress(ValueError):
            events.append(json.loads(line))
    return events


def _read(path: Path) -> dict[str, Any]:
    """A small JSON file that another process replaces atomically; {} when it is missing."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def _mark(values: Mapping[str, Any]) -> ProcessMark | None:
    return ProcessMark.from_dict(values["mark"]) if values.get("mark") else None


def _new_folder(parent: Path, name: str) -> Path:
    stem = f"{datetime.now().strftime('%Y%m%d-%H%M%S')}-{safe_stem(name, 'lora', 40).replace(' ', '-')}"
    with explain_disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            folder = parent / (stem if number == 1 else f"{stem}-{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                return folder
    raise TrainingError(f"{parent} already holds 1000 runs of this second.", "Wait a second and start it again.")
