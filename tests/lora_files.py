"""LoRA files of random values: of real size under sd-scripts' names, and single layers of every kind."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.utilities.files.lora_file import TORCH_TYPES
from core.utilities.files.writing import bytes_of, new_tensor, write_safetensors
from core.utilities.names.architectures import is_trained, original_name, text_layers, unet_layers

if TYPE_CHECKING:
    import torch

METADATA = {"ss_network_module": "networks.lora", "ss_network_dim": "64", "ss_network_alpha": "32.0", "ss_learning_rate": "0.0001",
            "ss_base_model_version": "sd_v1", "ss_output_name": "mika", "ss_training_comment": "a test",
            "ss_tag_frequency": '{"10_mika": {"mika": 12, "smile": 7, "1girl": 12}}', "ss_sd_model_name": "model.safetensors"}


def layers_of(family: str, convolutions: bool = False) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Modules as sd-scripts names them, and their weights' shapes. Args: family: sd15, sd2 or sdxl."""
    encoders = text_layers(family)
    for number, layers in enumerate(encoders, 1):
        prefix = f"lora_te{number if len(encoders) > 1 else ''}_text_model_encoder_"
        for name, shape in layers.items():
            yield prefix + name.replace(".", "_"), shape
    for name, shape in unet_layers(family).items():
        if is_trained(name, convolutions):
            named = original_name(family, name) if family == "sdxl" else name
            yield "lora_unet_" + named.replace(".", "_"), shape


def factors(shape: tuple[int, ...], rank: int, chance: torch.Generator, size: float = 0.05) -> tuple[torch.Tensor, torch.Tensor]:
    """Up and down of a layer whose singular values fall off as those of a trained one do: the k-th is about size / k."""
    import torch

    wide = math.prod(shape[1:])
    fall = (size / torch.arange(1, rank + 1)).sqrt()
    up = torch.randn(shape[0], rank, generator=chance) * fall / shape[0] ** 0.5
    down = torch.randn(rank, wide, generator=chance) * fall[:, None] / wide ** 0.5
    kernel = shape[2:]
    return up.reshape(*up.shape, *(1 for _ in kernel)), down.reshape(rank, *shape[1:])


def make_lora(path: Path, family: str = "sd15", rank: int = 64, alpha: float = 32.0, dtype: str = "F16", convolutions: bool = False,
              metadata: Mapping[str, str] = METADATA, seed: int = 0) -> Path:
    """A file of real size, one tensor in memory at a time."""
    import torch

    kind = getattr(torch, TORCH_TYPES[dtype])
    chance, tensors = torch.Generator().manual_seed(seed), []

    def part(shape: tuple[int, ...], index: int, number: int) -> memoryview:
        chance.manual_seed(seed + number)
        return bytes_of(factors(shape, rank, chance)[index].to(kind))

    for number, (name, shape) in enumerate(layers_of(family, convolutions)):
        kernel = (1,) * len(shape[2:])
        for index, (role, size) in enumerate((("lora_up", (shape[0], rank, *kernel)), ("lora_down", (rank, *shape[1:])))):
            tensors.append(new_tensor(f"{name}.{role}.weight", dtype, size,
                                      lambda shape=shape, index=index, number=number: part(shape, index, number)))
        tensors.append(new_tensor(f"{name}.alpha", dtype, (), lambda: bytes_of(torch.tensor(alpha).to(kind))))
    write_safetensors(path, tensors, metadata, hashes=True)
    return path
