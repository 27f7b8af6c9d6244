"""Drawing pictures: samplers by sd-scripts' names, and the loop with classifier-free guidance."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, require

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.diffusion.model import DiffusionModel

SAMPLERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "pndm": ("PNDMScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpm_2": ("KDPM2DiscreteScheduler", {}),
    "dpm_2_a": ("KDPM2AncestralDiscreteScheduler", {}),
    "dpmsolver": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"}),
    "dpmsolver++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "dpmsingle": ("DPMSolverSinglestepScheduler", {}),
}
"""sd-scripts' --sample_sampler names; the k_ forms mean the same."""


def make_scheduler(config: dict[str, Any], sampler: str = "") -> Any:
    """A diffusers scheduler with the model's betas and prediction type.

    Args: sampler: a name of SAMPLERS (also with k_); empty is the model's own class, or DDIM.
    Raises: ConfigError: no sampler has that name.
    """
    import diffusers

    name = sampler.removeprefix("k_")
    if name and name not in SAMPLERS:
        raise ConfigError(f"No sampler is called {sampler!r}.", f"Known: {', '.join(SAMPLERS)}.")
    class_name, extra = SAMPLERS[name] if name else (config.get("_class_name", "DDIMScheduler"), {})
    if class_name == "DDPMScheduler":
        class_name = "DDIMScheduler"
    known = inspect.signature(getattr(diffusers, class_name).__init__).parameters
    values = {key: value for key, value in config.items() if key in known and not key.startswith("_")}
    values.pop("clip_sample", None)
    if "clip_sample" in known:
        values["clip_sample"] = False
    if class_name == "LMSDiscreteScheduler":
        require("scipy", needed_for="The sampler 'lms'")
    if class_name == "PNDMScheduler":
        extra = {**extra, "skip_prk_steps": True}
    return getattr(diffusers, class_name)(**{**values, **extra})


def draw(model: DiffusionModel, prompts: list[str], negative: str | list[str], seeds: list[int] | int, width: int, height: int, steps: int,
         guidance: float, sampler: str, clip_skip: int | None, max_token_length: int | None, batch_size: int) -> list[Image]:
    """See DiffusionModel.sample."""
    seed_list = [seeds] * len(prompts) if isinstance(seeds, int) else list(seeds)
    negatives = [negative] * len(prompts) if isinstance(negative, str) else list(negative)
    multiple = model.size_multiple
    if width % multiple or height % multiple or width < multiple or height < multiple:
        raise ConfigError(f"This model draws sizes that are multiples of {multiple}, but the size is {width} x {height}.",
                          f"Use {' x '.join(str(max(multiple, round(side / multiple) * multiple)) for side in (width, height))}.")
    images: list[Image] = []
    for start in range(0, len(prompts), batch_size):
        part = slice(start, start + batch_size)
        images += _draw_batch(model, prompts[part], negatives[part], seed_list[part], width, height, steps, guidance, sampler,
                              clip_skip, max_token_length)
    return images


def _draw_batch(model: DiffusionModel, prompts: list[str], negatives: list[str], seeds: list[int], width: int, height: int, steps: int,
                guidance: float, sampler: str, clip_skip: int | None, max_token_length: int | None) -> list[Image]:
    import torch

    guided = guidance > 1
    condition = model.encode_prompts([*negatives, *prompts] if guided else prompts, clip_skip, max_token_length)
    scheduler = make_scheduler(model.scheduler_config, sampler)
    scheduler.set_timesteps(steps, device=model.device)
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    factor = model.vae_factor
    shape = (model.latent_channels, height // factor, width // factor)
    latents = torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(model.device)
    latents = latents * scheduler.init_noise_sigma
    takes_generator = "generator" in inspect.signature(scheduler.step).parameters
    extra = {"generator": generators} if takes_generator else {}
    with torch.no_grad():
        for timestep in scheduler.timesteps:
            doubled = torch.cat([latents, latents]) if guided else latents
            doubled = scheduler.scale_model_input(doubled, timestep).to(model.dtype)
            prediction = model.predict(doubled, timestep, condition).float()
            if guided:
                without, with_text = prediction.chunk(2)
                prediction = without + guidance * (with_text - without)
            latents = scheduler.step(prediction, timestep, latents, **extra).prev_sample.float()
    return to_images(model.decode(latents))


def to_images(batch: Any) -> list[Image]:
    """Pillow pictures. Args: batch: (n, 3, h, w) float in [-1, 1]; NaN becomes black."""
    from PIL import Image

    array = ((batch.nan_to_num(-1.0) + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    return [Image.fromarray(picture) for picture in array]
