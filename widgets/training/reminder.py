"""The quiet reminder of a break: one calm line when a training begins and when it has ended, for those who wish for it."""

from __future__ import annotations

from core.training.run import ACTIVE, Run
from widgets.jobs_view import time_left
from widgets.session import Session


def calm_line(session: Session, run: Run | None) -> str:
    """How long the run still takes, or that it has ended; empty where nobody wishes for it."""
    if run is None or session.folder is None or not session.training.finish_settings()[0].reminder:
        return ""
    state = run.state()
    if state in ACTIVE:
        left = time_left(session.training.status(run.id).seconds_left)
        words = f"The training has {left}: a good time for a break." if left else "The training has begun: a good time for a break."
    else:
        words = "The training has ended." if state != "prepared" else ""
    return f'<p class="lb-help">{words}</p>' if words else ""
