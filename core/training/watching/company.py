"""A trainer and all that it started, also in sessions of their own, as the launcher of several processes starts them."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from core.base.process import ProcessMark, end_group, is_alive, marked_processes

if TYPE_CHECKING:
    from core.training.run import Run

MARK = "LORABOOK_TRAINER_OF"
"""The variable by which every process of a run's trainer is known; its value is the run's folder."""


def mark_for(run: Run) -> dict[str, str]:
    """What a run's trainer gets into its environment, and hands on to whatever it starts."""
    return {MARK: str(run.folder.resolve())}


def end_company(run: Run, trainer: ProcessMark | None, grace: float = 5.0) -> None:
    """End a trainer and all that it started, also what outlived it. Blocks for at most `grace` seconds and some moments.

    Args: trainer: None: it is not known; then what bears the run's mark is ended.
    """
    group = trainer.pid if trainer is not None and is_alive(trainer) else None  # of one that has ended the number may be another's by now
    if trainer is not None:
        end_group(trainer, grace)
    signal_company(run, group, signal.SIGKILL)  # processes of its own sessions that it could not end itself


def signal_company(run: Run, group: int | None, number: signal.Signals) -> bool:
    """Send a signal to a trainer's process group and to all that it started elsewhere. Returns: whether there was anybody.

    Args: group: the id of the trainer's process, which leads its group; None: only those that bear the run's mark.
    """
    reached = False
    if group is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
            reached = True
    for pid in marked_processes(MARK, mark_for(run)[MARK]):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) != group:
                os.kill(pid, number)
                reached = True
    return reached
