"""Starting the finish of a run in a process of its own, which outlives kernel, browser and the run's supervisor."""

from __future__ import annotations

import contextlib

from core.base.errors import StudioError
from core.base.files import read_json
from core.base.jobs import Job, list_jobs, start_job
from core.training.finish.kept import read_finish_settings
from core.training.finish.machine_use import STAGE
from core.training.finish.settings import FinishSettings
from core.training.finish.status import Board, cancel_file
from core.training.finish.tokens import for_finish, is_set_here, take_typed
from core.training.run import Run


def start_finish(run: Run, settings: FinishSettings, by_person: bool = True, token: str = "") -> Job:
    """Begin the finish of a run, at work or ended; one that is under way for it gives way to this one.

    Args: by_person: an earlier 'Keep the machine on' is taken back by this.
        token: of Hugging Face, for its process alone; empty: that of the environment.
    Raises: DiskError.
    """
    stop_finish(run)
    if by_person:
        cancel_file(run).unlink(missing_ok=True)
    job = start_job(run.project_folder, STAGE, settings.changed(run=run.id).model_dump(mode="json"), for_finish(token))
    Board(run).begin(job.mark(), bool(token) or is_set_here())
    return job


def follow_now(run: Run, settings: FinishSettings, token: str = "") -> None:
    """Let a run that is at work follow new settings. Args: token: as `start_finish`. Raises: DiskError."""
    if settings.is_idle:
        stop_finish(run)
    else:
        start_finish(run, settings, token=token)


def stop_finish(run: Run) -> None:
    """End the finishes that are under way for a run; the machine stays on."""
    for job in finishes(run):
        job.cancel()


def finishes(run: Run) -> list[Job]:
    """The jobs that are at the finish of a run now."""
    found = []
    for job in list_jobs(run.project_folder):
        with contextlib.suppress(StudioError, KeyError, OSError):
            order = read_json(job.folder / "settings.json")
            if order["stage"] == STAGE and order["settings"].get("run") == run.id and not job.status().ended:
                found.append(job)
    return found


def begin_with(run: Run) -> None:
    """Called by the supervisor when a run begins: what the project keeps is done at its end. A trouble with it never hinders the run.

    It takes a typed token out of the environment, before the trainer inherits that.
    """
    token = take_typed()
    try:
        settings, note = read_finish_settings(run.project_folder)
        if note:
            run.note("warning", message=note)
        if not settings.is_idle and not finishes(run):
            start_finish(run, settings, by_person=False, token=token)
    except (StudioError, OSError, ValueError, TypeError) as error:
        run.note("warning", message=f"What should happen after the run could not be prepared: {error}")
