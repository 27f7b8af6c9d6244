"""How much a run writes, and whether the project's disk holds it: LoRA files, and states, which are three to six times as large."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import ConfigError
from core.base.findings import Finding
from core.setup.hardware import GIB

if TYPE_CHECKING:
    from core.training.config import TrainingSettings
    from core.training.guards import GuardSettings

GOOGLE_DRIVE = Path("/content/drive")
"""Where Colab shows Google Drive."""
TRASH_WORTH_A_WORD = 0.1
"""GiB that a run leaves in Google Drive's trash before it is spoken of."""


@dataclass(frozen=True)
class LayerNumbers:
    """Numbers of a LoRA for each 1 of rank; counted on the families' own layers (`core.diffusion.lora.find_targets`)."""

    text: int
    unet: int
    residual: int
    """Small layers beside the 3×3 convolutions, which take part with a convolution rank."""
    convolutions: int
    """For each 1 of the convolution rank."""


NUMBERS = {"sd15": LayerNumbers(165_888, 423_936, 82_880, 544_000), "sdxl": LayerNumbers(903_168, 2_659_840, 58_560, 355_840)}
OPTIMIZER_BYTES = {"AdamW": 8, "AdamW8bit": 2, "Prodigy": 16, "Adafactor": 1}
"""What an optimizer remembers of each number that it trains."""
FILE_BYTES = {"fp16": 2, "bf16": 2}


@dataclass(frozen=True)
class Room:
    """What a run writes, GiB; an estimate."""

    kept: float
    """Lies on the disk at once, at most."""
    removed: float
    """Is written and removed again on the way."""


def room_of(settings: TrainingSettings) -> Room:
    """What a run of these settings writes. Raises: ConfigError: there is no picture to train from."""
    from core.training.config.counting import count_steps
    from core.training.config.sources import image_counts

    saving, totals = settings.saving, count_steps(settings, image_counts(settings))
    by_epoch = (totals.epochs - 1) // saving.save_every_n_epochs if saving.save_every_n_epochs else 0
    by_step = totals.steps // saving.save_every_n_steps if saving.save_every_n_steps else 0
    files_kept = min(by_epoch, saving.save_last_n_epochs or by_epoch) + by_step + 1
    states = states_kept = int(saving.save_state_on_train_end)
    if saving.save_state:
        states = by_epoch + by_step + 1
        states_of_steps = by_step
        if saving.save_every_n_steps and saving.save_last_n_steps_state:  # counts steps, not states
            states_of_steps = min(by_step, saving.save_last_n_steps_state // saving.save_every_n_steps + 1)
        states_kept = min(by_epoch, saving.save_last_n_epochs_state or saving.save_last_n_epochs or by_epoch) + states_of_steps + 1
    file, state = size_of_save(settings)
    kept = (files_kept + 1) * file + states_kept * state  # the finished file is copied into output/
    removed = (by_epoch + by_step + 1 - files_kept) * file + (states - states_kept) * state
    return Room(kept / GIB, removed / GIB)


def check_trash(settings: TrainingSettings, project_folder: Path) -> list[Finding]:
    """Would the run fill Google Drive's trash? The disks themselves are `preflight.disk`'s."""
    try:
        room = room_of(settings)
    except ConfigError:
        return []  # a folder without pictures is what other checks tell of
    found = []
    if room.removed >= TRASH_WORTH_A_WORD and project_folder.resolve().is_relative_to(GOOGLE_DRIVE.resolve()):
        found.append(Finding("warning", f"{project_folder.name} lies on Google Drive, which keeps removed files in its trash, where they "
                             f"still count: this run leaves about {room.removed:.1f} GiB of older files and states there.",
                             "Empty the trash now and then (drive.google.com, Trash), or switch 'Save to go on' (save_state) off."))
    return found


def room_missing(folder: Path, needed: int, guards: GuardSettings) -> str:
    """What keeps a save from being written, in words; empty: there is room. Args: needed: bytes of the save."""
    free = shutil.disk_usage(folder).free
    if free >= needed + guards.disk_free * 2**30:
        return ""
    return (f"Paused before a save: {free / 2**20:.0f} MiB are free on the disk, the save takes about {math.ceil(needed / 2**20)} MiB and "
            f"{guards.disk_free:g} GiB are to stay free. Free some space; it goes on by itself.")


def size_of_save(settings: TrainingSettings) -> tuple[int, int]:
    """Bytes of one LoRA file and of one state: the numbers and their average in full precision, and the optimizer's memory."""
    network, optimizer, numbers = settings.network, settings.optimizer, NUMBERS.get(settings.model.family, NUMBERS["sdxl"])
    unet = network.network_dim * numbers.unet
    if network.conv_dim:
        unet += network.network_dim * numbers.residual + network.conv_dim * numbers.convolutions
    text = network.network_dim * numbers.text
    unet *= not network.network_train_text_encoder_only
    text *= not network.network_train_unet_only
    rates = (optimizer.unet_lr, optimizer.text_encoder_lr)
    trained = sum(size for size, rate in zip((unet, text), rates, strict=True) if (optimizer.learning_rate if rate is None else rate))
    copies = 1 if network.ema_decay is None else 2
    state = 4 * copies * (unet + text) + OPTIMIZER_BYTES.get(optimizer.optimizer_type, 8) * trained
    return FILE_BYTES.get(settings.saving.save_precision or "", 4) * (unet + text), state
