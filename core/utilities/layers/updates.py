"""What a module adds to the base model's weight, as factors: LoRA and LoCon (also with a small kernel between), LoHa and LoKr, all exactly.

Sources: kohya-ss/sd-scripts (networks/lora.py), KohakuBlueleaf/LyCORIS at f49d30d (functional/general.py rebuild_tucker, loha.py, lokr.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from core.base.errors import ConfigError, ModelError
from core.utilities.files.modules import LoraModule
from core.utilities.layers.algebra import Factors, FactorSpectrum, Spectrum, kronecker_of, spectrum_of

if TYPE_CHECKING:
    import torch

    from core.utilities.files.lora_file import LoraFile

Computing = Literal["float32", "float64"]
_ROLES = {"lora": ("up", "down", "mid"), "loha": tuple(f"hada_{part}" for part in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")),
          "lokr": tuple(f"lokr_{part}" for part in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2"))}
"""The tensors that are multiplied, by kind."""
LARGE_KERNELS = re.compile(r"(resnets_\d+_conv[12]|(down|up)samplers_\d+_conv|in_layers_2|out_layers_3|_0_op|output_blocks_\d+_\d_conv"
                           r"|conv_in|conv_out|unet_input_blocks_0_0|unet_out_2)$")
"""The 3 × 3 convolutions of U-Nets by name; files whose tensors are flat (LoHa and LoKr without Tucker) do not tell the kernel."""


def chosen_device(wanted: str) -> str:
    """"auto", "cpu", "cuda" or "cuda:1" as torch takes it. Raises: ConfigError: there is no such GPU."""
    import torch

    there = torch.cuda.is_available()
    if wanted == "auto":
        return "cuda" if there else "cpu"
    if wanted != "cpu" and not there:
        raise ConfigError(f"There is no GPU here for the device {wanted!r}.", "Choose auto or cpu.")
    return wanted


def spectrum(file: LoraFile, module: LoraModule, device: str = "cpu", computing: Computing = "float32",
             known: FactorSpectrum | None = None) -> Spectrum:
    """The singular values of a module's update, without its scale.

    Args: module: of a kind of FACTORED. computing: the precision; float32 is exact to about 1e-7 of the largest value.
        known: what came out before, without its factors; only these are then read again.
    Raises: ModelError: a value is not finite (NaN or infinite).
    """
    values = factor_values(file, module, device, computing)
    if module.kind == "lokr":
        return kronecker_of(*(spectrum_of(side) for side in lokr_sides(values)))
    factors = Factors(*(lora_factors if module.kind == "lora" else loha_factors)(values))
    return known.with_factors(factors) if known is not None else spectrum_of(factors)


def factor_values(file: LoraFile, module: LoraModule, device: str = "cpu", computing: Computing = "float32") -> dict[str, torch.Tensor]:
    """The tensors that are multiplied, by role. Raises: ModelError: a value or alpha is not finite (NaN or infinite)."""
    import torch

    values = {role: tensor.to(device, getattr(torch, computing)) for role, tensor in file.tensors_of(module).items()
              if role in _ROLES[module.kind]}
    for role, tensor in values.items():
        if not is_finite(tensor):
            raise ModelError(f"{module.tensors[role].name} in {file.path.name} holds {broken_words(tensor)}: the training broke down.",
                             "Use an earlier checkpoint of the run.")
    if not math.isfinite(file.scale(module)):
        raise ModelError(f"The alpha of {module.name} in {file.path.name} is no number: the training broke down.",
                         "Use an earlier checkpoint of the run.")
    return values


def is_finite(tensor: torch.Tensor) -> bool:
    """Whether every value is a number; from their sum, where that is one."""
    import torch

    return bool(torch.isfinite(tensor.sum())) or bool(torch.isfinite(tensor).all())


def broken_words(tensor: torch.Tensor) -> str:
    """"3 of 100 values that are no numbers"."""
    import torch

    return f"{int((~torch.isfinite(tensor)).sum())} of {tensor.numel()} values that are NaN or infinite"


def lora_factors(values: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of LoRA and LoCon: up (out, r) and down (r, in · kernel)."""
    up, down = values["up"].flatten(1), values["down"]
    return up, _folded(values["mid"], down.flatten(1)) if "mid" in values else down.flatten(1)


def loha_factors(values: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of LoHa, (A₁B₁) ∘ (A₂B₂): each pair of columns of A₁ and A₂, and of rows of B₁ and B₂, multiplied (Khatri and Rao): rank r²."""
    ups, downs = [], []
    for number in ("1", "2"):
        up, down = values[f"hada_w{number}_a"], values[f"hada_w{number}_b"].flatten(1)
        if f"hada_t{number}" in values:
            up, down = up.t(), _folded(values[f"hada_t{number}"], down)
        ups.append(up)
        downs.append(down)
    return (ups[0][:, :, None] * ups[1][:, None, :]).flatten(1), (downs[0][:, None, :] * downs[1][None, :, :]).flatten(0, 1)


def lokr_sides(values: Mapping[str, torch.Tensor]) -> tuple[Factors, Factors]:
    """Of LoKr, W₁ ⊗ W₂: both sides as factors, a whole matrix as itself times 1."""
    import torch

    sides = []
    for number in ("1", "2"):
        whole = values.get(f"lokr_w{number}")
        if whole is not None:
            whole = whole.flatten(1)
            sides.append(Factors(whole, torch.eye(whole.shape[1], dtype=whole.dtype, device=whole.device)))
            continue
        up, down = values[f"lokr_w{number}_a"], values[f"lokr_w{number}_b"].flatten(1)
        if f"lokr_t{number}" in values:
            up, down = up.t(), _folded(values[f"lokr_t{number}"], down)
        sides.append(Factors(up, down))
    return sides[0], sides[1]


def _folded(middle: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """The small kernel (r, r, height, width) of a Tucker decomposition and down (r, in) as one: (r, in · height · width)."""
    import torch

    return torch.einsum("ij...,jn->in...", middle, down).flatten(1)


def weight_shape(module: LoraModule) -> tuple[int, ...]:
    """The shape of the weight that a module belongs to, (out, in) or (out, in, height, width); of flat ones by the module's name."""
    shape = module.shape
    is_flat = module.kind in ("loha", "lokr") and len(shape) == 2
    if is_flat and shape[1] % 9 == 0 and LARGE_KERNELS.search(module.name.replace(".", "_")):
        return shape[0], shape[1] // 9, 3, 3
    return shape


def down_shape(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Of the down factor that a weight of that shape takes: a convolution has its kernel there."""
    return (rank, *shape[1:])


def up_shape(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Of the up factor that a weight of that shape takes: of a convolution one of 1 × 1."""
    return (shape[0], rank, *(1 for _ in shape[2:]))
