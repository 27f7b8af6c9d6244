"""The tensors of a resized file, made when their turn to be written comes, some layers ahead; and its metadata."""

from __future__ import annotations

import math
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from core.utilities.files.headers import DTYPES, TensorPlace
from core.utilities.files.lora_file import TORCH_TYPES, LoraFile
from core.utilities.files.modules import LoraModule
from core.utilities.files.writing import NewTensor, bytes_of, new_tensor
from core.utilities.layers.algebra import FactorSpectrum
from core.utilities.layers.parallel import Ahead
from core.utilities.layers.plans import KEPT, RELEASE_EVERY, ResizePlan
from core.utilities.layers.updates import Computing, down_shape, spectrum, up_shape, weight_shape

if TYPE_CHECKING:
    import torch

KOHYA = {"up": ".lora_up.weight", "down": ".lora_down.weight", "alpha": ".alpha"}
"""How sd-scripts calls the tensors of a LoRA."""
Made = tuple[dict[str, memoryview], float]
"""The bytes of a module's tensors by role, and the square of what rounding changed."""


class ResizedTensors:
    """Every tensor of a resized file; used with `with` while the file is written.

    Args:
        plan: the ranks. dtype: safetensors' name of the written type; empty: as each layer has it.
        known: what looking at the file computed already, by the modules' names.
    """

    def __init__(self, file: LoraFile, plan: ResizePlan, dtype: str, device: str, computing: Computing,
                 known: dict[str, FactorSpectrum]) -> None:
        self.file, self.plan, self.dtype, self.device, self.computing, self.known = file, plan, dtype, device, computing, known
        self.ranks = {layer.name: layer.new_rank for layer in plan.layers}
        self._open: dict[str, dict[str, memoryview]] = {}
        """Modules of which some tensors are written and others not yet."""
        self._rounded, self._count = 0.0, 0
        having = [module for module in file.modules if module.name in self.ranks]
        order = {name: -number for number, name in enumerate(DTYPES)}
        self._ahead = Ahead(sorted(having, key=lambda module: (order[self.dtype_of(module)], module.name)), self._make, device)

    def __enter__(self) -> ResizedTensors:
        self._ahead.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ahead.__exit__(kind, error, trace)
        self._open.clear()

    def tensors(self) -> list[NewTensor]:
        """Every tensor of the new file; none is made yet."""
        found = [self._as_it_is(place) for place in self.file.unknown]
        for module in self.file.modules:
            rank = self.ranks.get(module.name)
            found += [self._as_it_is(place) for role, place in module.tensors.items() if rank is None or role in KEPT]
            if rank is not None:
                shape, dtype = weight_shape(module), self.dtype_of(module)
                wanted = {"up": up_shape(shape, rank), "down": down_shape(shape, rank), **({} if folds(module) else {"alpha": ()})}
                found += [new_tensor(name_of(module, role), dtype, size, partial(self._take, module, role))
                          for role, size in wanted.items()]
        return found

    def dtype_of(self, module: LoraModule) -> str:
        """Of the written factors; where it stays the same, that of the module's first one."""
        first = next(place for role, place in module.tensors.items() if role not in ("alpha", "scalar", *KEPT))
        return self.dtype or first.dtype

    def rounding(self) -> float:
        """What rounding changed, relative to the whole update."""
        whole = math.sqrt(sum(layer.norm ** 2 for layer in self.plan.layers))
        return math.sqrt(self._rounded) / whole if whole else 0.0

    def _as_it_is(self, place: TensorPlace) -> NewTensor:
        return new_tensor(place.name, place.dtype, place.shape, partial(self.file.view, place.name))

    def _take(self, module: LoraModule, role: str) -> memoryview:
        if module.name not in self._open:
            self._open[module.name], rounded = self._ahead.get(module)
            self._rounded += rounded
            self._count += 1
            if self._count % RELEASE_EVERY == 0:
                self.file.release()
        roles = self._open[module.name]
        data = roles.pop(role)
        if not roles:
            del self._open[module.name]
        return data

    def _make(self, module: LoraModule) -> Made:
        """Both factors and alpha, rounded. What alpha loses by it goes into the factors."""
        import torch

        rank, scale = self.ranks[module.name], self.file.scale(module)
        up, down = spectrum(self.file, module, self.device, self.computing, self.known.get(module.name)).cut(rank)
        up, down = filled(up, rank, 1), filled(down, rank, 0)
        dtype: Any = getattr(torch, TORCH_TYPES[self.dtype_of(module)])
        alpha = torch.tensor(float(rank) if folds(module) else scale * rank).to(dtype)
        ratio = scale * rank / float(alpha) if float(alpha) else 1.0
        up, down = up * math.copysign(math.sqrt(abs(ratio)), ratio), down * math.sqrt(abs(ratio))
        rounded = up.to(dtype), down.to(dtype)
        changed = float(alpha) / rank * difference(up, down, *(value.to(up.dtype) for value in rounded))
        made = {"up": bytes_of(rounded[0]), "down": bytes_of(rounded[1]), **({} if folds(module) else {"alpha": bytes_of(alpha)})}
        return made, changed ** 2


def folds(module: LoraModule) -> bool:
    """Whether the scale goes into the factors: PEFT's own names have no alpha, and what reads them takes the rank for it."""
    return "alpha" not in module.tensors and module.scheme != "kohya"


def name_of(module: LoraModule, role: str) -> str:
    """As the file calls it; LoHa and LoKr become kohya's LoRA."""
    place = module.tensors.get(role) if module.kind == "lora" or role == "alpha" else None
    return place.name if place else module.name + KOHYA[role]


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


def resized_metadata(file: LoraFile, plan: ResizePlan) -> dict[str, str]:
    """As sd-scripts writes it after its resize (networks/resize_lora.py); what PEFT's settings say of ranks no longer holds and goes."""
    rule, old = plan.rule, file.metadata
    new = {key: value for key, value in old.items() if key not in ("sshs_model_hash", "sshs_legacy_hash", "lora_adapter_metadata")}
    before, comment = max(layer.rank for layer in plan.layers), old.get("ss_training_comment", "")
    if rule.method == "fixed":
        conv = "" if rule.conv_rank in (None, rule.rank) else f" (conv: {rule.conv_rank})"
        last = next(module for module in file.modules if module.name == plan.layers[-1].name)
        return new | {"ss_training_comment": f"dimension is resized from {before} to {rule.rank}{conv}; {comment}",
                      "ss_network_dim": str(rule.rank), "ss_network_alpha": str(file.scale(last) * plan.layers[-1].new_rank)}
    return new | {"ss_training_comment": f"Dynamic resize with {rule.method}: {rule.param} from {before}; {comment}",
                  "ss_network_dim": "Dynamic", "ss_network_alpha": "Dynamic"}
