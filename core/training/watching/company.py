"""A trainer and all that it started, also in sessions of their own, as the launcher of several processes starts them."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from core.base.process import marked_processes

if TYPE_CHECKING:
    from core.training.run import Run

MARK = "LORABOOK_TRAINER_OF"
"""The variable by which every process of a run's trainer is known; its value is the run's folder."""


def mark_for(run: Run) -> dict[str, str]:
    """What a run's trainer gets into its environment, and hands on to whatever it starts."""
    return {MARK: str(run.folder.resolve())}


def signal_company(run: Run, group: int, number: signal.Signals) -> bool:
    """Send a signal to a trainer's process group and to all that it started elsewhere. Returns: whether there was anybody.

    Args: group: the id of the trainer's process, which leads its group.
    """
    reached = False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        reached = True
    for pid in marked_processes(MARK, mark_for(run)[MARK]):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) != group:
                os.kill(pid, number)
                reached = True
    return reached
