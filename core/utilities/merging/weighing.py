"""A LoRA file with a strength in it: at 1 it does what the given one does at that strength.

The values stay as they are to the last bit: the weight goes into each layer's alpha, which every program multiplies with, in float32 where
the file's own type cannot hold it. Only where there is no alpha (diffusers' names, plain differences, LoKr of two whole matrices) the
values themselves are multiplied.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from core.base.errors import ConfigError, DiskError, ModelError
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.tensor_headers import TensorPlace, read_header
from core.base.words import counted, told_size
from core.utilities import choices
from core.utilities.files.derived import Step, carried, made_of
from core.utilities.files.lora_file import TORCH_TYPES, LoraFile
from core.utilities.files.modules import LoraModule
from core.utilities.files.targets import beside, free_name, free_target, numbered, taken
from core.utilities.files.writing import NewTensor, bytes_of, new_tensor, write_safetensors
from core.utilities.layers.plans import percent
from core.utilities.merging.joining import Source, opened
from core.utilities.names.converting import Rounding

ALPHA_NAMES = ("kohya", "comfy")
"""Ways of naming whose readers look for an alpha beside the factors."""
PLAIN = ("diff", "diff_b", "w_norm", "b_norm", "up_bias")
"""Values that are added times the weight, whatever alpha is."""
FACTOR = {"lora": ("up",), "loha": ("hada_w1_a",), "lokr": ("lokr_w1", "lokr_w1_a"), "glora": ("a1", "b1"), "ia3": ("weight", "ia3_l")}
"""By kind the tensors of which multiplying makes the whole update so many times as strong; of several that are alternatives the first."""
TURNED = ("oft", "boft")


class WeighSettings(Settings):
    """Which file, and how much of it."""

    title: ClassVar[str] = "Write a LoRA with its strength"
    file: str = setting(..., "LoRA file", "A .safetensors file.")
    weight: float = setting(1.0, "Strength", "The one at which it was best, such as 0.8: the new file does at 1 what this one does there.",
                            ge=-10, le=10)
    blocks: tuple[str, ...] = setting((), "Weights of blocks", "up 1=0.5 halves blocks that begin with up 1, as Inspect calls them, on top "
                                      "of the strength; text=0 leaves the text encoders out.", level="advanced")
    save_to: str = choices.save_to("with the strength in its name")
    numbered: bool = setting(False, "Beside another's", "Where that name is taken by what was made of another LoRA, a number is added.",
                             level="expert")
    in_factors: bool = setting(False, "Into the values", "For programs that pass over alpha. The values are rounded; how much is told.",
                               level="expert")

    def usual_target(self) -> Path:
        """Where the result goes when nothing is said. Raises: ConfigError: the file's path cannot be resolved."""
        return beside(self.file, f"-w{self.weight:g}{'-blocks' if self.blocks else ''}")


@dataclass(frozen=True)
class WeighReport:
    """What was written."""

    file: str
    weight: float
    size: int
    in_alpha: int
    """Layers whose alpha holds the weight, so that their values are as they were."""
    in_values: int
    """Layers whose values were multiplied."""
    left_out: tuple[str, ...]
    """Layers whose weight is 0."""
    rounding: float
    """Root of the mean square of what rounding changed, relative to what was multiplied; 0: not a bit."""
    notes: tuple[str, ...]

    def sentence(self) -> str:
        """The report in words."""
        parts = [f"{counted(self.in_alpha, 'layer')} by alpha, values as they were" if self.in_alpha else "",
                 f"{counted(self.in_values, 'layer')} by the values" if self.in_values else "",
                 f"{counted(len(self.left_out), 'layer')} left out" if self.left_out else ""]
        rounding = f"rounding changed {percent(self.rounding)}" if self.rounding else "no value was rounded"
        told = ", ".join(filter(None, parts))
        what = f"{Path(self.file).name}: at 1 as before at {self.weight:g}; {told}; {rounding}, {told_size(self.size)}."
        return " ".join([what, *self.notes])


@dataclass
class _Weighing:
    """What became of the layers so far."""

    rounding: Rounding = field(default_factory=Rounding)
    in_alpha: int = 0
    in_values: int = 0
    left_out: list[str] = field(default_factory=list)
    wider: int = 0
    """Alphas that are float32 now."""
    added: int = 0
    """Alphas that were not there."""


def weigh_lora(settings: WeighSettings, progress: Progress = SILENT) -> WeighReport:
    """Write a file that does at strength 1 what the given one does at another; that one stays as it is.

    Raises: ModelError: no LoRA file, a kind that is no sum (DoRA, OFT, replaced weights), or multiplied values that are no numbers.
        ConfigError: a weight that changes nothing or leaves nothing, a block that is not there, or the target is taken.
        DiskError, Cancelled: nothing is written.
    """
    if settings.weight == 0:
        raise ConfigError("At strength 0 nothing of the LoRA would be left.", "Choose another one, such as 0.8.")
    if settings.weight == 1 and not settings.blocks:
        raise ConfigError("At strength 1 the file does what it does already.", "Choose another one, such as 0.8.")
    with opened([settings.file], [settings.weight], settings.blocks) as (source,):
        file = source.file
        _refuse(file)
        step = Step(file.path.name, file.tensors_hash(), "weigh", settings.weight, settings.blocks)
        target = _target(settings, step)
        done = _Weighing()
        tensors = [tensor for module in file.modules for tensor in _weighed(source, module, settings.in_factors, done)]
        if not tensors:
            raise ConfigError("With these weights of blocks no layer would be left.", "Leave some of them above 0.")
        tensors += [_as_it_is(file, place) for place in file.unknown]
        with taken(target):
            write_safetensors(target, tensors, _metadata(source, settings, done, step), hashes=True, replace=False, progress=progress)
    return WeighReport(str(target), settings.weight, target.stat().st_size, done.in_alpha, done.in_values, tuple(done.left_out),
                       done.rounding.share(), tuple(_notes(done, file)))


def _target(settings: WeighSettings, step: Step) -> Path:
    """Where the new file will be. Raises: ConfigError: something lies there, or it is written already."""
    place = typed_path(settings.save_to) if settings.save_to.strip() else settings.usual_target()
    with contextlib.suppress(OSError):  # of a name that cannot be, `free_target` says why
        for name in itertools.takewhile(Path.is_file, numbered(place)):
            if _is_made_by(step, name):
                raise ConfigError(f"{name} is there already: it was written before, of the same LoRA.",
                                  "Take that file, or move it away first.")
    return free_target(free_name(place) if settings.numbered else place, "")


def _is_made_by(step: Step, place: Path) -> bool:
    """Whether a file is what this very step gives, whatever the name of the LoRA was then."""
    try:
        made = made_of(read_header(place).metadata)
    except (ModelError, DiskError):
        return False
    return bool(made) and replace(made[0], name=step.name) == step


def _refuse(file: LoraFile) -> None:
    """Raises: ModelError: a layer at half its weight is not half of what it does."""
    for module in file.modules:
        if module.is_dora:
            raise ModelError(f"{module.name} is {module.words}: it learned the lengths of the whole weight, and at another strength "
                             "programs mix its result with the base's, which no DoRA file can say.", "Set the strength where you draw.")
        if module.kind in TURNED:
            raise ModelError(f"{module.name} is {module.words}: it turns the base's weights, which cannot be weighed in the file.",
                             "Set the strength where you draw.")
        if "set_weight" in module.tensors:
            raise ModelError(f"{module.name} replaces the base's weights, which cannot be weighed.", "Set the strength where you draw.")
        if module.kind == "incomplete" or "bias" in module.tensors:
            what = f"incomplete: it {module.problem}" if module.kind == "incomplete" else "a layer with a bias of unknown meaning"
            raise ModelError(f"{module.name} is {what}.", "Inspect the file; save it again with the program that made it.")


def _weighed(source: Source, module: LoraModule, in_factors: bool, done: _Weighing) -> Iterator[NewTensor]:
    """The tensors of a layer; none is made yet."""
    file, weight = source.file, source.weight_of(module)
    if weight == 0:  # an alpha of 0 means the rank to sd-scripts, so that the layer would be stronger
        done.left_out.append(module.name)
        return
    by_alpha = not in_factors and takes_alpha(module)
    factors = _factors(module)
    times = dict.fromkeys((role for role in PLAIN if role in module.tensors), weight)
    if weight != 1 and (factors or times):
        done.in_alpha += by_alpha
        done.in_values += not by_alpha
    sign = math.copysign(1.0, weight) if by_alpha else weight  # with an alpha below 0 diffusers' reading of FLUX.1 never ends
    times |= dict.fromkeys(factors, sign)
    for role, place in module.tensors.items():
        if role == "alpha" and by_alpha:
            yield _alpha(file, place.name, place.dtype, file.number(place) * abs(weight), done)
        elif times.get(role, 1.0) != 1.0:
            yield new_tensor(place.name, place.dtype, place.shape, partial(_times, file, place, times[role], done.rounding))
        else:
            yield _as_it_is(file, place)
    if by_alpha and "alpha" not in module.tensors and weight != 1:
        done.added += 1
        yield _alpha(file, f"{module.name}.alpha", "F32", file.alpha(module) * abs(weight), done)


def takes_alpha(module: LoraModule) -> bool:
    """Whether programs multiply the layer's update with alpha / rank."""
    return module.rank > 0 and module.kind in ("lora", "loha", "lokr", "glora") and ("alpha" in module.tensors
                                                                                   or module.scheme in ALPHA_NAMES)


def _factors(module: LoraModule) -> tuple[str, ...]:
    """The roles of which multiplying weighs the layer."""
    there = tuple(role for role in FACTOR.get(module.kind, ()) if role in module.tensors)
    return there if module.kind == "glora" else there[:1]


def _alpha(file: LoraFile, name: str, dtype: str, value: float, done: _Weighing) -> NewTensor:
    """An alpha in its own type where that holds it exactly, else in float32. Raises: ModelError: no type holds it."""
    import torch

    kind = dtype if float(torch.tensor(value, dtype=torch.float64).to(getattr(torch, TORCH_TYPES[dtype]))) == value else "F32"
    held = torch.tensor(value, dtype=torch.float64).to(getattr(torch, TORCH_TYPES[kind]))
    if not math.isfinite(value) or not math.isfinite(float(held)) or not float(held):
        raise ModelError(f"The alpha of {name.removesuffix('.alpha')} in {file.path.name} would be {value:g}, which no file can hold.",
                         "Choose another weight.")
    done.wider += kind != dtype
    return new_tensor(name, kind, file.places[name].shape if name in file.places else (), lambda: bytes_of(held))


def _times(file: LoraFile, place: TensorPlace, factor: float, rounding: Rounding) -> memoryview:
    """The values times a number, in their own type. Raises: ModelError: one is no number, or too large then."""
    return bytes_of(rounding.cast(file.tensor(place.name).double() * factor, place.dtype, place.name))


def _as_it_is(file: LoraFile, place: TensorPlace) -> NewTensor:
    return new_tensor(place.name, place.dtype, place.shape, partial(file.view, place.name))


def _metadata(source: Source, settings: WeighSettings, done: _Weighing, step: Step) -> dict[str, str]:
    """What the file said, with an alpha that is true, and of what it was made."""
    new = carried(source.file.metadata, step=step)
    if "ss_network_alpha" in new and done.in_alpha:
        try:
            alpha = float(new["ss_network_alpha"]) * settings.weight
        except ValueError:
            return new  # "Dynamic"
        new["ss_network_alpha"] = "Dynamic" if settings.blocks or settings.weight < 0 else f"{alpha:g}"
    return new


def _notes(done: _Weighing, file: LoraFile) -> Iterator[str]:
    """What a person should know of it."""
    if done.wider:
        yield f"{counted(done.wider, 'alpha')} became float32 (exact to 6e-8), for the file's own type cannot hold the product."
    if done.added:
        yield f"{counted(done.added, 'layer')} had no alpha and got one; it counted as the rank."
    if file.unknown:
        yield f"{counted(len(file.unknown), 'tensor')} of unknown names stayed as they were, such as {file.unknown[0].name}."
