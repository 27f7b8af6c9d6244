"""What a resize would give: ranks, sizes and errors of every layer, from one pass of singular values. Nothing is written.

The errors are exact: the Frobenius norm of what is left out is that of the singular values that are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError
from core.base.progress import SILENT, Progress
from core.base.words import told_size
from core.utilities.files.modules import FACTORED, LoraModule
from core.utilities.layers.algebra import FactorSpectrum
from core.utilities.layers.parallel import Ahead
from core.utilities.layers.ranks import RankRule
from core.utilities.layers.updates import Computing, spectrum, weight_shape

if TYPE_CHECKING:
    from core.utilities.files.lora_file import LoraFile

KEEP = 256 << 20
"""Bytes of small matrices that are kept between looking at a file and writing it."""
RELEASE_EVERY = 16
"""Modules after which the pages of the file are given back."""


@dataclass(frozen=True)
class LayerValues:
    """The singular values of one module."""

    module: LoraModule
    values: tuple[float, ...]
    """Without the scale, the largest first."""
    scale: float

    @property
    def norm(self) -> float:
        """Frobenius norm of the update."""
        return abs(self.scale) * math.sqrt(sum(value * value for value in self.values))

    def left_out(self, rank: int) -> float:
        """Frobenius norm of what a rank leaves out."""
        return abs(self.scale) * math.sqrt(sum(value * value for value in self.values[rank:]))


@dataclass(frozen=True)
class LayerPlan:
    """What one layer would get."""

    name: str
    kind: str
    rank: int
    """That it has."""
    new_rank: int
    error: float
    """What is left out, relative to the layer's own norm."""
    norm: float


@dataclass(frozen=True)
class ResizePlan:
    """What a rule would give for a whole file."""

    rule: RankRule
    layers: tuple[LayerPlan, ...]
    size: int
    """Bytes of the tensors after it."""
    size_now: int
    error: float
    """What is left out of all layers together, relative to the norm of all."""
    too_high: int = 0
    """Layers whose own rank is below the fixed one that was asked for; they keep theirs."""

    @property
    def changes_nothing(self) -> bool:
        """Whether each layer has a lower rank than the fixed one that was asked for, and keeps it."""
        return self.too_high == len(self.layers) and all(layer.new_rank == layer.rank for layer in self.layers)

    @property
    def highest(self) -> int:
        """The rank of a fixed rule, as far as the layers reach."""
        return min(self.rule.rank, max(layer.new_rank for layer in self.layers))

    @property
    def worst(self) -> LayerPlan:
        """The layer that loses most of itself."""
        return max(self.layers, key=lambda layer: layer.error)

    def ranks(self) -> dict[str, LayerPlan]:
        """By the module's name."""
        return {layer.name: layer for layer in self.layers}

    def as_dict(self) -> dict[str, Any]:
        """A row of a table."""
        ranks = sorted(layer.new_rank for layer in self.layers)
        return {"rule": self.rule.words, "size": self.size, "share": round(self.size / max(1, self.size_now), 4), "error": self.error,
                "worst": self.worst.name, "worst_error": self.worst.error, "lowest_rank": ranks[0], "median_rank": ranks[len(ranks) // 2],
                "highest_rank": ranks[-1]}

    def sentence(self) -> str:
        """"rank 16: 37.1 MiB, 0.8 % of the update is lost"."""
        return f"{self.rule.words}: {told_size(self.size)}, {percent(self.error)} of the update is lost" \
               f" (most of {self.worst.name}: {percent(self.worst.error)})"


@dataclass(frozen=True)
class FileValues:
    """The singular values of a whole file."""

    layers: tuple[LayerValues, ...]
    size: int
    """Bytes of all tensors."""
    left: tuple[str, ...] = field(default=())
    """Modules that have none, and are kept as they are."""

    def plan(self, rule: RankRule, itemsize: int = 0) -> ResizePlan:
        """What a rule gives. Args: itemsize: bytes of a value in the file that would be written; 0: as each layer has them."""
        layers, size, too_high = [], self.size, 0
        for layer in self.layers:
            module, count = layer.module, len(layer.values)
            shape = weight_shape(module)
            rank = rule.rank_of(layer.values, min(shape[0], math.prod(shape[1:])), len(shape) > 2 and math.prod(shape[2:]) > 1)
            error = layer.left_out(rank) / layer.norm if layer.norm else 0.0
            layers.append(LayerPlan(module.name, module.words, module.rank or count, rank, error, layer.norm))
            size += new_size(module, rank, itemsize) - module.size
            wanted = rule.conv_rank if module.is_large_kernel and rule.conv_rank else rule.rank
            too_high += rule.method == "fixed" and wanted > count
        whole = math.sqrt(sum(layer.norm ** 2 for layer in layers))
        error = math.sqrt(sum((layer.error * layer.norm) ** 2 for layer in layers)) / whole if whole else 0.0
        return ResizePlan(rule, tuple(layers), size, self.size, error, too_high)


def new_size(module: LoraModule, rank: int, itemsize: int = 0) -> int:
    """Bytes of a module of that rank: both factors, alpha, and what is kept beside them."""
    shape, main = weight_shape(module), next(place for role, place in module.tensors.items() if role not in ("alpha", "scalar"))
    each = itemsize or main.size // main.count
    kept = sum(place.size for role, place in module.tensors.items() if role in KEPT)
    return each * (rank * (shape[0] + math.prod(shape[1:])) + 1) + kept


KEPT = ("dora_scale", "diff_b", "up_bias", "bias")
"""Roles that a resized module keeps as they are."""


def read_values(file: LoraFile, device: str = "cpu", computing: Computing = "float32", progress: Progress = SILENT,
                keep: dict[str, FactorSpectrum] | None = None) -> FileValues:
    """The singular values of every module that is a product of factors.

    Args: keep: takes up to KEEP bytes of what was computed, by the modules' names, so that a cut need not compute it again.
    Raises: ModelError: there is none, or one holds values that are no numbers. Cancelled.
    """
    having = [module for module in file.modules if module.kind in FACTORED]
    if not having:
        kinds = sorted({module.words for module in file.modules})
        raise ModelError(f"{file.path.name} has no layer that has a rank ({', '.join(kinds)}).",
                         "LoRA, LoCon, LoHa, LoKr and DoRA have one.")

    def values_of(module: LoraModule) -> tuple[tuple[float, ...], FactorSpectrum | None]:
        found = spectrum(file, module, device, computing)
        return tuple(found.values.tolist()), found.with_factors(None) if isinstance(found, FactorSpectrum) else None

    layers, kept = [], 0
    progress.start("Singular values", len(having))
    with Ahead(having, values_of, device) as ahead:
        for number, (module, (values, found)) in enumerate(ahead):
            layers.append(LayerValues(module, values, file.scale(module)))
            if keep is not None and found is not None and kept + found.size <= KEEP:
                keep[module.name], kept = found, kept + found.size
            if number % RELEASE_EVERY == 0:
                file.release()
            progress.advance(module.name)
    left = tuple(module.name for module in file.modules if module.kind not in FACTORED)
    return FileValues(tuple(layers), sum(place.size for place in file.header.tensors), left)


def preview_plans(values: FileValues, rules: Sequence[RankRule], itemsize: int = 0) -> list[ResizePlan]:
    """What several rules give, from the same singular values."""
    return [values.plan(rule, itemsize) for rule in rules]


def percent(share: float) -> str:
    """"0.03 %", "12 %"; what is less than computing itself loses is "0 %"."""
    return "0 %" if share < 1e-6 else f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
