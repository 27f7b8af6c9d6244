"""Trains the UNet (and the text tower a little) on cached latents, and saves the whole pipeline.

The run is measured in minutes and can be killed: it goes on from work/unet.pt.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from core.demo.world import Spec, training_caption, training_spec
from custom.make_demo.learning import training_steps
from custom.make_demo.pictures import draw_tensor, to_signed
from custom.make_demo.text_tower import WIDTH, tokenize

CHANNELS = (48, 64, 128)
RATE = 1.8e-3
TEXT_RATE = 5e-5
BATCH = 48
DRAWINGS = 20_000
EMPTY_SHARE = 0.1
SAVE_EVERY_MINUTES = 4.0


def make_unet(latent_channels: int) -> UNet2DConditionModel:
    """Three levels of one layer, cross-attention on the lower two: 4.6 M parameters."""
    return UNet2DConditionModel(
        sample_size=16, in_channels=latent_channels, out_channels=latent_channels, block_out_channels=CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1, attention_head_dim=4, cross_attention_dim=WIDTH, norm_num_groups=16,
    )


def make_scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise, v-prediction, trailing steps (Lin et al. 2023, arXiv 2305.08891)."""
    return DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1, prediction_type="v_prediction", timestep_spacing="trailing",
    )


def load_latents(work: Path, vae: AutoencoderTiny) -> tuple[torch.Tensor, list[Spec]]:
    """Latents (n, 12, 16, 16) of deviation 1 and what they show; drawn on the first call, then read from work."""
    rng = Random(7)
    specs = [training_spec(rng) for _ in range(DRAWINGS)]
    path = work / "latents.pt"
    if not path.exists():
        parts = []
        for first in range(0, DRAWINGS, 250):
            with torch.no_grad():
                parts.append(vae.encode(to_signed(draw_tensor(specs[first : first + 250], first))).latents)
        torch.save(torch.cat(parts) * vae.config.scaling_factor, path)
    return torch.load(path), specs


class Trainee:
    """UNet, text tower, their optimizer and the running mean of their weights that is saved."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.vae = AutoencoderTiny.from_pretrained(work / "vae").eval()
        self.tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
        self.text = CLIPTextModel.from_pretrained(work / "text").train()
        self.unet = make_unet(self.vae.config.latent_channels).to(memory_format=torch.channels_last)
        self.scheduler = make_scheduler()
        self.parameters = [*self.unet.parameters(), *self.text.parameters()]
        groups = [{"params": list(self.unet.parameters()), "peak": RATE}, {"params": list(self.text.parameters()), "peak": TEXT_RATE}]
        self.optimizer = torch.optim.AdamW(groups, lr=RATE, weight_decay=0.01, betas=(0.9, 0.99))
        self.mean = [p.detach().clone() for p in self.parameters]
        self.minutes = 0.0
        self.steps = 0
        self.loss = 1.0

    def resume(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        path = self.work / "unet.pt"
        if path.exists():
            state = torch.load(path)
            self.unet.load_state_dict(state["unet"])
            self.text.load_state_dict(state["text"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.mean = state["mean"]
            self.minutes, self.steps, self.loss = state["minutes"], state["steps"], state["loss"]

    def save(self) -> None:
        """Write the checkpoint, and the pipeline with the mean weights to work/model."""
        parts = {"unet": self.unet, "text": self.text, "optimizer": self.optimizer}
        state = {name: part.state_dict() for name, part in parts.items()} | {"mean": self.mean}
        torch.save(state | {"minutes": self.minutes, "steps": self.steps, "loss": self.loss}, self.work / "unet.part")
        (self.work / "unet.part").replace(self.work / "unet.pt")
        kept = [p.detach().clone() for p in self.parameters]
        copy_weights(self.parameters, self.mean)
        pipeline = StableDiffusionPipeline(
            vae=self.vae, text_encoder=self.text, tokenizer=self.tokenizer, unet=self.unet, scheduler=self.scheduler,
            safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        )
        pipeline.save_pretrained(self.work / "model")
        copy_weights(self.parameters, kept)

    def learn(self, latents: torch.Tensor, captions: list[str]) -> None:
        """One optimizer update. Args: latents: (n, 12, 16, 16)."""
        hidden = self.text(tokenize(self.tokenizer, captions)).last_hidden_state
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, self.scheduler.config.num_train_timesteps, (len(latents),))
        noisy = self.scheduler.add_noise(latents, noise, timesteps).contiguous(memory_format=torch.channels_last)
        loss = F.mse_loss(self.unet(noisy, timesteps, hidden).sample, self.scheduler.get_velocity(latents, noise, timesteps))
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.steps += 1
        self.loss += 0.01 * (loss.item() - self.loss)
        decay = min(0.999, (1 + self.steps) / (10 + self.steps))
        torch._foreach_mul_(self.mean, decay)
        torch._foreach_add_(self.mean, [p.detach() for p in self.parameters], alpha=1 - decay)


@torch.no_grad()
def copy_weights(targets: list[torch.Tensor], sources: list[torch.Tensor]) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)


def train_unet(work: Path, minutes: float = 60.0) -> None:
    """Train for so many minutes in all, earlier runs counted in; write work/unet.pt and work/model."""
    trainee = Trainee(work)
    latents, specs = load_latents(work, trainee.vae)
    trainee.resume()
    torch.manual_seed(3 + trainee.steps)
    rng = Random(3 + trainee.steps)
    saved = trainee.minutes
    for step, share in training_steps(minutes, "unet", done=trainee.minutes):
        for group in trainee.optimizer.param_groups:
            group["lr"] = group["peak"] * (min(1, (trainee.steps + 1) / 100) * (1 - max(0, share - 0.25) / 0.75) + 0.01)
        chosen = torch.randint(0, len(latents), (BATCH,))
        captions = ["" if rng.random() < EMPTY_SHARE else training_caption(specs[i], rng) for i in chosen.tolist()]
        trainee.learn(latents[chosen], captions)
        trainee.minutes = share * minutes
        if step % 200 == 199:
            print(f"unet: {trainee.steps} steps in all, loss {trainee.loss:.4f}", flush=True)
        if trainee.minutes - saved > SAVE_EVERY_MINUTES:
            trainee.save()
            saved = trainee.minutes
    trainee.save()
    print(f"unet: {trainee.steps} steps of {BATCH}, {trainee.minutes:.0f} minutes, loss {trainee.loss:.4f}", flush=True)
