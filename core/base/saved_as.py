"""What the name of a saved LoRA file tells: which run it is of, and which place it has there. The one reading of such names.

sd-scripts (library/train_util.py, EPOCH_FILE_NAME and STEP_FILE_NAME), musubi-tuner and the built-in trainer write NAME-000002 at the end
of an epoch, NAME-step00000150 after steps, and NAME at the end of the run. A run's own name may end in a number too ("mika-240115").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import ModelError
from core.base.tensor_headers import read_header

_PLACE = re.compile(r"-(?:(?P<epoch>\d{6,})|step(?P<step>\d{8,})|epoch(?P<other>\d+))")
_AT_END = re.compile(f"{_PLACE.pattern}$")


@dataclass(frozen=True)
class Saved:
    """Which run, and which place in it."""

    name: str
    """Of the run: its output_name."""
    epoch: int | None = None
    step: int | None = None

    @property
    def is_final(self) -> bool:
        """The LoRA that a run ended with; also any file that bears no number."""
        return self.epoch is None and self.step is None

    @property
    def number(self) -> float:
        """Of the epoch or step; of the final one infinite, since it comes last."""
        return float(next((number for number in (self.epoch, self.step) if number is not None), "inf"))


def saved_as(stem: str, *names: str) -> Saved:
    """Read a name. Args: stem: of the file. names: of the runs that it may be of, the likeliest first; where none fits, it is guessed."""
    for name in names:
        if stem == name:
            return Saved(name)
        if name and stem.startswith(name) and (found := _PLACE.fullmatch(stem[len(name):])):
            return _of(name, found)
    guess = _AT_END.search(stem)
    return _of(stem[:guess.start()], guess) if guess and guess.start() else Saved(stem)


def saved_file(path: Path) -> Saved:
    """Of one file: by the name that its metadata tells, else, also where it cannot be read, by its own. Raises: DiskError."""
    return saved_as(path.stem, _told_name(path))


def saved_together(paths: Iterable[Path]) -> dict[Path, Saved]:
    """Of files of one folder: one that is called as the others' run is the final one of that run. Raises: DiskError."""
    found = {path: saved_file(path) for path in paths}
    names = {saved.name for saved in found.values()}
    return {path: Saved(path.stem) if path.stem in names else saved for path, saved in found.items()}


def _told_name(path: Path) -> str:
    try:
        return read_header(path).metadata.get("ss_output_name", "")
    except ModelError:
        return ""


def _of(name: str, found: re.Match[str]) -> Saved:
    epoch, step = found["epoch"] or found["other"], found["step"]
    return Saved(name, int(epoch) if epoch else None, int(step) if step else None)
