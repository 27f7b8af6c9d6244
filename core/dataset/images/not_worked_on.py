"""Keeping the picture tools from a project's versions while their files are moved or chosen; who is at work is named."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from core.base.errors import Cancelled, DatasetError, StudioError
from core.base.jobs import list_jobs
from core.base.locks import waited_for
from core.dataset.images.working import JOB_LOCK
from core.dataset.images.writing import LOCK
from core.dataset.moving import Patience
from core.dataset.project import Project

MOMENT = 1.0
"""Seconds: as long as it may take to keep the version of one picture. A tool that works on many is not waited for."""


@contextlib.contextmanager
def not_worked_on(project: Project, undone: str) -> Iterator[None]:
    """No tool makes or takes back versions while the block runs.

    Args: undone: what is not done where one is at it: "nothing was renamed".
    Raises: DatasetError: one makes versions just now. DiskError.
    """
    with contextlib.ExitStack() as stack:
        try:
            for lock in (JOB_LOCK, LOCK):
                stack.enter_context(waited_for(project.hidden / lock, Patience(MOMENT)))
        except Cancelled as error:
            work = ", ".join(dict.fromkeys(_work(project))) or "another program"
            raise DatasetError(f"Versions of the pictures of {project.name!r} are being made ({work}), so {undone}.",
                               "Wait until that has ended, or stop it.") from error
        yield


def _work(project: Project) -> Iterator[str]:
    """The titles of the picture tools that work as jobs."""
    from core.stages import IMAGES, STAGES  # stages name what works on projects

    for job in list_jobs(project.folder):
        with contextlib.suppress(StudioError, KeyError, OSError, ValueError):  # a job's folder that is damaged tells nothing
            stage = STAGES[job.stage]
            if stage.manager == IMAGES and job.status().state == "running":
                yield stage.title
