"""Starting a run: the backend's command, the supervisor in a process of its own, and going on from a state."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import TrainingError
from core.base.files import write_json
from core.base.jobs import read_events
from core.base.locks import locked
from core.base.paths import ROOT, models_dir
from core.base.process import start_detached
from core.training import queue
from core.training.finish.tokens import for_supervisor
from core.training.guards import GuardSettings, keep_guards, read_guards
from core.training.outputs import State
from core.training.resuming import furthest_state, resume_arguments
from core.training.run import ACTIVE, Run, note_supervisor

if TYPE_CHECKING:
    from core.training.config import TrainingSettings


def prepare(project_folder: Path, settings: TrainingSettings, backend: str, guards: GuardSettings | None = None) -> Run:
    """Make a run whose trainer is known to be there; nothing is left behind where it is not.

    Args: guards: what watches over it; None: as the project keeps it.
    Raises:
        ConfigError: no backend has that name, or the settings cannot be written.
        TrainingError: the trainer is not installed. DiskError.
    """
    from core.training.backends import BACKENDS

    missing = BACKENDS.load(backend).missing()
    if missing is not None:
        raise TrainingError(missing.what, missing.remedy)
    guards = guards or read_guards(project_folder)
    run = Run.create(project_folder, settings, backend)
    keep_guards(guards, run.folder)
    return run


def launch(run: Run, state: State | None = None, hold: bool = False, token: str = "") -> Run:
    """Put a run into the machine's queue, under a supervisor that outlives the kernel; returns at once.

    Args:
        state: where to go on from; None begins at step 0.
        hold: it waits in the queue until it is released.
        token: of Hugging Face, for what follows its end; no file holds it, and the trainer does not get it. Empty: that of the environment.
    Raises:
        TrainingError: the run is already at work, or the backend cannot start.
        ConfigError: no backend has that name.
    """
    with launch_lock(run.folder):
        if run.state() in ACTIVE:
            raise TrainingError(f"The run {run.id} is already {run.state()}.", "Wait for its end, or stop it first.")
        _write_settings(run, state)
        command = plain_command(run)
        argv = [*command["argv"], *resume_arguments(run, state)]
        places = {"root": str(ROOT), "models": str(models_dir())}
        write_json(run.folder / "command.json", {**command, "argv": argv, "base": command["argv"], **places})
        (run.folder / "stop").unlink(missing_ok=True)
        (run.folder / "trainer.json").unlink(missing_ok=True)
        attempt = run.attempt() + 1
        queue.join(run, hold)
        run.note("launch", attempt=attempt, backend=run.backend, resumed_from=state.step if state else 0,
                 last_sign=run.heartbeat().get("time", 0.0))  # until then an attempt has worked that vanished without a word
        start_supervisor(run, attempt, token)
    return run


def start_supervisor(run: Run, attempt: int, token: str = "") -> None:
    """Start `python -m core.training.supervisor` for an attempt and note its process.

    Args: token: as `launch`. Raises: OSError, DiskError.
    """
    argv = [sys.executable, "-m", "core.training.supervisor", str(run.folder.resolve()), "--attempt", str(attempt)]
    mark = start_detached(argv, cwd=ROOT, env=for_supervisor(token), log=run.folder / "supervisor.txt")
    note_supervisor(run, attempt, mark)


def resume(run: Run, token: str = "") -> Run:
    """Go on from the newest whole state folder, in the same run folder; a run that was never started begins.

    Args: token: as `launch`. Raises: TrainingError: why it cannot go on, as `resume_point`.
    """
    return launch(run, resume_point(run), token=token)


def wake_queue(token: str = "") -> list[Run]:
    """Launch what was to be done when the machine was switched off: from the last state, or from the beginning where there is none.

    Args: token: as `launch`. Returns: the runs, in the order of the queue.
    Raises: TrainingError, ConfigError, DiskError: one cannot be launched.
    """
    return [launch(queued.run, furthest_state(queued.run), token=token) for queued in queue.interrupted()]


def resume_point(run: Run) -> State | None:
    """Where `resume` goes on from: the furthest whole state; None: at step 0, for a run whose training has not begun.

    Raises: TrainingError: it is finished or still at work, or no state was saved.
    """
    state_now = run.state()
    if state_now == "done":
        raise TrainingError(f"The run {run.id} is finished.", "Start a new run with more epochs to train longer.")
    if state_now in ACTIVE:
        raise TrainingError(f"The run {run.id} is already {state_now}.", "Wait for its end, or stop it first.")
    state = furthest_state(run)
    if state is None and state_now != "prepared" and _ever_trained(run) and not _only_encoded(run):
        when = "It ended before the first one." if run.settings().saving.save_state else "'Save to go on' (save_state) was off."
        raise TrainingError(f"The run {run.id} saved no state to go on from.", f"{when} Start the training anew.")
    return state


def _ever_trained(run: Run) -> bool:
    """Whether a trainer was ever started for it; one that was taken out of the queue before simply begins."""
    return any(event.get("event") in ("trainer", "start", "step") for event in read_events(run.folder)[0])


def _only_encoded(run: Run) -> bool:
    """Whether it ended while pictures and captions were encoded, by stages of their own; what they finished is kept."""
    note = run.folder / "musubi" / "begun"
    return run.backend == "musubi" and not note.exists()


def plain_command(run: Run) -> dict[str, Any]:
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
