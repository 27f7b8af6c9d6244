"""How the updates of several files become one: their sum, or what TIES and DARE make of them.

Sources: Yadav et al., TIES-Merging (2023, arXiv:2306.01708), section 3: trim, elect sign, disjoint merge. Yu et al., Language Models are
Super Mario (2023, arXiv:2311.03099), section 3: drop and rescale. Both speak of a model's whole update; here each layer is one by itself,
so that only its own matrices are in memory. How weights enter TIES is not in its paper, where all are 1: here a sign is elected by the
weighted updates, and the mean is weighted.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from core.utilities.files.modules import LoraModule
from core.utilities.layers.new_layers import MadeLayer
from core.utilities.layers.pieces import least_kept, pieces
from core.utilities.layers.products import added, cut_to, factors_of
from core.utilities.layers.sketch import sketch
from core.utilities.layers.updates import Computing
from core.utilities.merging.joining import JoinedLayer, Source

if TYPE_CHECKING:
    import torch

MergeMethod = Literal["sum", "ties", "dare", "dare_ties"]
METHODS: dict[str, str] = {"sum": "sum", "ties": "TIES", "dare": "DARE", "dare_ties": "DARE with TIES"}


def summed(layer: JoinedLayer, rank: int, device: str, computing: Computing) -> MadeLayer:
    """The weighted sum, exactly, cut to a rank where that is lower."""
    parts = [(factors_of(source.file, module, device, computing), source.weight_of(module)) for source, module in layer.factored]
    return MadeLayer(*cut_to(added(parts), rank))


def elected(layer: JoinedLayer, rank: int, device: str, computing: Computing, method: MergeMethod, density: float, scale: float,
            seed: int) -> MadeLayer:
    """TIES or DARE of the whole updates, and the best of a rank of what comes out."""

    thin: Callable[[torch.Tensor, Source, LoraModule], torch.Tensor] = \
        (lambda update, source, module: trimmed(update, density)) if method == "ties" else \
        (lambda update, source, module: dropped(update, density, chance_of(seed, source, module, device)))
    updates, weights = [], []
    for source, module in layer.factored:
        weight = source.weight_of(module)
        updates.append(thin(factors_of(source.file, module, device, computing).matrix(), source, module).mul_(weight))
        weights.append(abs(weight))
    whole = together(updates) if method == "dare" else agreed(updates, weights).mul_(scale)
    del updates
    found = sketch(whole, rank)
    return MadeLayer(found.factors, found.norm, found.error)


def trimmed(update: torch.Tensor, density: float) -> torch.Tensor:
    """The largest values alone. Args: density: their share, 0 to 1. Values as large as the smallest kept stay too."""
    import torch

    count = update.numel()
    kept = max(1, math.ceil(density * count))
    if kept >= count:
        return update
    least = least_kept(update, kept)
    below = float(torch.nextafter(least, torch.zeros_like(least)))
    for (piece,) in pieces(update):
        piece.copy_(torch.nn.functional.hardshrink(piece, below))
    return update


def dropped(update: torch.Tensor, density: float, chance: torch.Generator) -> torch.Tensor:
    """Each value kept with a probability and divided by it, so that the mean stays."""
    import torch

    if density >= 1:
        return update
    for (piece,) in pieces(update):
        kept = torch.rand(len(piece), generator=chance, device=update.device) < density
        piece.mul_(kept).div_(density)
    return update


def chance_of(seed: int, source: Source, module: LoraModule, device: str) -> torch.Generator:
    """Chance that is the same at every run, whatever the order of the layers, and another for each file and layer."""
    import torch

    text = f"{seed}/{source.number}/{module.name}".encode()
    return torch.Generator(device).manual_seed(int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1)


def together(updates: list[torch.Tensor]) -> torch.Tensor:
    """Their sum; the first of them is written over."""
    for update in updates[1:]:
        updates[0] += update
    return updates[0]


def agreed(updates: list[torch.Tensor], weights: list[float]) -> torch.Tensor:
    """TIES' last two steps: at each place the sign with the larger sum, and the mean of the values that have it.

    Args: updates: trimmed, times their weights. weights: without signs; the mean is by these.
    """
    import torch

    merged = torch.empty_like(updates[0])
    for target, *parts in pieces(merged, *updates):
        sign = torch.stack(parts).sum(0).sign_()
        total, share = torch.zeros_like(sign), torch.zeros_like(sign)
        for part, weight in zip(parts, weights, strict=True):
            along = (part * sign).clamp_(min=0)
            total += along
            share.add_(along > 0, alpha=weight)
        torch.div(total.mul_(sign), share.masked_fill_(share == 0, 1), out=target)
    return merged
