"""LoRA layers under kohya's names: which modules take one, how it computes, how a file is put on a model and taken off."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from core.base.errors import ModelError
from core.base.tensor_headers import read_header
from core.diffusion.names import clip_name, ldm_unet_name

if TYPE_CHECKING:
    from core.diffusion.model import DiffusionModel

ATTENTION_BLOCKS = ("Transformer2DModel",)
CONVOLUTION_BLOCKS = ("ResnetBlock2D", "Downsample2D", "Upsample2D")
TEXT_BLOCKS = ("CLIPAttention", "CLIPSdpaAttention", "CLIPMLP")
"""Class names inside which kohya's networks.lora puts LoRA layers."""


class Target(NamedTuple):
    """A module that can take a LoRA layer."""

    name: str
    """As sd-scripts writes it: lora_unet_…, lora_te_…, lora_te1_…, lora_te2_…"""
    other_name: str
    """As other tools write it for SDXL: diffusers' block names, lora_te_ for the first text encoder; else empty."""
    module: nn.Module
    part: str
    """"unet" or "text_encoder"."""
    large_kernel: bool
    """A convolution larger than 1 x 1, which takes conv_dim."""


class LoraLayer(nn.Module):
    """W x + weight * (alpha / rank) * up(down(x)), added to a Linear or Conv2d in place.

    Starts as kohya's does: down Kaiming uniform (a = sqrt 5), up zeros.

    Args:
        org_module: torch.nn.Linear or Conv2d; it keeps its place, name and weights.
        rank: network_dim or conv_dim.
        alpha: 0 means `rank` (no scaling).
        dropout: probability for the rank's channels of each element ("network_dropout").
        rank_dropout, module_dropout: kohya's other two kinds; only in training.
    """

    def __init__(self, org_module: Any, rank: int, alpha: float, dropout: float = 0.0, rank_dropout: float = 0.0,
                 module_dropout: float = 0.0) -> None:
        super().__init__()
        is_convolution: bool = isinstance(org_module, nn.Conv2d)
        if is_convolution:
            self.lora_down: Any = nn.Conv2d(org_module.in_channels, rank, org_module.kernel_size, org_module.stride,
                                                  org_module.padding, bias=False)
            self.lora_up: Any = nn.Conv2d(rank, org_module.out_channels, 1, bias=False)
        else:
            self.lora_down = nn.Linear(org_module.in_features, rank, bias=False)
            self.lora_up = nn.Linear(rank, org_module.out_features, bias=False)
        nn.init.kaiming_uniform_(self.lora_down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.lora_up.weight)
        alpha = alpha or rank
        self.register_buffer("alpha", torch.tensor(float(alpha)))
        self.rank, self.scale, self.weight = rank, alpha / rank, 1.0
        self.dropout, self.rank_dropout, self.module_dropout = dropout, rank_dropout, module_dropout
        self._org = [org_module]  # in a list, so that the base's weights are no part of this module
        self._org_forward: Any = None

    def attach(self) -> None:
        """Let the module compute with this layer from now on."""
        self._org_forward = self._org[0].forward
        self._org[0].forward = self.forward  # type: ignore[method-assign]

    def detach(self) -> None:
        """Give the module its forward of before back. Layers on one module come off in the reverse order."""
        self._org[0].__dict__.pop("forward", None)
        if getattr(self._org_forward, "__self__", None) is not self._org[0]:
            self._org[0].forward = self._org_forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The module's output with this layer's share."""
        out = self._org_forward(x)
        if self.training and self.module_dropout and torch.rand(1).item() < self.module_dropout:
            return out
        middle, scale = self.lora_down(x), self.scale * self.weight
        if self.training and self.dropout:
            middle = nn.functional.dropout(middle, self.dropout)
        if self.training and self.rank_dropout:
            keep = torch.rand((middle.shape[0], self.rank), device=middle.device) > self.rank_dropout
            keep = keep[:, :, None, None] if middle.ndim == 4 else keep[:, None] if middle.ndim == 3 else keep
            middle, scale = middle * keep, scale / (1 - self.rank_dropout)
        if middle.ndim == 4 or middle.dtype != out.dtype:
            return torch.add(out, self.lora_up(middle), alpha=scale)
        # one multiplication that adds into a copy of `out`: no scaled copies of the output's size, forward or backward
        return torch.addmm(out.flatten(0, -2), middle.flatten(0, -2), self.lora_up.weight.t(), alpha=scale).unflatten(0, out.shape[:-1])


def find_targets(model: DiffusionModel, convolutions: bool) -> Iterator[Target]:
    """Every module that kohya's networks.lora gives a LoRA layer, text encoders first.

    Args: convolutions: also inside ResnetBlock2D, Downsample2D and Upsample2D (conv_dim is set: LoCon).
    """
    several = len(model.text_encoders) > 1
    for index, encoder in enumerate(model.text_encoders):
        for path, module in _inside(encoder, TEXT_BLOCKS):
            inner = clip_name(path).replace(".", "_")
            number = index + 1
            name, other = (f"lora_te{number}_{inner}", f"lora_te_{inner}" if index == 0 else "") if several else \
                (f"lora_te_{inner}", "")
            yield Target(name, other, module, "text_encoder", False)
    config = model.unet.config
    for path, module in _inside(model.unet, ATTENTION_BLOCKS + (CONVOLUTION_BLOCKS if convolutions else ())):
        plain, original = (f"lora_unet_{text.replace('.', '_')}" for text in (path, ldm_unet_name(path, config)))
        name, other = (original, plain) if several else (plain, "")
        yield Target(name, other, module, "unet", isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1))


def _inside(root: nn.Module, classes: tuple[str, ...]) -> Iterator[tuple[str, nn.Module]]:
    for path, block in root.named_modules():
        if type(block).__name__ in classes:
            for child_path, child in block.named_modules():
                if isinstance(child, (nn.Linear, nn.Conv2d)):
                    yield f"{path}.{child_path}", child


@dataclass(frozen=True)
class LoraCoverage:
    """How much of a LoRA file a model could take."""

    applied: int
    """Modules that now compute with it."""
    in_file: int
    unused: tuple[str, ...]
    """Modules in the file for which the model has no place."""


def read_lora(path: Path) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, str]]:
    """A LoRA file by module: {"lora_unet_…": {"lora_down.weight": …, "lora_up.weight": …, "alpha": …}}, and its metadata.

    Raises: ModelError: missing, no safetensors file, or not of kohya's LoRA kind.
    """
    from safetensors.torch import load_file

    path = Path(path)
    if not path.is_file():
        raise ModelError(f"The LoRA {path} does not exist.")
    header = read_header(path)
    names = list(header.by_name)
    if any("hada_" in name or "lokr_" in name or ".oft_" in name or "dora_scale" in name for name in names):
        raise ModelError(f"{path.name} is a LyCORIS file (LoHa, LoKr, OFT or DoRA), which cannot be drawn with here.",
                         "Use a LoRA or LoCon.")
    if not any(name.endswith(".lora_down.weight") for name in names):
        raise ModelError(f"{path.name} has no LoRA layers under kohya's names.", "Choose a LoRA file made by sd-scripts or Lorabook.")
    modules: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in load_file(path).items():
        module, _, part = name.partition(".")
        modules.setdefault(module, {})[part] = value
    return modules, dict(header.metadata)


def apply_lora(model: DiffusionModel, path: str | Path, weight: float = 1.0) -> LoraCoverage:
    """Put a LoRA file on a model; several may lie on one model.

    Args:
        path: kohya's keys: lora_unet_… (either block naming), lora_te_…, lora_te1_/lora_te2_; linear and convolution layers.
        weight: multiplier; 0 changes nothing, negative turns it round.

    Raises: ModelError: no file, or made for another family or size of model. The model is as before.
    """
    modules, _ = read_lora(Path(path))
    layers, unused = [], dict(modules)
    for target in find_targets(model, convolutions=True):
        values = modules.get(target.name) or (modules.get(target.other_name) if target.other_name else None)
        if not values or "lora_down.weight" not in values:
            continue
        unused.pop(target.name, None)
        unused.pop(target.other_name, None)
        layers.append(_layer_from(target, values, Path(path).name, weight))
    if not layers:
        raise ModelError(f"{Path(path).name} fits nothing in {model.path.name}: it was made for another model family.",
                         "Choose the base model that it was trained on.")
    for layer in layers:
        layer.attach()
    model.adapters.extend(layers)
    return LoraCoverage(len(layers), len(modules), tuple(unused))


def _layer_from(target: Target, values: dict[str, torch.Tensor], file: str, weight: float) -> LoraLayer:
    down, up = values["lora_down.weight"], values["lora_up.weight"]
    rank = down.shape[0]
    layer = LoraLayer(target.module, rank, float(values["alpha"]) if "alpha" in values else rank)
    shapes = {"down": layer.lora_down.weight.shape, "up": layer.lora_up.weight.shape}
    for name, value in (("down", down), ("up", up)):
        if value.numel() != shapes[name].numel() or value.shape[0] != shapes[name][0]:
            raise ModelError(f"{target.name} in {file} has the shape {tuple(value.shape)} where the model needs {tuple(shapes[name])}.",
                             "Choose the base model that it was trained on.")
    with torch.no_grad():
        layer.lora_down.weight.copy_(down.reshape(shapes["down"]))
        layer.lora_up.weight.copy_(up.reshape(shapes["up"]))
    layer.weight = weight
    org: Any = target.module.weight
    return layer.to(org.device, org.dtype).requires_grad_(False).eval()


def remove_lora(model: DiffusionModel) -> None:
    """Take every LoRA that `apply_lora` put on off again; the base is exactly as before."""
    while model.adapters:
        model.adapters.pop().detach()
