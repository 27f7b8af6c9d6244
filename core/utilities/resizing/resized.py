"""What a resized file holds: its layers cut to their ranks, what stays as it is, and its metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from core.base.tensor_headers import TensorPlace
from core.utilities.files.derived import Step, carried
from core.utilities.files.lora_file import LoraFile
from core.utilities.files.modules import LoraModule
from core.utilities.files.writing import NewTensor, bytes_of, new_tensor
from core.utilities.layers.algebra import Factors, FactorSpectrum
from core.utilities.layers.new_layers import MadeLayer, NewLayer, folds, names_like
from core.utilities.layers.plans import KEPT, ResizePlan
from core.utilities.layers.updates import Computing, spectrum, weight_shape


def resized_layers(file: LoraFile, plan: ResizePlan, dtype: str) -> list[NewLayer]:
    """The layers that get a rank. Args: dtype: safetensors' name of the written type; empty: as each layer has it."""
    layers = plan.ranks()
    return [NewLayer(module.name, weight_shape(module), layers[module.name].new_rank, dtype or _dtype_of(module), names_like(module))
            for module in file.modules if module.name in layers]


def cutting(file: LoraFile, plan: ResizePlan, device: str, computing: Computing, known: Mapping[str, FactorSpectrum]
            ) -> Callable[[NewLayer], MadeLayer]:
    """What makes a layer's factors of the file's. Args: known: what looking at the file computed already, by the modules' names."""
    modules, layers = {module.name: module for module in file.modules}, plan.ranks()

    def cut(new: NewLayer) -> MadeLayer:
        module, layer = modules[new.name], layers[new.name]
        up, down = spectrum(file, module, device, computing, known.get(new.name)).cut(new.rank)
        return MadeLayer(Factors(up, down, file.scale(module)), layer.norm, layer.error * layer.norm)

    return cut


def kept_tensors(file: LoraFile, plan: ResizePlan) -> list[NewTensor]:
    """What is taken over byte by byte: tensors of no layer, layers without a rank, and what others have beside their factors."""
    layers = plan.ranks()
    kept = [(None, place) for place in file.unknown] + [(module, place) for module in file.modules for role, place in module.tensors.items()
                                                        if module.name not in layers or role in KEPT]
    return [_as_it_is(file, module if module is not None and module.name in layers else None, place) for module, place in kept]


def _as_it_is(file: LoraFile, module: LoraModule | None, place: TensorPlace) -> NewTensor:
    """A tensor of the old file. Args: module: the one that gets a rank, to which it belongs; None: it belongs to none.

    PEFT multiplies a bias beside up with the scale; where that goes into the factors, it goes into the bias too.
    """
    scale = file.scale(module) if module is not None and folds(module) and module.tensors.get("up_bias") == place else 1.0
    if scale == 1:
        return new_tensor(place.name, place.dtype, place.shape, partial(file.view, place.name))
    return new_tensor(place.name, place.dtype, place.shape, lambda: bytes_of((file.tensor(place.name).double() * scale)
                                                                             .to(file.tensor(place.name).dtype)))


def _dtype_of(module: LoraModule) -> str:
    """Of the factors as they are: that of the first one."""
    return next(place.dtype for role, place in module.tensors.items() if role not in ("alpha", "scalar", *KEPT))


def resized_metadata(file: LoraFile, plan: ResizePlan) -> dict[str, str]:
    """As sd-scripts writes it after its resize (networks/resize_lora.py); what PEFT's settings say of ranks no longer holds and goes."""
    rule, old = plan.rule, file.metadata
    new = carried(old, new_factors=True, made_lora=any(module.kind in ("loha", "lokr") for module in file.modules),
                  step=Step(file.path.name, file.tensors_hash(), "resize"))
    before, comment = max(layer.rank for layer in plan.layers), old.get("ss_training_comment", "")
    if rule.method == "fixed":
        conv = "" if rule.conv_rank in (None, rule.rank) else f" (conv: {rule.conv_rank})"
        last = next(module for module in file.modules if module.name == plan.layers[-1].name)
        return new | {"ss_training_comment": f"dimension is resized from {before} to {plan.highest}{conv}; {comment}",
                      "ss_network_dim": str(plan.highest), "ss_network_alpha": str(file.scale(last) * plan.layers[-1].new_rank)}
    return new | {"ss_training_comment": f"Dynamic resize with {rule.method}: {rule.param} from {before}; {comment}",
                  "ss_network_dim": "Dynamic", "ss_network_alpha": "Dynamic"}
