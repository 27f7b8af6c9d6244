"""A job in words: what the status line says of it, and which job a panel takes up again."""

from __future__ import annotations

from pathlib import Path

from core.base.jobs import Job, JobStatus, list_jobs
from core.base.words import counted


def newest_job(project: Path, stage: str) -> Job | None:
    """The project's last job of that stage, None where it never ran. Jobs of others are told by their ids; their files are not read."""
    return next((job for job in list_jobs(project) if f"-{stage}" in job.id and job.stage == stage), None)


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
        return "done", f"Done: {status.message or 'cancelled; what was finished before is kept.'}"
    return "attention", f"Needs attention: {status.message}"


def job_log(job: Job, status: JobStatus) -> str:
    """The job's notes, then the last lines of its log."""
    notes = [f"Note: {warning}" for warning in status.warnings]
    return "\n".join([*notes, *filter(None, [job.log_tail()])])
