"""Plain differences of several files (of whole weights, norm layers, and biases, also beside factors), added value by value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError
from core.utilities.files.lora_file import TORCH_TYPES
from core.utilities.files.writing import NewTensor, bytes_of, new_tensor
from core.utilities.layers.updates import broken_words, is_finite
from core.utilities.merging.joining import JoinedLayer

if TYPE_CHECKING:
    import torch


def plain_sums(layers: Iterable[JoinedLayer], dtype: str) -> Iterator[NewTensor]:
    """The tensors of what is no product. Raises, when one is made: ModelError: a value is not finite, or too large for the type."""
    for layer in layers:
        for role in layer.plain:
            module = next(module for _, module in layer.parts if role in module.tensors)
            place = module.tensors[role]
            name = layer.name + place.name.removeprefix(module.name)
            yield new_tensor(name, dtype, place.shape, partial(_sum, layer, role, dtype, name))


def _sum(layer: JoinedLayer, role: str, dtype: str, name: str) -> memoryview:
    import torch

    total: torch.Tensor | None = None
    for source, module in layer.parts:
        if role not in module.tensors:
            continue
        place = module.tensors[role]
        tensor = source.file.tensor(place.name).float()
        if not is_finite(tensor):
            raise ModelError(f"{place.name} in {source.name} holds {broken_words(tensor)}: the training broke down.",
                             "Use an earlier checkpoint of the run.")
        part = source.weight_of(module) * tensor
        total = part if total is None else total + part
    assert total is not None
    kind: Any = getattr(torch, TORCH_TYPES[dtype])
    made = total.to(kind)
    if not is_finite(made.float()):
        raise ModelError(f"{name} does not fit into {dtype}: its values are too large.", "Choose the precision float.")
    return bytes_of(made)
