"""A module's whole update as two factors with its scale, and several updates added by putting their factors beside each other.

    w₁ · up₁ · down₁ + w₂ · up₂ · down₂ = [w₁up₁ w₂up₂] · [down₁; down₂]
is exact; the rank of the sum is at most the sum of the ranks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from core.utilities.files.modules import LoraModule
from core.utilities.layers.algebra import Factors, spectrum_of
from core.utilities.layers.updates import Computing, factor_values, loha_factors, lokr_sides, lora_factors

if TYPE_CHECKING:

    from core.utilities.files.lora_file import LoraFile


def factors_of(file: LoraFile, module: LoraModule, device: str = "cpu", computing: Computing = "float32") -> Factors:
    """What a module of a kind of FACTORED adds to the weight, exactly; LoHa of rank r as r² columns, LoKr as its sides' products.

    Raises: ModelError: a value is not finite.
    """
    import torch

    values, scale = factor_values(file, module, device, computing), file.scale(module)
    if module.kind != "lokr":
        return Factors(*(lora_factors if module.kind == "lora" else loha_factors)(values), scale)
    one, two = (_short(side) for side in lokr_sides(values))
    return Factors(torch.kron(one.up.contiguous(), two.up.contiguous()), torch.kron(one.down.contiguous(), two.down.contiguous()), scale)


def _short(side: Factors) -> Factors:
    """A whole matrix times 1, as 1 times it where that has fewer columns."""
    import torch

    if side.up.shape[1] <= side.up.shape[0]:
        return side
    whole = side.up @ side.down
    return Factors(torch.eye(len(whole), dtype=whole.dtype, device=whole.device), whole)


def columns_of(module: LoraModule) -> int:
    """How many columns `factors_of` gives, from the shapes alone."""
    shapes = {role: place.shape for role, place in module.tensors.items()}
    if module.kind != "lokr":
        return module.rank ** (2 if module.kind == "loha" else 1)
    count = 1
    for number in ("1", "2"):
        whole = shapes.get(f"lokr_w{number}")
        if whole is not None:
            count *= min(whole[0], math.prod(whole[1:]))
            continue
        out = shapes[f"lokr_w{number}_a"][-1 if f"lokr_t{number}" in shapes else 0]
        count *= min(out, shapes[f"lokr_w{number}_b"][0])
    return count


def added(parts: Iterable[tuple[Factors, float]]) -> Factors:
    """The weighted sum of updates, exactly. Args: parts: updates with their weights. The scale goes into both factors alike."""
    import torch

    ups, downs = [], []
    for factors, weight in parts:
        scale = weight * factors.scale
        ups.append(factors.up * math.copysign(math.sqrt(abs(scale)), scale))
        downs.append(factors.down * math.sqrt(abs(scale)))
    return Factors(torch.cat(ups, 1), torch.cat(downs, 0))


def cut_to(factors: Factors, rank: int) -> tuple[Factors, float, float]:
    """The best update of at most a rank, and the Frobenius norms of the whole and of what is left out. Fewer columns stay as they are."""
    if factors.up.shape[1] <= rank:
        return factors, norm_of(factors), 0.0
    found = spectrum_of(factors)
    squares = found.values.double().square() * factors.scale ** 2
    up, down = found.cut(rank)
    return Factors(up, down, factors.scale), math.sqrt(float(squares.sum())), math.sqrt(float(squares[rank:].sum()))


def norm_of(factors: Factors) -> float:
    """Frobenius norm of an update, from products of the size of the rank alone."""
    up, down = factors.up.double(), factors.down.double()
    return abs(factors.scale) * math.sqrt(max(0.0, float(((up.t() @ up) * (down @ down.t())).sum())))
