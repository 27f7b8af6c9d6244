"""Trains the autoencoder: 64 x 64 pixels to 16 x 16 latents of 12 channels and back."""

from __future__ import annotations

from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import nn

from core.demo.world import concept_spec, training_spec
from custom.make_demo.learning import training_steps
from custom.make_demo.pictures import draw_tensor, save_sheet, to_signed

WIDTH = 32
LATENT_CHANNELS = 12
COLOUR_SCALE = 0.6
RATE = 1.5e-3


def make_autoencoder() -> AutoencoderTiny:
    """An untrained autoencoder that already keeps colours.

    Its first three latent channels are the mean colour of each 4 x 4 block and its decoder repeats
    them, so that training only adds detail; a random start is still 10 dB worse after minutes.
    """
    vae = AutoencoderTiny(
        encoder_block_out_channels=(WIDTH,) * 3, decoder_block_out_channels=(WIDTH,) * 3,
        num_encoder_blocks=(0, 1, 1), num_decoder_blocks=(2, 2, 1), latent_channels=LATENT_CHANNELS, scaling_factor=1.0,
    )
    for layers in (vae.encoder.layers, vae.decoder.layers):
        for layer in layers:
            if hasattr(layer, "conv"):
                quiet_block(layer)
    first, *strided, last = [layer for layer in vae.encoder.layers if isinstance(layer, nn.Conv2d)]
    carry_colour(first, 1.0)
    for conv in strided:
        carry_colour(conv, 0.25, taps=slice(1, None))
    carry_colour(last, COLOUR_SCALE, bias=-0.5 * COLOUR_SCALE)
    first, *others = [layer for layer in vae.decoder.layers if isinstance(layer, nn.Conv2d)]
    carry_colour(first, 1 / COLOUR_SCALE, bias=0.5)
    for conv in others:
        carry_colour(conv, 1.0)
    return vae


@torch.no_grad()
def carry_colour(conv: nn.Conv2d, scale: float, bias: float = 0.0, taps: slice = slice(1, 2)) -> None:
    """Make channels 0-2 a scaled copy of the input's channels 0-2; the others start as small noise."""
    conv.weight.mul_(0.02 / conv.weight.std())
    for channel in range(3):
        conv.weight[channel].zero_()
        conv.weight[channel, channel, taps, taps] = scale
    if conv.bias is not None:
        conv.bias.zero_()
        conv.bias[:3] = bias


@torch.no_grad()
def quiet_block(block: nn.Module) -> None:
    """Let a residual block start as almost nothing, and leave channels 0-2 alone."""
    last = block.conv[-1]
    last.weight.mul_(0.05)
    last.weight[:3].zero_()
    last.bias.zero_()


def augment(signed: torch.Tensor) -> torch.Tensor:
    """Mirror, swap colour channels, drop in plain boxes: so that unseen colours and shapes survive too."""
    swapped = torch.rand(len(signed)) < 0.3
    signed[swapped] = signed[swapped][:, torch.randperm(3)]
    for i in torch.nonzero(torch.rand(len(signed)) < 0.25).flatten().tolist():
        for _ in range(2):
            top, left = torch.randint(0, 56, (2,)).tolist()
            height, width = torch.randint(3, 16, (2,)).tolist()
            signed[i, :, top : top + height, left : left + width] = torch.rand(3, 1, 1) * 2 - 1
    if torch.rand(()) < 0.5:
        signed = signed.flip(3)
    return signed.contiguous(memory_format=torch.channels_last)


def measure_psnr(vae: AutoencoderTiny, pixels: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Peak signal to noise in dB over (n, 3, h, w) uint8, and the reconstruction in -1..1."""
    signed = to_signed(pixels)
    with torch.no_grad():
        back = vae.decode(vae.encode(signed).latents).sample.clamp(-1, 1)
    return float(10 * torch.log10(4 / F.mse_loss(back, signed))), back


def train_autoencoder(work: Path, minutes: float = 7.0) -> None:
    """Write work/vae and a sheet of reconstructions; an earlier result is trained further."""
    torch.manual_seed(1)
    rng = Random(1)
    pixels = draw_tensor([training_spec(rng) for _ in range(6000)], 0)
    folder = work / "vae"
    vae = AutoencoderTiny.from_pretrained(folder) if folder.exists() else make_autoencoder()
    vae.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=RATE, weight_decay=0, betas=(0.9, 0.99))
    for step, share in training_steps(minutes, "autoencoder"):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 50) * (1 - max(0, share - 0.3) / 0.7) + 1e-5
        signed = augment(to_signed(pixels[torch.randint(0, len(pixels), (8,))]))
        latents = vae.encoder(signed)
        back = vae.decoder(latents + 0.012 * torch.randn_like(latents))
        # the last term keeps latents where the decoder's own soft clamp is straight
        loss = F.l1_loss(back, signed) + F.mse_loss(back, signed) + (F.relu(latents.abs() - 0.6) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 0.5)
        optimizer.step()
    vae.eval()
    finish(vae, pixels[:512], folder)


def finish(vae: AutoencoderTiny, pixels: torch.Tensor, folder: Path) -> None:
    """Measure, set the scale that gives latents a deviation of 1, and save."""
    rng = Random(5)
    world, _ = measure_psnr(vae, draw_tensor([training_spec(rng) for _ in range(48)], 900_000))
    concept_pixels = draw_tensor([concept_spec(rng) for _ in range(12)], 910_000)
    concept, back = measure_psnr(vae, concept_pixels)
    with torch.no_grad():
        latents = vae.encode(to_signed(pixels)).latents
    vae.register_to_config(scaling_factor=float(1 / latents.std()))
    vae.save_pretrained(folder)
    save_sheet(torch.cat([to_signed(concept_pixels), back]), folder / "sheet.png")
    deviations = [round(x, 2) for x in latents.std((0, 2, 3)).tolist()]
    print(f"autoencoder: world {world:.1f} dB, concept {concept:.1f} dB, deviation by channel {deviations}", flush=True)
