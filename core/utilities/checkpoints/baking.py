"""LoRA files added to a base model for good, or taken out of it again: the checkpoint written anew, tensor by tensor."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from core.base.errors import ModelError
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted, told_size
from core.diffusion.kinds import TITLES, kind_of
from core.utilities import choices
from core.utilities.checkpoints.checkpoint_layers import family_of_checkpoint, norms_in, places_in, refuse_scaled
from core.utilities.files.derived import carried
from core.utilities.files.lora_file import TORCH_TYPES, TensorFile
from core.utilities.files.modules import FACTORED, LoraModule
from core.utilities.files.targets import beside, free_target, taken
from core.utilities.files.writing import bytes_of, new_tensor, write_safetensors
from core.utilities.layers.plans import percent
from core.utilities.layers.products import factors_of
from core.utilities.layers.updates import broken_words, chosen_device, is_finite
from core.utilities.merging.joining import PLAIN, Source, families, family_note, go_together, one_family, opened, refuse_kind, twice_notes
from core.utilities.merging.merged_metadata import SOURCES
from core.utilities.names.family import Family
from core.utilities.names.naming import has_diffusers_rows, places_of
from core.utilities.names.renamed import edges_of, last_block_of

if TYPE_CHECKING:
    import torch


class BakeSettings(Settings):
    """Which checkpoint, which files, and how much of each."""

    title: ClassVar[str] = "LoRA into a model"
    base: str = setting(..., "Base model", "A .safetensors file.")
    files: tuple[str, ...] = setting(..., "LoRA files", "One or more of the base model's family.", min_length=1)
    weights: tuple[float, ...] = setting((), "Weights", "One for each file; below 0 takes it out of the model again. Empty: 1 for each.")
    blocks: tuple[str, ...] = setting((), "Weights of blocks", "As in Merge: 1: up 1=0.5.", level="advanced")
    save_to: str = choices.save_to("with -baked in its name", "the model")
    device: str = choices.device()

    def usual_target(self) -> Path:
        """Where the result goes when nothing is said. Raises: ConfigError: the model's path cannot be resolved."""
        return beside(self.base, "-baked")


@dataclass(frozen=True)
class BakeReport:
    """What was written."""

    file: str
    size: int
    weights: int
    """Tensors that were changed."""
    rounding: float
    """What the checkpoint's own precision changes, relative to what was added."""
    unused: tuple[str, ...]
    """Layers for which the model has no place, and differences of biases where it has none."""
    notes: tuple[str, ...] = ()
    sources: tuple[tuple[str, float], ...] = ()
    """Files and their weights."""
    blocks: tuple[str, ...] = ()
    """Weights of blocks, as the settings have them."""

    def sentence(self) -> str:
        """The report in words."""
        unused = f" {counted(len(self.unused), 'layer')} found no place, such as {self.unused[0]}." if self.unused else ""
        return f"{Path(self.file).name}: {counted(self.weights, 'tensor')} changed, {told_size(self.size)}; its precision " \
               f"rounds by {percent(self.rounding)} of what was added.{unused}{''.join(f' {note}' for note in self.notes)}"


@dataclass(frozen=True, eq=False)
class _Part:
    """What one module adds, and to which rows."""

    source: Source
    module: LoraModule
    role: str
    """Of the plain difference that is added; empty: its factors' product."""
    rows: tuple[int, int]
    swapped: bool

    def update(self, device: str) -> torch.Tensor:
        """With its weight, as the module's own way has it. Raises: ModelError: a value is not finite."""
        weight = self.source.weight_of(self.module)
        if not self.role:
            return factors_of(self.source.file, self.module, device).matrix().mul_(weight)
        name = self.module.tensors[self.role].name
        values = self.source.file.tensor(name).to(device).float()
        if not is_finite(values):
            raise ModelError(f"{name} in {self.source.name} holds {broken_words(values)}: the training broke down.",
                             "Use an earlier checkpoint of the run.")
        return weight * values


def bake_loras(settings: BakeSettings, progress: Progress = SILENT) -> BakeReport:
    """Write the model with the files in it; the given one stays as it is.

    Raises: ModelError: no base model, made for another family, of kinds that cannot be added, or no layer fits. ConfigError: the target is
        taken. DiskError, Cancelled: nothing is written.
    """
    path, device = typed_path(settings.base), chosen_device(settings.device)
    target = free_target(settings.usual_target(), settings.save_to)
    with opened(settings.files, settings.weights, settings.blocks) as sources:
        family = fitting_family(path, sources)
        base = TensorFile(path)
        parts, unused = _parts(base, family, sources)
        sums = [0.0, 0.0]
        tensors = [new_tensor(place.name, place.dtype, place.shape,
                              partial(_baked, base, place.name, parts[place.name], device, sums) if place.name in parts
                              else partial(_as_it_is, base, place.name)) for place in base.header.tensors]
        told = [{"name": source.name, "sshs_model_hash": source.file.tensors_hash(), "weight": source.weight} for source in sources]
        metadata = carried(base.metadata)
        metadata[SOURCES] = json.dumps({"method": "bake", "base": path.name, "files": told})
        with taken(target):
            write_safetensors(target, tensors, metadata, replace=False, progress=progress)
    rounding = math.sqrt(sums[0] / sums[1]) if sums[1] else 0.0
    notes = dict.fromkeys(family_note(Family(kind_of(path).family, ""), one) for one in families(sources))
    return BakeReport(str(target), target.stat().st_size, len(parts), rounding, tuple(unused),
                      tuple(filter(None, [*twice_notes(sources), *notes])),
                      tuple((str(source.file.path), source.weight) for source in sources), settings.blocks)


def check_fit(path: Path, sources: Sequence[Source]) -> tuple[str, ...]:
    """See that a model takes the files, by headers alone. Returns: layers for which it has no place.

    Raises: ModelError: as `fitting_family`; a layer has another shape there, or none has a place.
    """
    family = fitting_family(path, sources)
    with TensorFile(path) as base:
        return tuple(_parts(base, family, sources)[1])


def fitting_family(path: Path, sources: Sequence[Source]) -> str:
    """The family of a model into which the files can be put; headers alone are read.

    Raises: ModelError: no base model, a quantized one, files that were made for another family, or of kinds that cannot be added.
    """
    family, made_for = family_of_checkpoint(path), one_family(sources)
    with TensorFile(path) as base:
        refuse_scaled(base)
    if made_for.name and not go_together(made_for.name, family):
        raise ModelError(f"{sources[0].name} was made for {made_for.title}, but {path.name} is {TITLES[family]}.",
                         "Choose the model that it was made for.")
    for source in sources:
        for module in source.file.modules:
            refuse_kind(source, module)
    return family


def _parts(base: TensorFile, family: str, sources: Sequence[Source]) -> tuple[dict[str, list[_Part]], list[str]]:
    """By the checkpoint's names, and modules and tensors without a place. Raises: ModelError: none has one, or another shape."""
    here, norms = {place.slot: place for place in places_in(base, family)}, norms_in(base, family)
    found: dict[str, list[_Part]] = {}
    unused = []
    for source in sources:
        names = places_of(family, last_block_of(family, source.file.modules))
        for module in source.file.modules:
            slot, number = names.get(module.name, (None, 0))
            place = here.get(slot) if slot is not None else norms.get(module.name)
            if place is None:
                unused.append(module.name)
                continue
            swapped = place.slot.swapped and has_diffusers_rows(module.name, place.slot)
            for role in _roles(module):
                key = place.bias if role in ("diff_b", "b_norm") else place.key
                if key not in base.places:
                    unused.append(module.tensors[role].name)
                    continue
                shape = base.places[key].shape
                rows = edges_of(place.slot, shape[0])[number] if len(place.slot.parts) > 1 and number >= 0 else place.rows(shape[0])
                _fits(base, key, rows, source, module, role)
                found.setdefault(key, []).append(_Part(source, module, role, rows, swapped))
    if not found:
        raise ModelError(f"No layer of {sources[0].name} has a place in {base.path.name}.", "They belong to different models.")
    return found, unused


def _roles(module: LoraModule) -> tuple[str, ...]:
    """What a module adds: the plain differences that it has, and of factors their product (empty)."""
    plain = tuple(role for role in PLAIN if role in module.tensors)
    return ("", *plain) if module.kind in FACTORED else plain


def _fits(base: TensorFile, key: str, rows: tuple[int, int], source: Source, module: LoraModule, role: str) -> None:
    """Raises: ModelError: what is added has another shape than the rows."""
    shape, own = base.places[key].shape, module.tensors[role].shape if role else module.shape
    if own[:1] != (rows[1] - rows[0],) or math.prod(own) != (rows[1] - rows[0]) * math.prod(shape[1:]):
        raise ModelError(f"{module.tensors[role].name if role else module.name} has the shape {list(own)} in {source.name}, but {key} in "
                         f"{base.path.name} {list(shape)}.", "They belong to different models.")


def _as_it_is(base: TensorFile, key: str) -> memoryview:
    base.release()
    return base.view(key)


def _baked(base: TensorFile, key: str, parts: Sequence[_Part], device: str, sums: list[float]) -> memoryview:
    """The changed weight in the checkpoint's type. Args: sums: takes the squares of what rounding changed and of what was added."""
    import torch

    old = base.tensor(key)
    exact = old.to(device).float()
    change = torch.zeros_like(exact)
    for part in parts:
        update = part.update(device)
        update = torch.cat(update.chunk(2)[::-1]) if part.swapped else update
        change[part.rows[0]:part.rows[1]] += update.reshape(-1, *exact.shape[1:])
        part.source.file.release()
    exact += change
    kind: Any = getattr(torch, TORCH_TYPES[base.places[key].dtype])
    new = exact.to(kind)
    if not is_finite(new.float()):
        raise ModelError(f"{key} does not fit into {base.places[key].dtype} with the files added.", "Choose lower weights.")
    sums[0] += float((new.float() - exact).square().sum(dtype=torch.float64))
    sums[1] += float(change.square().sum(dtype=torch.float64))
    return bytes_of(new)
