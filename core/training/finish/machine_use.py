"""What else is at work on this machine, or waits for it, or would be lost with it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from core.base.errors import StudioError
from core.base.jobs import Job, list_jobs
from core.base.locks import is_held
from core.base.paths import projects_dir
from core.base.process import is_alive
from core.training.finish.status import AT_WORK, is_safe, read_finish
from core.training.outputs import list_outputs
from core.training.run import Run

STAGE = "finish"
YOUNG = 60.0
"""Seconds within which a job that has no process yet counts as about to start."""
FRESH = 600.0
"""Seconds within which a finish that is at its last steps has said something."""


def countdowns(project_folder: Path | None) -> list[Run]:
    """Runs of any project on this machine whose countdown goes on now. Args: project_folder: a project that may lie elsewhere."""
    folders = [parent for parent in {projects_dir(), *([project_folder.parent] if project_folder else [])} if parent.is_dir()]
    files = {file.resolve() for parent in folders for file in parent.glob("*/runs/*/finish.json")}
    young = [file for file in sorted(files) if time.time() - file.stat().st_mtime < FRESH]
    found = [(Run(file.parent), read_finish(Run(file.parent))) for file in young]
    return [run for run, status in found if status is not None and status.state in ("countdown", "acting")]


def other_work(own: Run) -> list[str]:
    """Runs and jobs that are at work here or wait for their turn, and other finishes that are not through, each in words."""
    found = [words for project in _projects(own) for words in (*_runs_at_work(project, own), *_jobs_at_work(project))]
    if not found and is_held(projects_dir() / ".machine.lock"):
        found.append("another training or job")
    return found


def unsaved_runs(own: Run) -> list[str]:
    """Other runs on this machine whose LoRA files were not verified at the far end."""
    return [run.id for project in _projects(own) for run in Run.list(project)
            if run.folder != own.folder and list_outputs(run.checkpoints) and not is_safe(run)]


def _projects(own: Run) -> list[Path]:
    """Every project beside this one and in the folder of projects."""
    found = {own.project_folder.resolve()}
    for parent in {projects_dir(), own.project_folder.parent}:
        with contextlib.suppress(OSError):
            found |= {folder.resolve() for folder in parent.iterdir() if (folder / "runs").is_dir() or (folder / "jobs").is_dir()}
    return sorted(found)


def _runs_at_work(project: Path, own: Run) -> Iterator[str]:
    for run in Run.list(project):
        if run.folder.resolve() == own.folder.resolve():
            continue
        status = read_finish(run)
        if is_alive(run.supervisor_mark()) or is_alive(run.trainer_mark()):
            yield f"the run {run.id}"
        elif status is not None and status.state in AT_WORK:
            yield f"the upload of the run {run.id}"


def _jobs_at_work(project: Path) -> Iterator[str]:
    for job in list_jobs(project):
        with contextlib.suppress(StudioError, KeyError):
            if job.stage != STAGE and _is_at_work(job):
                yield f"the job {job.id}"


def _is_at_work(job: Job) -> bool:
    mark = job.mark()
    if mark is None:
        return time.time() - (job.folder / "settings.json").stat().st_mtime < YOUNG and not job.cancel_asked()
    return is_alive(mark)
