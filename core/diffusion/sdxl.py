"""Stable Diffusion XL: two text encoders, pooled text and sizes as extra conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.diffusion.model import Conditioning, DiffusionModel
from core.diffusion.prompts import join_chunks

if TYPE_CHECKING:
    import torch


@dataclass
class StableDiffusionXL(DiffusionModel):
    """Hidden states of both encoders' last but one layer side by side, the second one's pooled text, and sizes."""

    family = "sdxl"

    def encode_tokens(self, tokens: list[torch.Tensor], clip_skip: int | None = None) -> Conditioning:
        """See DiffusionModel. The pooled text is taken at the first end token of the first chunk, as sd-scripts does."""
        import torch

        hidden = []
        pooled = None
        for encoder, ids in zip(self.text_encoders, tokens, strict=True):
            ids = ids.to(encoder.device)
            chunks, flat = ids.shape[1], ids.flatten(0, 1)
            output = encoder(flat, output_hidden_states=True)
            hidden.append(join_chunks(output.hidden_states[-2], chunks))
            if hasattr(encoder, "text_projection"):
                end = (flat == self.tokenizers[-1].eos_token_id).int().argmax(dim=1)
                last = output.last_hidden_state[torch.arange(len(flat), device=flat.device), end]
                pooled = encoder.text_projection(last.to(encoder.text_projection.weight.dtype))[::chunks]
        return Conditioning(torch.cat(hidden, dim=-1), pooled)

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, condition: Conditioning,
                sizes: torch.Tensor | None = None) -> torch.Tensor:
        """See DiffusionModel. Without `sizes` the picture is taken as uncropped and of the latents' own size."""
        import torch

        if sizes is None:
            height, width = (side * self.vae_factor for side in latents.shape[-2:])
            sizes = torch.tensor([[height, width, 0, 0, height, width]], device=latents.device).expand(len(latents), 6)
        extra = {"text_embeds": condition.pooled, "time_ids": sizes.float()}
        return self.unet(latents, timesteps, condition.hidden, added_cond_kwargs=extra, return_dict=False)[0]
