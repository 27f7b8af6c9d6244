"""Drawings as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from core.demo.drawing import draw
from core.demo.world import Spec


def to_tensor(images: Sequence[Image.Image]) -> torch.Tensor:
    """Returns: (n, 3, height, width) uint8, RGB."""
    return torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2).contiguous()


def draw_tensor(specs: Sequence[Spec], first_seed: int) -> torch.Tensor:
    """Draw each spec with its own seed. Returns: (n, 3, 64, 64) uint8."""
    return to_tensor([draw(spec, first_seed + i) for i, spec in enumerate(specs)])


def to_signed(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 0-255 to float -1..1, the range of the autoencoder."""
    return pixels.float() / 127.5 - 1


def save_sheet(signed: torch.Tensor, path, columns: int = 12, zoom: int = 3) -> None:
    """Write (n, 3, h, w) in -1..1 as one picture, row by row, for the eye."""
    pixels = ((signed.clamp(-1, 1) + 1) * 127.5).round().byte()
    height, width = pixels.shape[-2:]
    rows = -(-len(pixels) // columns)
    sheet = Image.new("RGB", (columns * (width + 2), rows * (height + 2)))
    for i, picture in enumerate(pixels):
        tile = Image.fromarray(picture.permute(1, 2, 0).numpy())
        sheet.paste(tile, (i % columns * (width + 2), i // columns * (height + 2)))
    sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.Resampling.NEAREST).save(path)
