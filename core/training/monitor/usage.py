"""GPU and disk over the time of a run: a row every few seconds in usage.jsonl, thinned out so that it stays small."""

from __future__ import annotations

import contextlib
import json
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from core.base.errors import DiskError
from core.base.files import append_line, write_text
from core.training.monitor.gpu import Gpu

FILE = "usage.jsonl"
EVERY = 10.0
"""Seconds between two rows, before the first thinning."""
MOST = 1500
"""Rows; when there are so many, every second one goes, and the next come half as often."""
LAST = 12
"""Rows by which a later attempt sees how often the last one wrote."""
POWERS = 9
"""Thinnings that are believed: more would be a run of months."""


@dataclass(frozen=True)
class GpuMoment:
    """One GPU at one moment."""

    index: int
    used: float
    """MiB in use, by every process."""
    load: float | None
    """0–100."""
    temperature: float | None
    """°C."""
    power: float | None
    """Watts."""


@dataclass(frozen=True)
class Moment:
    """The machine at one moment."""

    time: float
    """Seconds since 1970."""
    disk_free: int
    """Bytes, where the run's folder lies."""
    gpus: tuple[GpuMoment, ...] = ()


class UsageWriter:
    """Writes the rows of one run; a full disk must not end the training."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._every: float | None = None
        self._rows = 0
        self._last = 0.0

    def note(self, gpus: Sequence[Gpu], now: float | None = None) -> None:
        """Write a row, if it is time to."""
        now = time.time() if now is None else now
        every = self._begun() if self._every is None else self._every
        if 0 <= now - self._last < every:
            return
        with contextlib.suppress(DiskError, OSError):
            row = {"time": round(now, 1), "disk": shutil.disk_usage(self.path.parent).free,
                   "gpus": [[gpu.index, gpu.used, gpu.load, gpu.temperature, gpu.power] for gpu in gpus]}
            append_line(self.path, json.dumps(row, separators=(",", ":")))
            self._last, self._rows = now, self._rows + 1
            if self._rows >= MOST:
                self._thin_out()

    def _begun(self) -> float:
        """What an earlier attempt has written, and how often. Returns: seconds between two rows."""
        moments = read_usage(self.path.parent)
        self._rows = len(moments)
        gaps = [after.time - before.time for before, after in pairwise(moments[-LAST:])]
        # Never thinned out, it is written as at first; else the median, for one of the gaps may be a pause between two attempts.
        gap = statistics.median_low(gaps) if len(moments) >= MOST // 2 and gaps else EVERY
        self._every = next((EVERY * 2**power for power in range(POWERS) if EVERY * 2**power >= gap * 0.75), EVERY * 2**POWERS)
        return self._every

    def _thin_out(self) -> None:
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()[::2]
        write_text(self.path, "".join(f"{line}\n" for line in lines))
        self._rows, self._every = len(lines), 2 * (self._every or EVERY)


def read_usage(folder: Path) -> tuple[Moment, ...]:
    """All rows of a run; a damaged one is passed over."""
    try:
        lines = (folder / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    moments = []
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            row = json.loads(line)
            moments.append(Moment(float(row["time"]), int(row["disk"]), tuple(GpuMoment(*gpu) for gpu in row["gpus"])))
    return tuple(moments)


class UsageReader:
    """The rows of a run, read again only where the file has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mark: tuple[int, int] | None = None
        self._moments: tuple[Moment, ...] = ()

    def read(self) -> tuple[Moment, ...]:
        """All rows so far."""
        try:
            found = (self.folder / FILE).stat()
        except OSError:
            return ()
        if (found.st_mtime_ns, found.st_size) != self._mark:
            self._mark, self._moments = (found.st_mtime_ns, found.st_size), read_usage(self.folder)
        return self._moments
