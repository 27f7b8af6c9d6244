"""What the model is shown of a batch: noisy latents, captions, weights. Drawn for the whole batch, so that its parts learn the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from core.training.builtin.captions import make_caption
from core.training.builtin.dataset import PlannedBatch
from core.training.builtin.loss import Noised, NoiseSchedule

if TYPE_CHECKING:
    from core.diffusion.model import DiffusionModel
    from core.training.builtin.latents import LatentStore


@dataclass(frozen=True)
class ShownBatch:
    """One forward pass."""

    noised: Noised
    captions: list[str]
    weights: torch.Tensor | None
    """(n,) prior_loss_weight of each picture; None for all 1."""
    sizes: torch.Tensor | None
    """(n, 6) SDXL's sizes; None for other families."""

    def __len__(self) -> int:
        return len(self.captions)

    def parts(self, size: int | None) -> Iterator[ShownBatch]:
        """The batch in parts of at most so many pictures; None: whole."""
        if size is None or size >= len(self):
            yield self
            return
        for start in range(0, len(self), size):
            some = slice(start, start + size)
            noised = Noised(self.noised.noisy[some], self.noised.timesteps[some], self.noised.target[some])
            yield ShownBatch(noised, self.captions[some], None if self.weights is None else self.weights[some],
                             None if self.sizes is None else self.sizes[some])


def show(batch: PlannedBatch, pixels: Sequence[Any] | None, model: DiffusionModel, store: LatentStore, noise: NoiseSchedule,
         prior_loss_weight: float) -> ShownBatch:
    """A planned batch, the same every time. Args: pixels: of each picture; None where latents are cached."""
    chances = [batch.chance(index) for index in range(len(batch.images))]
    flips = [image.subset.flip_aug and chance.random() < 0.5 for image, chance in zip(batch.images, chances, strict=True)]
    captions = [make_caption(image.caption, image.subset.captions, chance, batch.epoch)
                for image, chance in zip(batch.images, chances, strict=True)]
    noised = noise.draw(store.batch(batch, flips, pixels), noise_seed(batch))
    weights = sizes = None
    if prior_loss_weight != 1.0 and any(image.subset.is_reg for image in batch.images):
        weights = torch.tensor([prior_loss_weight if image.subset.is_reg else 1.0 for image in batch.images], device=model.device)
    if model.family == "sdxl":
        values = [image.size_values(flip) for image, flip in zip(batch.images, flips, strict=True)]
        sizes = torch.tensor(values, device=model.device)
    return ShownBatch(noised, captions, weights, sizes)


def noise_seed(batch: PlannedBatch) -> int:
    """The seed of a batch's noise and timesteps."""
    return int.from_bytes(hashlib.sha256(f"{batch.seed}/{batch.epoch}/{batch.place}/noise".encode()).digest()[:7], "little")
