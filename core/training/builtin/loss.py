"""The diffusion arithmetic of training: noise, noisy latents, target, and the weights of the loss.

Formulas as in sd-scripts (library/custom_train_functions.py and train_util.py at 48d368fa).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from core.training.builtin.options import TrainOptions

if TYPE_CHECKING:
    from core.diffusion.model import DiffusionModel


class Noised(NamedTuple):
    """One batch, ready for the UNet."""

    noisy: torch.Tensor
    timesteps: torch.Tensor
    target: torch.Tensor


class NoiseSchedule:
    """Betas of the model, and what options say about noise and loss.

    Args:
        scheduler_config: the model's (beta_start, beta_end, beta_schedule, num_train_timesteps, trained_betas).
        v_prediction: the target is the velocity instead of the noise.
    """

    def __init__(self, scheduler_config: dict[str, Any], options: TrainOptions, v_prediction: bool, device: torch.device) -> None:
        self.options, self.v_prediction, self.device = options, v_prediction, device
        alphas = torch.cumprod(1.0 - betas_of(scheduler_config), dim=0)
        # The loss weights keep the unshifted signal-to-noise ratio, as sd-scripts does.
        self.snr = (alphas / (1.0 - alphas)).to(device)
        if options.zero_terminal_snr or scheduler_config.get("rescale_betas_zero_snr"):
            alphas = zero_terminal(alphas)
        self.signal, self.noise = alphas.sqrt().to(device), (1.0 - alphas).sqrt().to(device)
        self.length = len(alphas)

    def draw(self, latents: torch.Tensor, seed: int) -> Noised:
        """Noise and timesteps of one batch: a pure function of the seed, the same on every device.

        Args: latents: (n, c, h, w) float32.
        """
        options = self.options
        generator = torch.Generator("cpu").manual_seed(seed)
        noise = torch.randn(latents.shape, generator=generator)
        if options.noise_offset:
            strength: Any = options.noise_offset
            if options.noise_offset_random_strength:
                strength = strength * torch.rand(1, generator=generator)
            if options.adaptive_noise_scale:
                mean = latents.detach().mean(dim=(2, 3), keepdim=True).abs().cpu()
                strength = (strength + options.adaptive_noise_scale * mean).clamp(min=0.0)
            noise = noise + strength * torch.randn((*latents.shape[:2], 1, 1), generator=generator)
        if options.multires_noise_iterations:
            noise = pyramid_noise(noise, options.multires_noise_iterations, options.multires_noise_discount, generator)
        low, high = options.min_timestep or 0, self.length if options.max_timestep is None else options.max_timestep
        timesteps = torch.randint(low, high, (len(latents),), generator=generator) if low < high else torch.full((len(latents),), high)
        added = noise
        if options.ip_noise_gamma:
            gamma: Any = options.ip_noise_gamma
            if options.ip_noise_gamma_random_strength:
                gamma = gamma * torch.rand(1, generator=generator)
            added = noise + gamma * torch.randn(latents.shape, generator=generator)
        mixed = None if added is noise else added.to(self.device, non_blocking=True)
        noise, timesteps = noise.to(self.device, non_blocking=True), timesteps.to(self.device, non_blocking=True)
        return self.apply(latents, noise, timesteps, mixed)

    def apply(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor, added: torch.Tensor | None = None) -> Noised:
        """x_t = signal * x + noise level * noise, and the target. Args: added: the noise that is mixed in, if it is another one."""
        signal, level = (values[timesteps].view(-1, 1, 1, 1) for values in (self.signal, self.noise))
        noisy = signal * latents + level * (noise if added is None else added)
        return Noised(noisy, timesteps, signal * noise - level * latents if self.v_prediction else noise)

    def loss(self, prediction: torch.Tensor, noised: Noised, weights: torch.Tensor | None) -> torch.Tensor:
        """Mean over the batch of each image's weighted squared error. Args: weights: (n,) prior_loss_weight, or None for all 1."""
        per_image = torch.nn.functional.mse_loss(prediction.float(), noised.target.float(), reduction="none").mean(dim=(1, 2, 3))
        if weights is not None:
            per_image = per_image * weights
        factor = self.weight(noised.timesteps)
        return (per_image if factor is None else per_image * factor).mean()

    def weight(self, timesteps: torch.Tensor) -> torch.Tensor | None:
        """min-SNR (arXiv 2303.09556), scaled v, v-like and debiased (arXiv 2310.08442) weights; None for none of them."""
        options, snr, factor = self.options, self.snr[timesteps], None
        if options.min_snr_gamma:
            factor = snr.clamp(max=options.min_snr_gamma) / (snr + 1 if self.v_prediction else snr)
        limited = snr.clamp(max=1000)
        scale = limited / (limited + 1)
        if options.scale_v_pred_loss_like_noise_pred:
            factor = scale if factor is None else factor * scale
        if options.v_pred_like_loss:
            extra = 1 + options.v_pred_like_loss / scale
            factor = extra if factor is None else factor * extra
        if options.debiased_estimation_loss:
            debiased = 1 / (limited + 1) if self.v_prediction else 1 / limited.sqrt()
            factor = debiased if factor is None else factor * debiased
        return factor


def betas_of(config: dict[str, Any]) -> torch.Tensor:
    """(steps,) float32 betas of a diffusers scheduler's config."""
    if config.get("trained_betas") is not None:
        return torch.tensor(config["trained_betas"], dtype=torch.float32)
    start, end, steps = config.get("beta_start", 0.00085), config.get("beta_end", 0.012), config.get("num_train_timesteps", 1000)
    kind = config.get("beta_schedule", "scaled_linear")
    if kind == "linear":
        return torch.linspace(start, end, steps, dtype=torch.float32)
    if kind == "scaled_linear":
        return torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float32) ** 2
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    return DDPMScheduler(num_train_timesteps=steps, beta_start=start, beta_end=end, beta_schedule=kind).betas


def zero_terminal(alphas: torch.Tensor) -> torch.Tensor:
    """Cumulated alphas shifted and scaled so that the last step is pure noise (arXiv 2305.08891)."""
    root = alphas.sqrt()
    return ((root - root[-1]) * (root[0] / (root[0] - root[-1]))) ** 2


def pyramid_noise(noise: torch.Tensor, iterations: int, discount: float, generator: torch.Generator) -> torch.Tensor:
    """Noise with coarser noise on it, brought back to unit spread (multires_noise_iterations)."""
    count, channels, height, width = noise.shape
    size = (width, height)
    for index in range(iterations):
        ratio = float(torch.rand(1, generator=generator)) * 2 + 2
        small = max(1, int(size[0] / ratio**index)), max(1, int(size[1] / ratio**index))
        coarse = torch.randn(count, channels, small[1], small[0], generator=generator)
        noise = noise + torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear") * discount**index
        if 1 in small:
            break
    return noise / noise.std()


def predicts_velocity(model: DiffusionModel, options: TrainOptions) -> bool:
    """v_parameterization, or what the model's own scheduler says."""
    return options.v_parameterization or model.prediction_type == "v_prediction"
