"""The queue of training runs on the command line: `core queue`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.base.errors import TrainingError
from core.base.progress import Progress


def add_queue_command(commands: Any, command: Callable[..., argparse.ArgumentParser]) -> None:
    """The sub-command. Args: command: makes one of a name, a title and what it does."""
    parser = command(commands, "queue", "Show the training runs that wait on this machine, and change their order", queue)
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--move", nargs=2, metavar=("RUN", "PLACE"), help="give a waiting run another place, from 1")
    act.add_argument("--hold", metavar="RUN", help="let a waiting run wait until it is released")
    act.add_argument("--release", metavar="RUN", help="let a held run begin when it is its turn")
    act.add_argument("--take-out", metavar="RUN", help="take a waiting run out of the queue")
    act.add_argument("--wake", action="store_true", help="start again what was to be done when the machine was switched off")


def queue(given: argparse.Namespace, progress: Progress) -> Any:
    """Change the queue as the flags say. Returns: how it is now."""
    from core.training import launch
    from core.training import queue as runs

    if given.move:
        runs.move(_queued(given.move[0]), _place(given.move[1]))
    elif given.hold or given.release:
        runs.set_hold(_queued(given.hold or given.release), bool(given.hold))
    elif given.take_out:
        runs.take_out(_queued(given.take_out))
    elif given.wake:
        launch.wake_queue()
    now = runs.list_queue()
    lines = [f"{queued.place or '-'}  {queued.state:8} {queued.run.id} in the project {queued.project}" for queued in now]
    return {"summary": "\n".join(lines) or "No training run works or waits on this machine.", "queue": [queued.as_dict() for queued in now]}


def _queued(name: str) -> Any:
    """A run of the queue by its id, or by its folder where two projects have one of that id. Raises: TrainingError: none is there."""
    from core.training.queue import list_queue

    found = [queued.run for queued in list_queue() if name in (queued.run.id, str(queued.run.folder)) or _same(name, queued.run.folder)]
    if len(found) != 1:
        known = ", ".join(queued.run.id for queued in list_queue()) or "none"
        how = "is not in the queue" if not found else "is the id of several runs in the queue"
        raise TrainingError(f"{name!r} {how}.", f"In it: {known}. A run may also be named by its folder.")
    return found[0]


def _same(name: str, folder: Path) -> bool:
    return "/" in name and Path(name).resolve() == folder


def _place(text: str) -> int:
    """Raises: TrainingError: it is no place."""
    if not text.isdigit() or int(text) < 1:
        raise TrainingError(f"A place in the queue is a number from 1, but is {text!r}.")
    return int(text)
