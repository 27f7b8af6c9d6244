"""The pictures of a short run: copies of those of the largest bucket, so that neither sources nor caches are touched."""

from __future__ import annotations

import glob
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import ConfigError
from core.base.files import explain_disk_errors
from core.base.paths import place_of
from core.base.progress import Progress
from core.dataset.project import trained_on
from core.training.measuring.shortened import STEPS, processes_of
from core.training.preflight.buckets import BucketPlan, Fate, plan_buckets
from core.training.preflight.pictures import pictures_of

if TYPE_CHECKING:
    from core.training.config import Subset, TrainingSettings

MOST_PICTURES = 16
"""Different pictures that are copied; a larger batch repeats them, which takes the same memory and time."""


def plan_of(settings: TrainingSettings) -> BucketPlan:
    """The planned run's pictures in their buckets. Raises: ConfigError: none can be trained. DatasetError: they cannot be read."""
    plan = plan_buckets(settings, pictures_of(settings.data.subsets))
    if not plan.buckets:
        raise ConfigError("There is no picture to train from.", "Choose a folder with pictures.")
    return plan


def copy_pictures(settings: TrainingSettings, plan: BucketPlan, folder: Path, progress: Progress) -> Subset:
    """Copy pictures of the largest bucket, with captions, masks and first pictures, into a folder of their own.

    Repeated, they fill every batch of `STEPS` steps to the last place.
    Returns: the folder as a short run learns from it. Raises: Cancelled. DiskError.
    """
    number, fates = _largest(plan, settings.data.subsets)
    subset = settings.data.subsets[number]
    of_a_step = plan.batch_size * settings.schedule.gradient_accumulation_steps * processes_of(settings)
    source, places = place_of(subset.image_dir), {"image_dir": folder / "images"}
    for name in ("conditioning_data_dir", "control_directory"):
        if getattr(subset, name):
            places[name] = folder / name
    with trained_on([source], "a measurement", progress):
        chosen = sorted(fates, key=lambda fate: -_length(source, fate.name, subset.caption_extension))[:_different(len(fates), of_a_step)]
        for fate in chosen:
            caption = (source / fate.name).with_suffix(subset.caption_extension)
            _copy([source / fate.name, *([caption] if caption.is_file() else [])], places["image_dir"])
            for name, place in list(places.items())[1:]:
                _copy(sorted(place_of(getattr(subset, name)).glob(f"{glob.escape(Path(fate.name).stem)}*")), place)
    folders = {name: str(place) for name, place in places.items()}
    return subset.changed(num_repeats=of_a_step // len(chosen) * STEPS, is_reg=False, **folders)


def _largest(plan: BucketPlan, subsets: Sequence[Subset]) -> tuple[int, list[Fate]]:
    """The folder that has most pictures in the largest bucket, and these; regularisation only where nothing else is as large."""
    fates = [fate for fate in plan.fates if fate.repeats and fate.fit.bucket == plan.largest()]
    fates = [fate for fate in fates if not subsets[fate.folder].is_reg] or fates
    number = Counter(fate.folder for fate in fates).most_common(1)[0][0]
    return number, [fate for fate in fates if fate.folder == number]


def _different(there: int, of_a_step: int) -> int:
    """How many different pictures: a number that divides the pictures of a step, so that no batch is left unfilled."""
    return next(count for count in range(min(there, of_a_step, MOST_PICTURES), 0, -1) if of_a_step % count == 0)


def _length(folder: Path, name: str, extension: str) -> int:
    """Bytes of a picture's caption, 0 where it has none: the longest are measured."""
    caption = (folder / name).with_suffix(extension)
    return caption.stat().st_size if caption.is_file() else 0


def _copy(files: Sequence[Path], folder: Path) -> None:
    with explain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, folder / file.name)
