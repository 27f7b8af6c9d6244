"""The layers of a new LoRA file, made when their turn to be written comes, some of them ahead, and rounded so that alpha loses nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError
from core.base.tensor_headers import DTYPES
from core.utilities.files.lora_file import TORCH_TYPES
from core.utilities.files.modules import LoraModule
from core.utilities.files.writing import NewTensor, bytes_of, new_tensor
from core.utilities.layers.algebra import Factors
from core.utilities.layers.parallel import Ahead
from core.utilities.layers.plans import RELEASE_EVERY, LayerPlan
from core.utilities.layers.updates import down_shape, is_finite, up_shape

if TYPE_CHECKING:
    import torch

KOHYA = {"up": ".lora_up.weight", "down": ".lora_down.weight", "alpha": ".alpha"}
"""How sd-scripts calls the tensors of a LoRA."""


@dataclass(frozen=True, eq=False)
class NewLayer:
    """One layer of the new file, before it is made."""

    name: str
    """The module's."""
    shape: tuple[int, ...]
    """Of the weight: (out, in) or (out, in, height, width)."""
    rank: int
    dtype: str
    """safetensors' name of the written type."""
    names: Mapping[str, str]
    """Of its tensors: up, down and, unless the scale goes into the factors, alpha."""
    rank_before: int = 0
    """For the report."""
    kind: str = "LoRA"


@dataclass(frozen=True)
class MadeLayer:
    """What a layer is to hold."""

    factors: Factors
    """Of at most the layer's rank."""
    norm: float
    """Frobenius norm of the update that was wanted."""
    error: float = 0.0
    """Frobenius norm of what the rank leaves out of it."""


def folds(module: LoraModule) -> bool:
    """Whether the scale goes into the factors: PEFT's own names have no alpha, and what reads them takes the rank for it."""
    return "alpha" not in module.tensors and module.scheme != "kohya"


def name_of(module: LoraModule, role: str) -> str:
    """As the file calls it; LoHa and LoKr become kohya's LoRA."""
    place = module.tensors.get(role) if module.kind == "lora" or role == "alpha" else None
    return place.name if place else module.name + KOHYA[role]


def names_like(module: LoraModule) -> dict[str, str]:
    """The names of a LoRA's tensors as a module's file would call them."""
    return {role: name_of(module, role) for role in (("up", "down") if folds(module) else ("up", "down", "alpha"))}


def kohya_names(name: str) -> dict[str, str]:
    """As sd-scripts calls them. Args: name: the module's."""
    return {role: name + end for role, end in KOHYA.items()}


class NewLayers:
    """Every layer of a new file; used with `with` while the file is written.

    Args:
        make: the update of a layer; called in threads, some layers ahead of the writing.
        release: called now and then, so that the pages of the files that are read do not count as this process's memory.
    """

    def __init__(self, layers: Iterable[NewLayer], make: Callable[[NewLayer], MadeLayer], device: str = "cpu",
                 release: Callable[[], None] = lambda: None) -> None:
        self._make_layer, self._release = make, release
        order = {name: -number for number, name in enumerate(DTYPES)}
        self.layers = sorted(layers, key=lambda layer: (order[layer.dtype], layer.names["up"]))
        self._open: dict[str, dict[str, memoryview]] = {}
        """Layers of which some tensors are written and others not yet."""
        self.made: dict[str, tuple[float, float]] = {}
        """Norm and error of each layer that was written."""
        self._rounded = 0.0
        self._ahead = Ahead(self.layers, self._make, device)

    def __enter__(self) -> NewLayers:
        self._ahead.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ahead.__exit__(kind, error, trace)
        self._open.clear()

    def tensors(self) -> list[NewTensor]:
        """Their tensors; none is made yet."""
        found = []
        for layer in self.layers:
            shapes = {"up": up_shape(layer.shape, layer.rank), "down": down_shape(layer.shape, layer.rank), "alpha": ()}
            found += [new_tensor(name, layer.dtype, shapes[role], partial(self._take, layer, role)) for role, name in layer.names.items()]
        return found

    def plans(self) -> tuple[LayerPlan, ...]:
        """What became of each layer, by name."""
        found = []
        for layer in sorted(self.layers, key=lambda one: one.name):
            norm, error = self.made[layer.name]
            found.append(LayerPlan(layer.name, layer.kind, layer.rank_before, layer.rank, error / norm if norm else 0.0, norm))
        return tuple(found)

    def error(self) -> float:
        """What the ranks leave out of all layers together, relative to the norm of all."""
        whole = math.sqrt(sum(norm ** 2 for norm, _ in self.made.values()))
        return math.sqrt(sum(error ** 2 for _, error in self.made.values())) / whole if whole else 0.0

    def rounding(self) -> float:
        """What rounding changed, relative to the whole update."""
        whole = math.sqrt(sum(norm ** 2 for norm, _ in self.made.values()))
        return math.sqrt(self._rounded) / whole if whole else 0.0

    def _take(self, layer: NewLayer, role: str) -> memoryview:
        if layer.name not in self._open:
            self._open[layer.name], rounded, facts = self._ahead.get(layer)
            self._rounded += rounded
            self.made[layer.name] = facts
            if len(self.made) % RELEASE_EVERY == 0:
                self._release()
        roles = self._open[layer.name]
        data = roles.pop(role)
        if not roles:
            del self._open[layer.name]
        return data

    def _make(self, layer: NewLayer) -> tuple[dict[str, memoryview], float, tuple[float, float]]:
        made = self._make_layer(layer)
        rounded, changed = rounded_factors(made.factors, layer.rank, layer.dtype, "alpha" in layer.names)
        if not all(is_finite(value.float()) for value in rounded.values()):
            raise ModelError(f"{layer.name} does not fit into {layer.dtype}: its values are too large.", "Choose the precision float.")
        return {role: bytes_of(rounded[role]) for role in layer.names}, changed ** 2, (made.norm, made.error)


def rounded_factors(factors: Factors, rank: int, dtype: str, alpha: bool) -> tuple[dict[str, torch.Tensor], float]:
    """Up, down and alpha in a type, with zeros up to the rank, and the Frobenius norm of what rounding changed.

    Args: alpha: whether the scale may stand there; what it loses by rounding goes into the factors.
    """
    import torch

    up, down = filled(factors.up, rank, 1), filled(factors.down, rank, 0)
    kind: Any = getattr(torch, TORCH_TYPES[dtype])
    number = torch.tensor(factors.scale * rank if alpha else float(rank)).to(kind)
    ratio = factors.scale * rank / float(number) if float(number) else 1.0
    up, down = up * math.copysign(math.sqrt(abs(ratio)), ratio), down * math.sqrt(abs(ratio))
    rounded = up.to(kind), down.to(kind)
    changed = abs(float(number)) / rank * difference(up, down, *(value.to(up.dtype) for value in rounded))
    return {"up": rounded[0], "down": rounded[1], "alpha": number}, changed


def filled(factor: torch.Tensor, rank: int, dim: int) -> torch.Tensor:
    """With zeros up to a rank, where there are fewer singular values."""
    import torch

    if factor.shape[dim] >= rank:
        return factor
    missing = list(factor.shape)
    missing[dim] = rank - factor.shape[dim]
    return torch.cat([factor, factor.new_zeros(missing)], dim)


def difference(up: torch.Tensor, down: torch.Tensor, new_up: torch.Tensor, new_down: torch.Tensor) -> float:
    """Frobenius norm of new_up · new_down - up · down, from products of the size of the rank alone."""
    of_up, of_down = new_up - up, new_down - down
    total = ((of_up.t() @ of_up) * (down @ down.t())).sum() + ((new_up.t() @ new_up) * (of_down @ of_down.t())).sum() \
        + 2 * ((of_up.t() @ new_up) * (down @ of_down.t())).sum()
    return math.sqrt(max(0.0, float(total)))
