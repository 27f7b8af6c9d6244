"""Stable Diffusion 1.x (and every model of its layout, whatever its size)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.diffusion.model import Conditioning, DiffusionModel, without_last_layers
from core.diffusion.prompts import join_chunks

if TYPE_CHECKING:
    import torch


@dataclass
class StableDiffusion(DiffusionModel):
    """One CLIP text encoder, cross-attention on its hidden states."""

    family = "sd15"

    def encode_tokens(self, tokens: list[torch.Tensor], clip_skip: int | None = None) -> Conditioning:
        """See DiffusionModel. The hidden state `clip_skip` layers from the end, with the final layer norm."""
        encoder = self.text_encoders[0]
        ids = tokens[0].to(encoder.device)
        chunks, flat = ids.shape[1], ids.flatten(0, 1)
        with without_last_layers(encoder, (clip_skip or 1) - 1):
            hidden = encoder(flat).last_hidden_state
        return Conditioning(join_chunks(hidden, chunks))

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, condition: Conditioning,
                sizes: torch.Tensor | None = None) -> torch.Tensor:
        """See DiffusionModel."""
        return self.unet(latents, timesteps, condition.hidden, return_dict=False)[0]
