"""How long a planned training takes and what it costs, from what a short run of it showed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import StudioError
from core.dataset.project import Project
from core.training.duration import Expected, times_drawn
from core.training.measuring.marks import differing, marks_of
from core.training.measuring.measured import Measured, read_measured
from core.training.measuring.shortened import drawing_work, saves_states

if TYPE_CHECKING:
    from core.training.config import TrainingSettings
    from core.training.config.counting import Totals


@dataclass(frozen=True)
class Outlook:
    """What a planned training amounts to, seconds."""

    totals: Totals
    pictures: int
    """Sample pictures that are drawn."""
    load: float
    encode: float
    steps: float
    samples: float
    saves: float
    missing: tuple[str, ...] = ()
    """What the short run did not come to, and what is therefore not counted."""

    @property
    def whole(self) -> float:
        """Seconds of all of it."""
        return self.load + self.encode + self.steps + self.samples + self.saves

    def price(self, of_an_hour: float) -> float:
        """What it costs."""
        return of_an_hour * self.whole / 3600


def outlook(measured: Measured, settings: TrainingSettings, counts: Sequence[int], totals: Totals | None = None) -> Outlook | None:
    """What the settings amount to; None: the short run made too few steps to tell, or there is no picture any more.

    Args:
        counts: pictures in each folder (`config.sources.image_counts`).
        totals: what they come to where the sizes of the pictures are known; None: with the buckets of the measurement.
    """
    from core.training.config.counting import count_steps

    units, data, pictures = measured.units, settings.data, sum(counts)
    if units.step is None or not pictures:
        return None
    if totals is None:
        totals = count_steps(settings, counts)
        if measured.buckets:
            totals = count_steps(settings, counts, buckets_now(measured.buckets, totals.images))
    mirrored = 2 if data.flip_aug else 1
    encode = (units.encode or 0.0) * pictures * mirrored + (units.captions or 0.0) * pictures
    drawn = times_drawn(settings, totals) if settings.sampling.sample_prompts else 0
    work = sum(drawing_work(prompt, settings) for prompt in settings.sampling.sample_prompts)
    missing = [words for words, wanted, have in (("sample pictures", drawn, units.sample), ("saves", True, units.save)) if wanted and
               have is None]
    return Outlook(totals, drawn * len(settings.sampling.sample_prompts), units.load or 0.0, encode,
                   (units.warm_up or 0.0) + units.step * totals.steps, drawn * work * (units.sample or 0.0),
                   _saving(measured, settings, totals), tuple(missing))


def buckets_now(measured: Sequence[int], images: int) -> list[int]:
    """Pictures in each bucket when an epoch has other repeats or another number of pictures than at the measurement: in its proportions.

    Each bucket may end with a batch that is not full, which makes more steps than if all pictures were in one.
    """
    share, buckets, left = images / sum(measured), [], images
    for size in measured[:-1]:
        buckets.append(min(left, round(size * share)))
        left -= buckets[-1]
    return [*buckets, left]


def _saving(measured: Measured, settings: TrainingSettings, totals: Totals) -> float:
    """Seconds of all saves; where states are not saved each time, the share of the LoRA file."""
    units = measured.units
    if units.save is None:
        return 0.0
    both = units.file_bytes + units.state_bytes
    of_file = units.save * (units.file_bytes / both if both else 1.0)
    if settings.saving.save_state:
        return totals.saves * units.save
    return totals.saves * of_file + (units.save - of_file if saves_states(settings) else 0.0)


def fitting_measurement(settings: TrainingSettings, backend: str, project_folder: Path) -> Measured | None:
    """The project's measurement where it came to its steps and holds for these settings; else None."""
    try:
        measured = read_measured(Project(project_folder))
        fits = measured is not None and measured.units.step is not None and not differing(measured.marks, marks_of(settings, backend))
    except (StudioError, OSError):
        return None
    return measured if fits else None


def measured_time(settings: TrainingSettings, backend: str, project_folder: Path) -> Expected | None:
    """How long a training takes, where the project's measurement holds for it; else None."""
    from core.training.config.sources import image_counts

    measured = fitting_measurement(settings, backend, project_folder)
    try:
        found = outlook(measured, settings, image_counts(settings)) if measured is not None else None
    except (StudioError, OSError):
        return None
    return expected_of(found, measured) if found is not None and measured is not None else None


def expected_of(found: Outlook, measured: Measured) -> Expected:
    """The same, told as an expectation."""
    return Expected(measured.units.step or 0.0, f"measured {time_words(measured)}", found.totals.steps, found.pictures, found.whole)


def time_words(measured: Measured) -> str:
    """When it was measured: "2026-11-22 12:03"."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(measured.time))
