"""How many pictures, batches, steps and files a run will have, by sd-scripts' own arithmetic."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.base.errors import ConfigError
from core.training.config.applying import why_not
from core.training.config.data import Subset
from core.training.config.training import TrainingSettings

DEFAULT_STEPS = 1600
"""sd-scripts' length when neither epochs nor steps are given."""


@dataclass(frozen=True)
class Totals:
    """What a run amounts to."""

    images: int
    """Pictures of one epoch, with their repeats."""
    batches_per_epoch: int
    """Of all processes together."""
    steps_per_epoch: int
    """Optimizer updates of one epoch; the accumulated batches of an epoch's end make one of their own."""
    steps: int
    epochs: int
    saves: int
    """LoRA files written, the final one included, before older ones are removed."""
    batches_of_process: int
    """Batches of one epoch that each process gets; where they do not come out even, some are seen twice (accelerate's `even_batches`)."""


@dataclass(frozen=True)
class Split:
    """Which pictures of a folder, by their place in the order of names, are learned and which only measured."""

    learned: tuple[int, ...]
    validated: tuple[int, ...]


def split_of(count: int, validation_split: float, seed: int | None = None) -> Split:
    """How a folder of `count` pictures is divided; regularisation folders never are. Rounded as in sd-scripts, half of one to even.

    Args:
        validation_split: share of the pictures that is held back, 0 to 1.
        seed: `validation_seed`; None: how many is right, but not which.
    Source: split_train_val in sd-scripts' library/train_util.py.
    """
    order = list(range(count))
    if not validation_split:
        return Split(tuple(order), ())
    random.Random(seed if seed is not None else 0).shuffle(order)
    return Split(tuple(order[:math.ceil(count * (1 - validation_split))]), tuple(order[count - round(count * validation_split):]))


def held_back(settings: TrainingSettings) -> tuple[float, int | None]:
    """The share of the pictures that is only measured, and the seed that says which: as `split_of` takes them."""
    if why_not(settings, "validation_split"):
        return 0.0, None
    seed = settings.data.validation_seed
    return settings.data.validation_split, settings.saving.seed if seed is None else seed


def repeats_of_images(subsets: Sequence[Subset], image_counts: Sequence[int]) -> list[list[int]]:
    """How often each picture of each folder is seen in one epoch.

    Pictures to learn are repeated as their folder says. Regularisation pictures are taken in order until there are
    as many as there are pictures to learn: fewer are repeated more often, the rest of too many is left out (0).

    Args: image_counts: pictures in each folder, in the order of `subsets`.
    Source: DreamBoothDataset in sd-scripts' library/train_util.py.
    """
    if len(subsets) != len(image_counts):
        raise ConfigError(f"{len(subsets)} folders, but {len(image_counts)} counts of pictures.")
    repeats = [[0 if subset.is_reg else subset.num_repeats] * count for subset, count in zip(subsets, image_counts, strict=True)]
    wanted = sum(sum(of_folder) for of_folder in repeats)
    order = [(number, place) for number, subset in enumerate(subsets) if subset.is_reg for place in range(image_counts[number])]
    have, first_round = 0, True
    while order and have < wanted:
        for number, place in order:
            more = subsets[number].num_repeats if first_round else 1
            repeats[number][place] += more
            have += more
            if have >= wanted:
                break
        first_round = False
    return repeats


def steps_of_epoch(bucket_sizes: Sequence[int], batch: int, accumulated: int, processes: int = 1) -> int:
    """Optimizer updates of an epoch, as sd-scripts counts them. Args: bucket_sizes: pictures with repeats in each bucket."""
    return math.ceil(math.ceil(sum(math.ceil(size / batch) for size in bucket_sizes) / processes) / accumulated)


def count_steps(settings: TrainingSettings, image_counts: Sequence[int], bucket_sizes: Mapping[object, int] | Sequence[int] | None = None,
                processes: int | None = None) -> Totals:
    """What a run amounts to.

    Args:
        settings: repeats, batch size, accumulation, length, saving and what is held back for validation are read from it.
        image_counts: pictures in each folder, in the order of `settings.data.subsets`.
        bucket_sizes: pictures with repeats in each bucket; None counts as if all were in one, which is the least
            number of batches, since the last batch of each bucket may be smaller. Pictures that are held back are not among them.
        processes: GPUs that share the batches, over all machines; None: as the settings say.

    Raises: ConfigError: the counts do not match the folders, there is no picture at all, or no process.
    """
    processes = settings.machines.num_processes if processes is None else processes
    if processes < 1:
        raise ConfigError(f"A run needs at least one process, but {processes} are given.")
    subsets, (validation_split, _) = settings.data.subsets, held_back(settings)
    if validation_split and len(subsets) == len(image_counts):
        image_counts = [count if subset.is_reg else len(split_of(count, validation_split).learned)
                        for subset, count in zip(subsets, image_counts, strict=True)]
    images = sum(sum(of_folder) for of_folder in repeats_of_images(subsets, image_counts))
    sizes = [images] if bucket_sizes is None else list(bucket_sizes.values() if isinstance(bucket_sizes, Mapping) else bucket_sizes)
    batches = sum(math.ceil(size / settings.data.batch_size) for size in sizes)
    if not batches:
        raise ConfigError("There is no picture to train from.", "Choose a folder with pictures.")
    schedule = settings.schedule
    batches_of_process = math.ceil(batches / processes)
    steps_per_epoch = steps_of_epoch(sizes, settings.data.batch_size, schedule.gradient_accumulation_steps, processes)
    steps = schedule.max_train_steps or DEFAULT_STEPS
    if schedule.max_train_epochs is not None:
        steps = schedule.max_train_epochs * steps_per_epoch
    epochs = math.ceil(steps / steps_per_epoch)
    return Totals(images, batches, steps_per_epoch, steps, epochs, _count_saves(settings, steps, epochs), batches_of_process)


def _count_saves(settings: TrainingSettings, steps: int, epochs: int) -> int:
    """Files: at every n-th epoch but the last, at every n-th step, and one at the end."""
    saving = settings.saving
    by_epoch = (epochs - 1) // saving.save_every_n_epochs if saving.save_every_n_epochs else 0
    by_step = steps // saving.save_every_n_steps if saving.save_every_n_steps else 0
    return by_epoch + by_step + 1
