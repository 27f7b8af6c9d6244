"""One adapter per model family: load, encode, noise, predict, decode, sample, and LoRA files.

Used by the built-in trainer, by evaluation and by the demo. Importing this package costs nothing: torch,
diffusers and transformers are imported when a model is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.base.paths import typed_path
from core.base.registry import Entry, Registry

if TYPE_CHECKING:
    import torch

    from core.diffusion.model import DiffusionModel

FAMILIES: Registry = Registry(
    "model family",
    Entry("sd15", "core.diffusion.stable_diffusion:StableDiffusion", "Stable Diffusion 1.x", source="https://arxiv.org/abs/2112.10752",
          needs=("torch", "diffusers", "transformers"),
          options={"scaling_factor": 0.18215, "base_model_version": "sd_v1", "architecture": "stable-diffusion-v1"}),
    Entry("sdxl", "core.diffusion.sdxl:StableDiffusionXL", "Stable Diffusion XL", source="https://arxiv.org/abs/2307.01952",
          needs=("torch", "diffusers", "transformers"),
          options={"scaling_factor": 0.13025, "base_model_version": "sdxl_base_v1-0", "architecture": "stable-diffusion-xl-v1-base"}),
)
"""Every family that can be trained by the built-in trainer and drawn with."""


def load_model(path: str | Path, family: str | None = None, device: str | torch.device | None = None, dtype: torch.dtype | None = None,
               vae: str | Path | None = None, vae_dtype: torch.dtype | None = None,
               tokenizer_dir: str | Path | None = None, inpainting: bool = False) -> DiffusionModel:
    """Load a base model, ready to encode, predict and draw; all weights frozen, in eval mode.

    On a CPU the whole process is set up for it (core.diffusion.cpu), so load models in jobs and trainers, not in a notebook's kernel;
    with `inpainting` it is left as it is.

    Args:
        path: a single-file `.safetensors` checkpoint (original names) or a diffusers folder.
        family: "sd15" or "sdxl"; None reads it from the file or folder.
        device: None takes the GPU where there is one, else the CPU.
        dtype: of UNet and text encoders; None is float16 on a GPU and float32 on a CPU.
        vae: another VAE: a diffusers folder or a single file.
        vae_dtype: None is float32 for SDXL (its VAE overflows in float16) and `dtype` otherwise.
        tokenizer_dir: where CLIP's tokenizer lies for single files (sd-scripts' tokenizer_cache_dir layout, or one tokenizer folder).
        inpainting: for `core.diffusion.inpainting`; models that were made for it are opened too.

    Raises:
        ModelError: missing, broken, of another family than said, or of a family that is not supported.
    """
    from core.diffusion.checkpoints import open_checkpoint

    return open_checkpoint(typed_path(path), family, device, dtype, vae, vae_dtype, tokenizer_dir, inpainting)


__all__ = ["FAMILIES", "load_model"]
