"""The checkpoints of one run made one file: the mean of their updates, or an exponential moving average.

The updates are averaged, not the factors: the product of the means of up and down is not the mean of the products, for it also multiplies
each checkpoint's up with every other's down. What is written is the best of a rank of the exact mean (`core.utilities.merging.merging`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from core.base.errors import ConfigError
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.base.saved_as import saved_together
from core.base.settings import Settings, setting
from core.base.tensor_headers import read_header
from core.utilities import choices
from core.utilities.choices import Precision
from core.utilities.files.targets import beside
from core.utilities.layers.updates import Computing
from core.utilities.merging.merging import MergeReport, MergeSettings, merge_loras


class AverageSettings(Settings):
    """Which checkpoints, and how much each counts."""

    title: ClassVar[str] = "Average checkpoints"
    files: tuple[str, ...] = setting(..., "Checkpoints", "Files of one run from the earliest to the last, or its folder of checkpoints.",
                                     min_length=1)
    average_method: Literal["mean", "ema"] = setting("mean", "Method", "All alike (mean), or later ones count more (ema).")
    ema_decay: float = setting(0.7, "Decay", "How much of the average so far stays at each further checkpoint.", gt=0, lt=1,
                               only={"average_method": ("ema",)})
    new_rank: int | None = setting(None, "Rank", "Empty: of each layer the largest of the checkpoints' own.", ge=1, le=4096)
    save_to: str = choices.save_to("with -mean or -ema in its name")
    save_precision: Precision = choices.precision()
    device: str = choices.device()
    computing: Computing = choices.computing()

    def usual_target(self) -> Path:
        """Where the result goes when nothing is said. Raises: ConfigError: as `checkpoints_of`."""
        return beside(checkpoints_of(self.files)[0][0], f"-{self.average_method}")


def average_loras(settings: AverageSettings, progress: Progress = SILENT) -> MergeReport:
    """Write the average; the given files stay as they are.

    Raises: ConfigError: fewer than two checkpoints, or the target is taken. ModelError: as `merge_loras`. DiskError, Cancelled.
    """
    files, others = checkpoints_of(settings.files)
    weights = shares(len(files), settings.ema_decay if settings.average_method == "ema" else None)
    merge = MergeSettings.make(files=tuple(map(str, files)), weights=weights, new_rank=settings.new_rank,
                               save_to=settings.save_to or str(beside(files[0], f"-{settings.average_method}")),
                               save_precision=settings.save_precision, device=settings.device, computing=settings.computing)
    words = "mean" if settings.average_method == "mean" else f"EMA {settings.ema_decay:g}"
    report = merge_loras(merge, progress, words, None if settings.new_rank else lambda layer: layer.own)
    if not others:
        return report
    left = f"Not of this run, and left out: {', '.join(path.name for path in others[:3])}{' …' if len(others) > 3 else ''}."
    return replace(report, notes=(*report.notes, left))


def shares(count: int, decay: float | None = None) -> tuple[float, ...]:
    """What each checkpoint counts; together 1. Args: decay: of a moving average, from the first to the last; None: all alike."""
    if decay is None:
        return (1 / count,) * count
    return tuple(decay ** (count - 1) if not number else (1 - decay) * decay ** (count - 1 - number)
                 for number in range(count))


def checkpoints_of(files: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """The files as given; of a folder the checkpoints of its run in their order, and what lies there beside them.

    A run's files bear its name, which their metadata tell, with a number or without; what was made of them (resized, averaged) bears
    another. Their order is that of the steps which they tell; where one tells none, that of their numbers, the one without a number last.
    Raises: ConfigError: fewer than two, or a folder with checkpoints of several runs. ModelError: no safetensors file.
    """
    paths, others = [typed_path(file) for file in files], list[Path]()
    if len(paths) == 1 and paths[0].is_dir():
        here = sorted(path for path in paths[0].glob("*.safetensors") if path.is_file())
        runs: dict[str, list[Path]] = {}
        for path, saved in saved_together(here).items():
            runs.setdefault(saved.name, []).append(path)
        several = sorted(name for name, own in runs.items() if len(own) > 1)
        if len(several) > 1:
            raise ConfigError(f"{paths[0]} has checkpoints of several runs: {', '.join(several)}.", "Name the files of one of them.")
        paths = in_order(runs[several[0]]) if several else here[:1]
        others = [path for path in here if path not in paths]
    if len(paths) < 2:
        raise ConfigError(f"There is only {len(paths)} checkpoint: an average needs two.", "Name several files, or a folder that has them.")
    return paths, others


def in_order(paths: Sequence[Path]) -> list[Path]:
    """Checkpoints of one run, the earliest first. Raises: ModelError: one is no safetensors file."""
    steps = {path: read_header(path).metadata.get("ss_steps", "") for path in paths}
    if all(told.isdecimal() and int(told) for told in steps.values()):
        return sorted(paths, key=lambda path: (int(steps[path]), path.name))
    saved = saved_together(paths)
    return sorted(paths, key=lambda path: (saved[path].number, path.name))
