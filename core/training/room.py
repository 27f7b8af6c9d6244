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
from core.training.config.families import UNET

if TYPE_CHECKING:
    from core.training.config import TrainingSettings
    from core.training.guards import GuardSettings

GOOGLE_DRIVE = Path("/content/drive")
"""Where Colab shows Google Drive."""
TRASH_WORTH_A_WORD = 0.1
"""GiB that a run leaves in Google Drive's trash before it is spoken of."""


@dataclass(frozen=True)
class Room:
    """What a run writes, GiB; an estimate."""

    kept: float
    """Lies on the disk at once, at most."""
    removed: float
    """Is written and removed again on the way."""


def room_of(settings: TrainingSettings) -> Room:
    """What a run of these settings writes. Raises: ConfigError: there is no picture to train from."""
    from core.training.config.sources import totals_of

    saving, totals = settings.saving, totals_of(settings)
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
    """Bytes of one saved file and of one state; exact for LoRA, near it for other kinds of networks.

    A state holds what learns and its average in full precision, and the optimizer's memory of it. Of a whole model sd-scripts' file is a
    checkpoint: for a U-Net with its text encoders and VAE.
    """
    from core.training.preflight.disk import NUMBER_BYTES, state_bytes
    from core.training.preflight.facts import facts_name, facts_of
    from core.training.preflight.memory import optimizer_bytes
    from core.training.preflight.trained import trained_numbers

    trained, family = trained_numbers(settings), settings.model.family
    saved = trained.numbers
    if trained.whole and family in UNET:
        facts = facts_of(facts_name(family))
        saved = facts.parameters + facts.texts + facts.vae
    average = 4 * trained.numbers * (settings.network.ema_decay is not None)
    remembered = optimizer_bytes(settings.optimizer.optimizer_type) * trained.learning / max(1, trained.numbers)
    return saved * NUMBER_BYTES.get(settings.saving.save_precision or "", 4), state_bytes(trained.numbers, remembered) + average
