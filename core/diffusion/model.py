"""What every model family can do: encode, predict, decode, draw."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from core.base.errors import ConfigError
from core.diffusion.prompts import token_chunks
from core.diffusion.sampling import make_scheduler, to_images

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class Conditioning(NamedTuple):
    """What the UNet is told about the text."""

    hidden: torch.Tensor
    """(n, tokens, dim)"""
    pooled: torch.Tensor | None = None
    """(n, dim); SDXL only."""


@contextmanager
def without_last_layers(encoder: Any, count: int) -> Iterator[None]:
    """A CLIP text encoder that ends so many layers earlier: what clip_skip passes over need not be computed."""
    stack = getattr(encoder, "text_model", encoder).encoder
    layers = stack.layers
    stack.layers = layers[: len(layers) - count]
    try:
        yield
    finally:
        stack.layers = layers


@dataclass
class DiffusionModel(ABC):
    """A loaded base model; made by `core.diffusion.load_model`."""

    path: Path
    unet: Any
    vae: Any
    text_encoders: list[Any]
    tokenizers: list[Any]
    scheduler_config: dict[str, Any]
    """A diffusers scheduler's config: betas, prediction_type, timestep_spacing."""
    device: torch.device
    dtype: torch.dtype
    vae_dtype: torch.dtype
    adapters: list[Any] = field(default_factory=list)
    """LoRA layers that `core.diffusion.lora.apply_lora` attached."""

    family = ""

    @property
    def prediction_type(self) -> str:
        """"epsilon" or "v_prediction"."""
        return str(self.scheduler_config.get("prediction_type", "epsilon"))

    def trained_as(self, v_prediction: bool, zero_terminal_snr: bool) -> None:
        """Draw from now on as a training with these settings means it; what the model's own scheduler says is not taken back.

        Zero terminal SNR needs the very last timestep, which is pure noise, hence "trailing" (https://arxiv.org/abs/2305.08891).
        A model that predicts noise cannot begin there: with one, zero terminal SNR changes nothing here.
        """
        if v_prediction:
            self.scheduler_config["prediction_type"] = "v_prediction"
        if zero_terminal_snr and self.prediction_type == "v_prediction":
            self.scheduler_config |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}

    @property
    def vae_factor(self) -> int:
        """Pixels per latent, along one side."""
        return 2 ** (len(self._vae_channels()) - 1)

    def _vae_channels(self) -> list[int]:
        config = self.vae.config
        return list(getattr(config, "block_out_channels", None) or config.encoder_block_out_channels)

    @property
    def size_multiple(self) -> int:
        """Width and height must be multiples of this many pixels."""
        return self.vae_factor * 2 ** (len(self.unet.config.block_out_channels) - 1)

    @property
    def latent_channels(self) -> int:
        return int(self.unet.config.in_channels)

    def modules(self) -> list[Any]:
        """UNet, VAE and text encoders."""
        return [self.unet, self.vae, *self.text_encoders]

    def encode_images(self, batch: torch.Tensor, generator: torch.Generator | list[torch.Generator] | None = None) -> torch.Tensor:
        """Latents, scaled as the UNet expects them.

        Args:
            batch: (n, 3, h, w) in [-1, 1].
            generator: draw from the VAE's distribution with it, as sd-scripts does; one for each picture makes a picture's latents
                independent of the others in the batch; None takes the mean.

        Returns: (n, channels, h / factor, w / factor) float32.
        """
        import torch

        with torch.no_grad():
            encoded = self.vae.encode(batch.to(self.vae.device, self.vae.dtype))
            if hasattr(encoded, "latents"):
                latents = encoded.latents
            elif generator is None:
                latents = encoded.latent_dist.mode()
            else:
                latents = encoded.latent_dist.sample(generator)
        shift = getattr(self.vae.config, "shift_factor", None) or 0.0
        return (latents.float() - shift) * self.vae.config.scaling_factor

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pictures. Args: latents: as from `encode_images`. Returns: (n, 3, h, w) float32 in [-1, 1] on the CPU."""
        import torch

        shift = getattr(self.vae.config, "shift_factor", None) or 0.0
        latents = latents.to(self.vae.device).float() / self.vae.config.scaling_factor + shift
        # In its own dtype, also inside a training's autocast: SDXL's VAE overflows in float16.
        with torch.no_grad(), torch.autocast(self.vae.device.type, enabled=False):
            images = self.vae.decode(latents.to(self.vae.dtype)).sample
        return images.float().clamp(-1, 1).cpu()

    def tokenize(self, prompts: list[str], max_token_length: int | None = None) -> list[torch.Tensor]:
        """One (n, chunks, 77) tensor of token ids per text encoder."""
        return [token_chunks(tokenizer, prompts, max_token_length) for tokenizer in self.tokenizers]

    @abstractmethod
    def encode_tokens(self, tokens: list[torch.Tensor], clip_skip: int | None = None) -> Conditioning:
        """Text encoders' output with gradients where the caller allows them. Args: tokens: from `tokenize`."""

    def encode_prompts(self, prompts: list[str], clip_skip: int | None = None, max_token_length: int | None = None) -> Conditioning:
        """What the UNet is told about each prompt, without gradients.

        Args:
            clip_skip: how many layers from the end the hidden state is taken (1 = the last); SDXL has its own and ignores it.
            max_token_length: 75 (None), 150 or 225 words.
        """
        import torch

        with torch.no_grad():
            return self.encode_tokens(self.tokenize(prompts, max_token_length), clip_skip)

    @abstractmethod
    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, condition: Conditioning,
                sizes: torch.Tensor | None = None) -> torch.Tensor:
        """The UNet's answer (noise or velocity).

        Args:
            latents: (n, c, h, w) noisy.
            timesteps: (n,) or scalar, 0 … 999.
            sizes: (n, 6) SDXL's original height, width, crop top, left, target height, width; ignored by SD 1.x.
        """

    def sample(self, prompts: list[str], negative: str | list[str] = "", seeds: list[int] | int = 0, width: int = 512, height: int = 512,
               steps: int = 30, guidance: float = 7.5, sampler: str = "", clip_skip: int | None = None,
               max_token_length: int | None = None, batch_size: int = 4) -> list[Image]:
        """Draw one picture per prompt; the same seed gives the same start noise on every machine.

        Args:
            seeds: one per prompt, or one for all.
            guidance: classifier-free guidance; 1 or less draws without it (twice as fast).
            sampler: sd-scripts' names ("ddim", "euler_a", "dpmsolver++", …); empty is the model's own.

        Raises: ConfigError: unknown sampler, or a size that the model cannot draw.
        """
        seed_list = [seeds] * len(prompts) if isinstance(seeds, int) else list(seeds)
        negatives = [negative] * len(prompts) if isinstance(negative, str) else list(negative)
        multiple = self.size_multiple
        if width % multiple or height % multiple or width < multiple or height < multiple:
            raise ConfigError(f"This model draws sizes that are multiples of {multiple}, but the size is {width} x {height}.",
                              f"Use {' x '.join(str(max(multiple, round(side / multiple) * multiple)) for side in (width, height))}.")
        images: list[Image] = []
        for start in range(0, len(prompts), batch_size):
            part = slice(start, start + batch_size)
            texts = prompts[part] if guidance <= 1 else [*negatives[part], *prompts[part]]
            condition = self.encode_prompts(texts, clip_skip, max_token_length)
            images += self._draw_batch(condition, seed_list[part], width, height, steps, guidance, sampler)
        return images

    def _draw_batch(self, condition: Conditioning, seeds: list[int], width: int, height: int, steps: int, guidance: float, sampler: str
                    ) -> list[Image]:
        """One picture per seed. Args: condition: of the prompts; with guidance over 1 the negative ones come first."""
        import torch

        guided = guidance > 1
        scheduler = make_scheduler(self.scheduler_config, sampler)
        scheduler.set_timesteps(steps, device=self.device)
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        shape = (self.latent_channels, height // self.vae_factor, width // self.vae_factor)
        latents = torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(self.device)
        latents = latents * scheduler.init_noise_sigma
        takes_generator = "generator" in inspect.signature(scheduler.step).parameters
        extra = {"generator": generators} if takes_generator else {}
        with torch.no_grad():
            for timestep in scheduler.timesteps:
                doubled = torch.cat([latents, latents]) if guided else latents
                doubled = scheduler.scale_model_input(doubled, timestep).to(self.dtype)
                prediction = self.predict(doubled, timestep, condition).float()
                if guided:
                    without, with_text = prediction.chunk(2)
                    prediction = without + guidance * (with_text - without)
                latents = scheduler.step(prediction, timestep, latents, **extra).prev_sample.float()
        return to_images(self.decode(latents))
