"""Painting a part of a picture anew with a base model, or with one that was made for it (its UNet sees the picture and the mask too).

The loop is that of diffusers' StableDiffusionInpaintPipeline (a test holds the two side by side), over the models of this package: any
VAE, single files, long prompts. Sources: https://arxiv.org/abs/2201.09865 (what is not painted is put back after each step) and
https://arxiv.org/abs/2112.10752 (a UNet of nine channels).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError
from core.diffusion.model import Conditioning, DiffusionModel
from core.diffusion.sampling import make_scheduler

if TYPE_CHECKING:
    import torch

LENGTHS = (75, 150, 225)
"""Words of a prompt that can be asked for, in tokens (sd-scripts' max_token_length)."""


@dataclass(frozen=True)
class Repainting:
    """What is to be painted, and how."""

    prompt: str = ""
    negative: str = ""
    steps: int = 30
    guidance: float = 7.5
    strength: float = 0.85
    """How much of the picture below is given up, over 0 to 1; 1 begins with pure noise."""
    seed: int = 0


def repaint(model: DiffusionModel, image: torch.Tensor, hole: torch.Tensor, wanted: Repainting,
            on_step: Callable[[int, int], None] = lambda done, total: None) -> torch.Tensor:
    """Paint the hole anew.

    Args:
        image: (3, h, w) in [-1, 1]; the sides are multiples of `model.size_multiple`.
        hole: (h, w), true where it is painted.
        on_step: told the steps that are done and all of them; what it raises ends the work.

    Returns: (3, h, w) float32 in [-1, 1] on the CPU; outside of the hole it is what the model makes of the picture, not the picture.
    Raises: ModelError: the model is made for something else, or its answer is no picture (NaN).
    """
    import torch

    if model.device.type == "cpu":
        torch.set_flush_denormal(True)  # of this thread: tiny activations take several times as long as denormals
    generator = torch.Generator("cpu").manual_seed(wanted.seed)
    scheduler = make_scheduler(model.scheduler_config)
    times = _times(scheduler, wanted, model.device)
    batch = image[None].float()
    with torch.no_grad():
        is_unused = model.unet.config.in_channels != model.unet.config.out_channels and wanted.strength >= 1
        kept = model.encode_images(batch, None if is_unused else generator)  # the pipeline does not draw from the VAE then
        noise = torch.randn(kept.shape, generator=generator).to(kept.device)
        mask = torch.nn.functional.interpolate(hole[None, None].float(), size=kept.shape[-2:]).to(kept.device)
        beside = _beside(model, batch, hole, mask, generator)
        latents = noise * scheduler.init_noise_sigma if wanted.strength >= 1 else scheduler.add_noise(kept, noise, times[:1])
        condition = _condition(model, wanted)
        extra = {"generator": generator} if "generator" in inspect.signature(scheduler.step).parameters else {}
        for number, time in enumerate(times):
            prediction = _predict(model, scheduler.scale_model_input(latents, time), time, condition, beside, wanted.guidance)
            latents = scheduler.step(prediction, time, latents, **extra).prev_sample.float()
            if beside is None:
                later = times[number + 1: number + 2]
                around = scheduler.add_noise(kept, noise, later) if len(later) else kept
                latents = torch.where(mask > 0.5, latents, around)
            on_step(number + 1, len(times))
        painted = model.decode(latents)[0]
    if not bool(painted.isfinite().all()):
        raise ModelError("The model painted nothing: what its VAE gave are no numbers (NaN), most often because it overflows in half "
                         "precision.", "Choose another model.")
    return painted


def _times(scheduler: Any, wanted: Repainting, device: torch.device) -> Any:
    """The timesteps from where the strength begins; at least one."""
    steps = max(wanted.steps, math.ceil(1 / wanted.strength))
    scheduler.set_timesteps(steps, device=device)
    begin = (steps - min(int(steps * wanted.strength), steps)) * getattr(scheduler, "order", 1)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin)
    return scheduler.timesteps[begin:]


def _beside(model: DiffusionModel, batch: torch.Tensor, hole: torch.Tensor, mask: torch.Tensor, generator: torch.Generator
            ) -> torch.Tensor | None:
    """What a UNet that was made for it sees beside the latents: the mask, and the picture without the hole. None: it is an ordinary one."""
    import torch

    channels = int(mask.shape[1] + 2 * model.unet.config.out_channels)
    if model.unet.config.in_channels == model.unet.config.out_channels:
        return None
    if model.unet.config.in_channels != channels:
        raise ModelError(f"{model.path.name} is no model for inpainting: its UNet takes {model.unet.config.in_channels} channels.",
                         "Choose an ordinary base model, or one that is made for inpainting.")
    return torch.cat([mask, model.encode_images(batch * ~hole, generator)], dim=1)


def _condition(model: DiffusionModel, wanted: Repainting) -> Conditioning:
    """With guidance over 1 the negative prompt comes first."""
    texts = [wanted.negative, wanted.prompt] if wanted.guidance > 1 else [wanted.prompt]
    words = max(len(tokenizer(text).input_ids) - 2 for tokenizer in model.tokenizers for text in texts)
    return model.encode_prompts(texts, max_token_length=next((length for length in LENGTHS if words <= length), LENGTHS[-1]))


def _predict(model: DiffusionModel, latents: torch.Tensor, time: torch.Tensor, condition: Conditioning, beside: torch.Tensor | None,
             guidance: float) -> torch.Tensor:
    import torch

    seen = latents if beside is None else torch.cat([latents, beside], dim=1)
    doubled = torch.cat([seen, seen]) if guidance > 1 else seen
    prediction = model.predict(doubled.to(model.dtype), time, condition).float()
    if guidance <= 1:
        return prediction
    without, with_text = prediction.chunk(2)
    return without + guidance * (with_text - without)
