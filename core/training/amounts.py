"""What a training amounts to, in words that follow the form as it is filled in: pictures, steps, files, disk, time and price."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import ConfigError
from core.base.words import counted
from core.setup.hardware import read_gpus
from core.training.duration import expected_time, rough_time
from core.training.measuring.outlook import measured_time
from core.training.room import room_of

if TYPE_CHECKING:
    from core.training.config import TrainingSettings
    from core.training.config.counting import Totals


def amount_lines(settings: TrainingSettings, backend: str, project_folder: Path, on_gpu: bool) -> list[str]:
    """Sentences on what the settings amount to, for the pictures as they are now. Args: on_gpu: whether the trainer computes on one."""
    from core.training.config.counting import count_steps
    from core.training.config.sources import image_counts

    counts = image_counts(settings)
    try:
        totals = count_steps(settings, counts)
    except ConfigError as error:
        return [error.message]
    lines = [_pictures(settings, counts, totals), _shares(settings, totals), _files(settings, totals)]
    return [*filter(None, lines), *_time_and_price(settings, backend, project_folder, on_gpu)]


def _pictures(settings: TrainingSettings, counts: list[int], totals: Totals) -> str:
    learned = [(count, subset.num_repeats) for count, subset in zip(counts, settings.data.subsets, strict=True) if not subset.is_reg]
    pictures = sum(count * repeats for count, repeats in learned)
    shown = " + ".join(f"{count} × {repeats}" for count, repeats in learned)
    others = f", and {totals.images - pictures} regularisation pictures" if totals.images > pictures else ""
    return (f"Pictures × repeats: {shown} = {pictures} in one epoch{others}. "
            f"Steps: about {totals.steps_per_epoch} in one epoch, {totals.steps} in all ({counted(totals.epochs, 'epoch')}).")


def _shares(settings: TrainingSettings, totals: Totals) -> str:
    """What each of several GPUs takes of an epoch, and from how many pictures a step learns."""
    gpus, batch, accumulated = settings.machines.num_processes, settings.data.batch_size, settings.schedule.gradient_accumulation_steps
    if gpus == 1:
        return ""
    times = f" × {accumulated} accumulated" if accumulated > 1 else ""
    return (f"Each of {gpus} GPUs takes about {totals.batches_of_process} of the {totals.batches_per_epoch} batches of an epoch, "
            f"{-(-totals.images // gpus)} pictures. A step learns from {batch} pictures × {gpus} GPUs{times} = "
            f"{batch * gpus * accumulated} (effective batch).")


def _files(settings: TrainingSettings, totals: Totals) -> str:
    """Files that are saved and the room that they take."""
    room = room_of(settings)
    return f"Saved: {counted(totals.saves, 'file')}, at most about {room.kept:.2g} GiB on the disk at once, with the states to go on from."


def _time_and_price(settings: TrainingSettings, backend: str, project_folder: Path, on_gpu: bool) -> list[str]:
    from core.training.finish.kept import price_of_hour

    expected = measured_time(settings, backend, project_folder) or expected_time(settings, backend, project_folder, on_gpu)
    if expected is None or not expected.whole:
        return ["Time: known once this machine has trained with these settings." if on_gpu else ""][:int(on_gpu)]
    line = f"Time: about {rough_time(expected.whole)} ({expected.basis})."
    price = price_of_hour(project_folder)
    return [line + (f" Price: about {price * expected.whole / 3600:.2f}, at {price:g} an hour." if price else "")]


@cache
def has_gpu() -> bool:
    """Whether this machine has a GPU; looked for once, as the question takes the driver up to a second."""
    return bool(read_gpus().gpus)
