"""Samplers by sd-scripts' names, and pixels as pictures; the drawing itself is `DiffusionModel.sample`."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, ModelError, require

if TYPE_CHECKING:
    from PIL.Image import Image

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
    if config.get("rescale_betas_zero_snr") and "rescale_betas_zero_snr" not in known:
        values["trained_betas"] = _zero_terminal_betas(config)
    return getattr(diffusers, class_name)(**{**values, **extra})


def _zero_terminal_betas(config: dict[str, Any]) -> list[float]:
    """Betas whose last step is (all but) pure noise, for samplers that do not rescale them on their own.

    The last one keeps 2**-24 of the signal, as in diffusers' Euler sampler: with none at all sigma would be infinite.
    Source: https://arxiv.org/abs/2305.08891, algorithm 1.
    """
    import diffusers
    from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr

    known = inspect.signature(diffusers.DDIMScheduler.__init__).parameters
    plain = {key: value for key, value in config.items() if key in known and not key.startswith("_") and key != "rescale_betas_zero_snr"}
    plain_scheduler: Any = diffusers.DDIMScheduler(**plain)
    betas = rescale_zero_terminal_snr(plain_scheduler.betas)
    betas[-1] = 1 - 2**-24 / float((1 - betas[:-1]).prod())
    return [float(beta) for beta in betas]


def to_images(batch: Any) -> list[Image]:
    """Pillow pictures.

    Args: batch: (n, 3, h, w) float in [-1, 1].
    Raises: ModelError: a number of it is none (NaN); a black picture in its place would be taken for a drawn one.
    """
    from PIL import Image

    if bool(batch.isnan().any()):
        raise ModelError("The model drew no picture: what its VAE gave are no numbers (NaN), most often because it overflows in half "
                         "precision.", "Switch on no_half_vae, or choose another VAE.")
    array = ((batch + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    return [Image.fromarray(picture) for picture in array]
