"""The quiet reminder of a break: one calm line when a training begins and when it has ended, for those who wish for it."""

from __future__ import annotations

from core.base.errors import StudioError
from core.training.monitor import RunStatus
from core.training.run import ACTIVE, Run
from widgets.jobs_view import time_left
from widgets.session import Session


def calm_line(session: Session, run: Run | None, status: RunStatus | None = None) -> str:
    """How long the run still takes, or that it has ended; empty where nobody wishes for it, or what is wished for cannot be read.

    Args: status: the run's, where it was read a moment ago.
    """
    if run is None or not _is_wished(session):
        return ""
    state = status.state if status is not None else run.state()
    if state in ACTIVE:
        left = time_left((status or session.training.status(run.id)).seconds_left)
        words = f"The training has {left}: a good time for a break." if left else "The training has begun: a good time for a break."
    else:
        words = "The training has ended." if state != "prepared" else ""
    return f'<p class="lb-help">{words}</p>' if words else ""


def _is_wished(session: Session) -> bool:
    """What is wrong with the file is told where it is filled in; it must not hide the training."""
    try:
        return session.folder is not None and session.training.finish_settings()[0].reminder
    except StudioError:
        return False
