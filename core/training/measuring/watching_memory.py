"""The most memory that a short run took: of the GPU as its driver sees it and as torch tells it, and of the machine."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.base.jobs import read_events
from core.training.monitor.gpu import Gpu, read_gpus

LOOK = 0.2
"""Seconds between two looks at the GPUs and at the processes."""
GROWN = 1.02
"""By how much the processes must have grown before what they share is looked at again, which takes the system some time."""
MIB = 2**20


class MemoryWatch(threading.Thread):
    """Looks at the GPUs and at a process with all that it has started.

    Args: process: the number of the trainer's process; None while there is none.
    """

    def __init__(self, process: Callable[[], int | None]) -> None:
        super().__init__(daemon=True, name="memory")
        self.process = process
        self.before = {gpu.index: gpu for gpu in read_gpus()}
        """The GPUs before the trainer began: what others take."""
        self.most: dict[int, Gpu] = dict(self.before)
        self.machine = 0
        """Bytes of the processes together, at most; what several share counts once."""
        self._resident = 0
        self._end = threading.Event()

    def run(self) -> None:
        """Look until it is told to end."""
        while not self._end.wait(LOOK):
            self.look()

    def end(self) -> None:
        """Stop looking."""
        self._end.set()
        self.join()

    def look(self) -> None:
        """Look once."""
        for gpu in read_gpus() if self.before else ():
            if gpu.index not in self.most or gpu.used > self.most[gpu.index].used:
                self.most[gpu.index] = gpu
        number = self.process()
        if number is not None and (resident := bytes_of(number, _resident)) > GROWN * self._resident:
            self._resident = resident
            self.machine = max(self.machine, bytes_of(number, _own_share))

    def gpu(self) -> tuple[Gpu, float] | None:
        """The GPU on which most was taken: at its fullest, and MiB that others took before; None: there is none, or none was used."""
        taken = {index: gpu.used - (self.before[index].used if index in self.before else 0.0) for index, gpu in self.most.items()}
        index = max(taken, key=lambda one: taken[one], default=None)
        if index is None or taken[index] <= 0:
            return None
        return self.most[index], self.before[index].used if index in self.before else 0.0

    def fullest_before(self) -> tuple[Gpu, float] | None:
        """The GPU of which others took most before the trainer began, and these MiB; None: they took nothing, or there is none."""
        gpu = max(self.before.values(), key=lambda one: one.used, default=None)
        return (gpu, gpu.used) if gpu is not None and gpu.used else None


def bytes_of(number: int, of_one: Callable[[Any], int]) -> int:
    """Memory of a process and of all that it has started, bytes; 0 where it has ended. Args: of_one: what of a process counts."""
    import psutil

    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(number)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += of_one(one)
    return total


def _resident(process: Any) -> int:
    return int(process.memory_info().rss)


def _own_share(process: Any) -> int:
    """Its proportional share where the system tells it (Linux), so that pages which loaders share with the trainer count once."""
    import psutil

    try:
        return int(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):
        return _resident(process)


def told_by_torch(folder: Path) -> int:
    """Bytes that torch held of a GPU at most, as the trainer told at its end (event `memory`); 0 where it told nothing."""
    return max((int(event.get("reserved", 0)) for event in read_events(folder)[0] if event.get("event") == "memory"), default=0)
