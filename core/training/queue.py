"""The queue of training runs on a machine: one small file in which every waiting supervisor looks whose turn it is.

`<projects>/.machine.queue.json`, beside the lock of the machine (`core.base.turns.turn_on_the_machine`), so that all projects and all
kernels of a machine share it. A run stands in it from its launch to its end; the one that works keeps its place, so that after the
machine was switched off it is known what was to be done. It is changed under a lock and replaced whole.

Who works is decided by the machine's lock, not here: a run whose supervisor was killed holds nobody up, and the lock frees itself.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from core.base.errors import StudioError, TrainingError
from core.base.files import write_json
from core.base.locks import locked
from core.base.paths import projects_dir
from core.training.run import HELD, Run

State = Literal["working", "waiting", "held", "gone"]


@dataclass(frozen=True)
class Entry:
    """One run's line in the file."""

    run: str
    """The run's folder."""
    hold: bool = False
    host: str = ""
    """The machine that it waits on: a volume may be shared by several."""
    added: float = 0.0
    """Seconds since 1970."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.run)


@dataclass(frozen=True)
class QueuedRun:
    """One run of the queue, as it is shown."""

    run: Run
    state: State
    """working; waiting; held; gone: nobody watches over it any more, since the machine was switched off."""
    place: int
    """Among those that wait, from 1; 0 for the one that works."""

    @property
    def project(self) -> str:
        """The project's name."""
        from core.dataset.project import shown_name

        try:
            return shown_name(self.run.project_folder)
        except (StudioError, OSError):
            return self.run.project_folder.name

    def as_dict(self) -> dict[str, Any]:
        """For the command line."""
        return {"run": self.run.id, "project": str(self.run.project_folder), "state": self.state, "place": self.place}


def queue_file() -> Path:
    """Where the queue of this machine's projects lies."""
    return projects_dir() / ".machine.queue.json"


def join(run: Run, hold: bool = False) -> None:
    """Put a run at the end; one that stands in it stays where it is, on this machine now.

    Args: hold: it waits there until it is released.
    Raises: DiskError.
    """
    mine, own = socket.gethostname(), str(run.folder.resolve())
    with _changing(own) as entries:
        known = next((place for place, entry in enumerate(entries) if entry.run == own), None)
        if known is None:
            entries.append(Entry(own, hold, mine, time.time()))
        else:
            entries[known] = replace(entries[known], host=mine)


def leave(run: Run) -> None:
    """Take a run out of the file, whatever it does. Raises: DiskError."""
    with _changing() as entries:
        entries[:] = [entry for entry in entries if entry.run != str(run.folder.resolve())]


def list_queue() -> list[QueuedRun]:
    """The runs of this machine in their order, the one that works first; those of a machine that was taken away count as gone here."""
    shown, place = [], 0
    for entry in _read():
        if (state := _state(entry)) is None:
            continue
        place += state != "working"
        shown.append(QueuedRun(Run(entry.folder), state, 0 if state == "working" else place))
    return sorted(shown, key=lambda queued: queued.place)


def move(run: Run, place: int) -> None:
    """Let a waiting run have another place. Args: place: from 1; more than there are is the last. Raises: TrainingError, DiskError."""
    own = _of_waiting(run)
    with _changing() as entries:
        entry = next(entry for entry in entries if entry.run == own)
        others = [other for other in entries if other.run != own]
        waiting = [other.run for other in others if _state(other) not in (None, "working")]
        behind = waiting[max(place, 1) - 1:]
        at = next((number for number, other in enumerate(others) if behind and other.run == behind[0]), len(others))
        entries[:] = [*others[:at], entry, *others[at:]]


def set_hold(run: Run, hold: bool) -> None:
    """Let a waiting run wait until it is released, or release it. Raises: TrainingError: it is not in the queue. DiskError."""
    own = _of_waiting(run)
    with _changing() as entries:
        entries[:] = [replace(entry, hold=hold) if entry.run == own else entry for entry in entries]


def take_out(run: Run) -> None:
    """Let a run that waits not be trained; its folder stays. Raises: TrainingError: it does not wait. DiskError."""
    _of_waiting(run)
    run.stop()
    if not run.is_active():
        leave(run)  # else its supervisor does, when it has heard


def interrupted() -> list[QueuedRun]:
    """The runs that nobody watches over any more, in their order: the machine was switched off, or is another one."""
    return [queued for queued in list_queue() if queued.state == "gone"]


def why_not_yet(run: Run) -> str:
    """Why it is not a run's turn, apart from the machine's being at work; empty: it is. A run that is not in the queue need not wait."""
    own, ahead = str(run.folder.resolve()), 0
    for entry in _read():
        if entry.run == own:
            if entry.hold:
                return HELD
            return f"Place {ahead + 1} in the queue of this machine. It begins by itself." if ahead else ""
        ahead += entry.host == socket.gethostname() and _state(entry) == "waiting"
    return ""


def _of_waiting(run: Run) -> str:
    """Raises: TrainingError: the run does not wait."""
    queued = {str(shown.run.folder): shown for shown in list_queue()}
    own = str(run.folder.resolve())
    if own not in queued or queued[own].state == "working":
        state = "works already" if own in queued else f"is {run.state()}, not in the queue"
        raise TrainingError(f"The run {run.id} {state}.", "Only a run that waits can be moved or held.")
    return own


def _state(entry: Entry) -> State | None:
    """None: it ended, or its folder is gone; it no longer belongs into the queue."""
    run = Run(entry.folder)
    try:
        state = run.state() if (entry.folder / "run.json").is_file() else "done"
    except (StudioError, OSError):
        return None
    if state == "lost":
        return "gone"
    if state not in ("running", "stopping") or (entry.host != socket.gethostname() and run.is_active()):
        return None
    if run.has_begun():
        return "working"
    return "held" if entry.hold else "waiting"


def _belongs(entry: Entry) -> bool:
    """Whether it waits, works, was interrupted, or is about to be launched."""
    return (entry.folder / "run.json").is_file() and (not Run(entry.folder).attempt() or _state(entry) is not None)


@contextlib.contextmanager
def _changing(keep: str = "") -> Iterator[list[Entry]]:
    """The entries, to be changed in place; written when the block ends well, without those of runs that ended.

    Args: keep: a run that is about to be launched, and so belongs into the queue whatever it did before.
    """
    path = queue_file()
    with locked(path.with_suffix(".lock")):
        entries = _read()
        before = list(entries)
        yield entries
        if entries != before:
            write_json(path, [asdict(entry) for entry in entries if entry.run == keep or _belongs(entry)])


def _read() -> list[Entry]:
    """What the file says; a damaged one counts as empty, for each run joins anew."""
    try:
        values = json.loads(queue_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return list(_entries(values)) if isinstance(values, list) else []


def _entries(values: Sequence[Any]) -> Iterator[Entry]:
    for value in values:
        with contextlib.suppress(TypeError):
            yield Entry(**value)
