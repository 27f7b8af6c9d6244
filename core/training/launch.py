"""Starting a run: the backend's command, the supervisor in a process of its own, and going on from a state."""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import TrainingError
from core.base.files import write_json
from core.base.locks import locked
from core.base.paths import ROOT
from core.base.process import start_detached
from core.training.outputs import State, newest_state
from core.training.run import ACTIVE, Run

if TYPE_CHECKING:
    from core.training.config import TrainingSettings


def prepare(project_folder: Path, settings: TrainingSettings, backend: str) -> Run:
    """Make a run whose trainer is known to be there; nothing is left behind where it is not.

    Raises:
        ConfigError: no backend has that name, or the settings cannot be written.
        TrainingError: the trainer is not installed. DiskError.
    """
    from core.training.backends import BACKENDS

    missing = BACKENDS.load(backend).missing()
    if missing is not None:
        raise TrainingError(missing.what, missing.remedy)
    return Run.create(project_folder, settings, backend)


def launch(run: Run, state: State | None = None) -> Run:
    """Start the trainer under a supervisor that outlives the kernel; returns at once.

    Args: state: where to go on from; None begins at step 0.
    Raises:
        TrainingError: the run is already at work, or the backend cannot start.
        ConfigError: no backend has that name.
    """
    with launch_lock(run.folder):
        if run.state() in ACTIVE:
            raise TrainingError(f"The run {run.id} is already {run.state()}.", "Wait for its end, or stop it first.")
        _write_settings(run, state)
        command = _plain_command(run)
        if state is not None and run.backend == "sd-scripts":
            command["argv"].append("--skip_until_initial_step")  # without it sd-scripts does the state's epoch again
        write_json(run.folder / "command.json", {**command, "root": str(ROOT)})
        (run.folder / "stop").unlink(missing_ok=True)
        (run.folder / "trainer.json").unlink(missing_ok=True)
        attempt = run.attempt() + 1
        run.note("launch", attempt=attempt, backend=run.backend, resumed_from=state.step if state else 0)
        start_supervisor(run, attempt)
    return run


def start_supervisor(run: Run, attempt: int) -> None:
    """Start `python -m core.training.supervisor` for an attempt and note its process. Raises: OSError, DiskError."""
    argv = [sys.executable, "-m", "core.training.supervisor", str(run.folder.resolve()), "--attempt", str(attempt)]
    mark = start_detached(argv, cwd=ROOT, log=run.folder / "supervisor.txt")
    write_json(run.folder / "supervisor.json", {"attempt": attempt, "host": socket.gethostname(), "mark": mark.as_dict()})


def resume(run: Run) -> Run:
    """Go on from the newest whole state folder, in the same run folder; a run that was never started begins.

    Raises: TrainingError: why it cannot go on, as `resume_point`.
    """
    return launch(run, resume_point(run))


def resume_point(run: Run) -> State | None:
    """Where `resume` goes on from: the newest whole state; None: at step 0, for a run whose training has not begun.

    Raises: TrainingError: it is finished or still at work, or no state was saved.
    """
    state_now = run.state()
    if state_now == "done":
        raise TrainingError(f"The run {run.id} is finished.", "Start a new run with more epochs to train longer.")
    if state_now in ACTIVE:
        raise TrainingError(f"The run {run.id} is already {state_now}.", "Wait for its end, or stop it first.")
    state = newest_state(run.checkpoints, run.output_name)
    if state is None and state_now != "prepared" and not _only_encoded(run):
        when = "It ended before the first one." if run.settings().saving.save_state else "'Save to go on' (save_state) was off."
        raise TrainingError(f"The run {run.id} saved no state to go on from.", f"{when} Start the training anew.")
    return state


def _only_encoded(run: Run) -> bool:
    """Whether it ended while pictures and captions were encoded, by stages of their own; what they finished is kept."""
    note = run.folder / "musubi" / "begun"
    return run.backend == "musubi" and not note.exists()


def _plain_command(run: Run) -> dict[str, Any]:
    """The backend's command as values that JSON can hold."""
    from core.training.backends import BACKENDS

    command = BACKENDS.load(run.backend).command(run)
    return {"argv": list(command.argv), "cwd": str(command.cwd), "env": dict(command.env)}


def _write_settings(run: Run, state: State | None) -> None:
    """Write the pair anew where it must say something else: the state to go on from, or other places since the project was moved."""
    from core.training.config.pair import write_pair

    settings = run.settings()
    if state is not None:
        settings = settings.with_values(saving={"resume": str(state.folder.resolve())})
    if settings != run.written_settings():
        write_pair(settings, run.folder)


def launch_lock(folder: Path) -> contextlib.AbstractContextManager[bool]:
    """Two kernels that press the button at once start one supervisor: the second sees the first one's run."""
    return locked(folder / ".launch.lock")
