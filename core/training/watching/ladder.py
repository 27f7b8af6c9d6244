"""What is tried when the GPU's memory runs out: rungs that need less memory and learn the same, the cheapest first.

To add one: a function that looks at a `Situation` and gives the `Change`, or None where it does not apply, and a line in `RUNGS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core.training.config.applying import why_not
from core.training.config.checks import new_errors
from core.training.config.combinations import MOST_SWAPPED
from core.training.config.counting import steps_of_epoch
from core.training.relief import Relief
from core.training.watching.epoch_end import HEAR_STOP

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

SWAPPED = 18
"""Blocks that are kept outside the GPU at first. Source: sd-scripts' docs/flux_train_network.md."""
LEAST = {"flux2_klein": 13}
"""Families that have fewer: FLUX.2 klein 4B can swap 13 (musubi_combinations)."""


@dataclass(frozen=True)
class Situation:
    """A run whose GPU's memory ran out."""

    settings: TrainingSettings
    backend: str
    relief: Relief = field(default_factory=Relief)
    buckets: Sequence[int] = ()
    """Pictures with their repeats in each bucket, as the trainer told them; empty: unknown."""

    @property
    def is_builtin(self) -> bool:
        """Whether it is the built-in trainer."""
        return self.backend in HEAR_STOP


@dataclass(frozen=True)
class Change:
    """One step down."""

    name: str
    sentence: str
    """What is done, to be continued with ";" or "."."""
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Settings to replace, by part."""
    relief: Relief | None = None
    """What the trainer is told beside its settings; None: as before."""

    def applied(self, settings: TrainingSettings) -> TrainingSettings:
        """The settings after it."""
        return settings.with_values(**self.settings) if self.settings else settings


Rung = Callable[[Situation], Change | None]


def next_change(situation: Situation) -> Change | None:
    """The first rung that applies and that the trainer bears; None: nothing is left to lower."""
    changes = (rung(situation) for rung in RUNGS)
    return next((change for change in changes if change is not None and _is_borne(change, situation)), None)


def _is_borne(change: Change, situation: Situation) -> bool:
    """Whether the trainer takes the settings after it: what it would refuse is no help to a run that is under way."""
    settings = situation.settings
    return not new_errors(settings, change.applied(settings), situation.backend)


def _checkpointing(situation: Situation) -> Change | None:
    if situation.settings.memory.gradient_checkpointing:
        return None
    return Change("gradient_checkpointing", "parts are computed again instead of kept (gradient_checkpointing); the steps take "
                  "about a third longer and learn the same", {"memory": {"gradient_checkpointing": True}})


def _smaller_batch(situation: Situation) -> Change | None:
    """Half the batch at a time, or the next smaller part that divides it."""
    if situation.is_builtin:
        whole = situation.settings.data.batch_size
        present = min(situation.relief.micro_batch_size or whole, whole)
        if present == 1:
            return None
        part = math.ceil(present / 2)
        return Change("batch_size", f"each batch of {whole} goes through the model in parts of {part}; the steps learn the same",
                      relief=replace(situation.relief, micro_batch_size=part))
    batch, accumulated = situation.settings.data.batch_size, situation.settings.schedule.gradient_accumulation_steps
    if batch == 1:
        return None
    part = max(divisor for divisor in range(1, batch) if batch % divisor == 0)
    more = accumulated * batch // part
    words = f"{part} × {more} pictures make a step instead of {batch} × {accumulated} (batch_size, gradient_accumulation_steps)"
    return Change("batch_size", words + _about_epoch(situation.buckets, (batch, accumulated), (part, more),
                                                         situation.settings.machines.num_processes),
                  {"data": {"batch_size": part}, "schedule": {"gradient_accumulation_steps": more}})


def _about_epoch(buckets: Sequence[int], before: tuple[int, int], after: tuple[int, int], processes: int) -> str:
    """What becomes of the steps of an epoch, where that is known and they do not stay the same."""
    if not buckets:
        return "; where a bucket does not fill its last batch, the steps of an epoch become a few fewer"
    old, new = (steps_of_epoch(buckets, *sizes, processes) for sizes in (before, after))
    if old == new:
        return ""
    return f"; an epoch has {new} steps instead of {old}, since the batches that a bucket does not fill now flow together"


def _cached_latents(situation: Situation) -> Change | None:
    data = situation.settings.data
    if data.cache_latents or data.cache_latents_to_disk or data.color_aug or data.random_crop:
        return None
    return Change("cache_latents", "the pictures are encoded once and kept on the disk, so that the VAE leaves the GPU "
                  "(cache_latents_to_disk)", {"data": {"cache_latents": True, "cache_latents_to_disk": True}})


def _cached_captions(situation: Situation) -> Change | None:
    """Only where captions stay as they are and the text encoder is not trained: else it would learn something else."""
    data, network = situation.settings.data, situation.settings.network
    changes = (data.shuffle_caption, data.caption_dropout_rate, data.caption_dropout_every_n_epochs, data.caption_tag_dropout_rate,
               data.enable_wildcard)
    knows = situation.is_builtin or situation.settings.model.family not in ("sd15", "sd2")
    if data.cache_text_encoder_outputs or not network.network_train_unet_only or any(changes) or not knows:
        return None
    return Change("cache_text_encoder_outputs", "the captions are encoded once and kept on the disk, so that the text encoder leaves the "
                  "GPU (cache_text_encoder_outputs_to_disk)",
                  {"data": {"cache_text_encoder_outputs": True, "cache_text_encoder_outputs_to_disk": True}})


def _eight_bits(situation: Situation) -> Change | None:
    memory = situation.settings.memory
    if situation.is_builtin or memory.fp8_base or memory.mixed_precision == "no" or why_not(situation.settings, "fp8_base"):
        return None
    return Change("fp8_base", "the base model, which does not learn, is kept in 8 bits (fp8_base)", {"memory": {"fp8_base": True}})


def _swapped_blocks(situation: Situation) -> Change | None:
    memory = situation.settings.memory
    if situation.is_builtin or memory.blocks_to_swap or memory.cpu_offload_checkpointing or why_not(situation.settings, "blocks_to_swap"):
        return None
    family = situation.settings.model.family
    count = min(SWAPPED, LEAST.get(family, MOST_SWAPPED.get(family, SWAPPED)))
    return Change("blocks_to_swap", f"{count} blocks of the model wait outside the GPU (blocks_to_swap); the steps take longer and learn "
                  "the same", {"memory": {"blocks_to_swap": count}})


RUNGS: tuple[Rung, ...] = (_checkpointing, _smaller_batch, _cached_latents, _cached_captions, _eight_bits, _swapped_blocks)
"""In the order in which they are tried; one that still applies is taken again."""
