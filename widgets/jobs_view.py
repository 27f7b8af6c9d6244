"""A job in words: what the status line says of it, and which job a panel takes up again."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

from core.base.errors import Cancelled, StudioError
from core.base.files import read_json
from core.base.jobs import Job, JobStatus, list_jobs
from core.base.settings import Settings
from core.base.words import counted, told_moment

S = TypeVar("S", bound=Settings)


def newest_job(project: Path | None, stage: str) -> Job | None:
    """The project's last job of that stage, None where it never ran. Jobs of others are told by their ids; their files are not read."""
    jobs = list_jobs(project) if project is not None else []
    return next((job for job in jobs if f"-{stage}" in job.id and job.stage == stage), None)


def newest_settings(project: Path | None, stage: str, kind: type[S], without: Collection[str] = ()) -> S | None:
    """What the project's last job of that stage was started with; None: it never ran, or they are damaged or another version's.

    Args: without: fields that are left as they usually are.
    """
    job = newest_job(project, stage)
    return settings_of(job, kind, without) if job is not None else None


def settings_of(job: Job, kind: type[S], without: Collection[str] = ()) -> S | None:
    """What a job was started with; None: they are damaged or another version's. Args: without: as `newest_settings`."""
    try:
        given = read_json(job.folder / "settings.json")["settings"]
        return kind.make(**{name: given[name] for name in (kind.fields().keys() - without) & given.keys()}) if given else None
    except (StudioError, AttributeError, KeyError, TypeError):
        return None


def time_left(seconds: float | None) -> str:
    """ "about 3 min left"; empty while it is not known."""
    if seconds is None or seconds < 0:
        return ""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s left"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min left"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"about {hours} h {minutes} min left"


def share(done: int, total: int) -> float:
    """Finished share, 0 to 1; -1 while the total is not known."""
    return min(1.0, done / total) if total else -1.0


def working_words(status: JobStatus) -> str:
    """ "Working 3 of 40: Tagging"."""
    if status.state == "waiting":
        return f"Working: {status.message or 'waiting for another job to finish.'}"
    if status.state == "starting":
        return "Working: starting"
    count = f" {status.done} of {status.total}" if status.total else ""
    return f"Working{count}: {status.what}" if status.what else f"Working{count}"


def ended_words(status: JobStatus) -> tuple[str, str]:
    """State and words of the status line for a job that has ended."""
    if status.state == "done":
        warned = len(status.warnings)
        note = f" {counted(warned, 'note')} in the log." if warned else ""
        return "done", f"Done: {status.message}{note}" if status.message else f"Done.{note}"
    if status.state == "cancelled":
        place = f" after {status.done:,} of {status.total:,} ({status.what})" if status.total > 1 else ""
        told = status.message if status.message not in ("", str(Cancelled())) else f"cancelled{place}. What was finished before is kept."
        return "done", f"Done: {told}"
    return "attention", f"Needs attention: {status.message}"


def calm_words(status: JobStatus) -> str:
    """What the status line says of a job that went wrong before this panel was there: what happened when, and no alarm."""
    when = f" {told_moment(status.time)}" if status.time else ""
    return f"Ready. The last time{when} it did not end well: {status.message}"


def went_wrong(status: JobStatus) -> bool:
    """Whether a job ended in a way that somebody should look at."""
    return status.state in ("failed", "lost")


def job_log(job: Job, status: JobStatus) -> str:
    """The job's notes, then the last lines of its log."""
    notes = [f"Note: {warning}" for warning in status.warnings]
    return "\n".join([*notes, *filter(None, [job.log_tail()])])
