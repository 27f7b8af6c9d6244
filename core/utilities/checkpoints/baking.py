"""LoRA files added to a base model for good, or taken out of it again: the checkpoint written anew, tensor by tensor."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from core.base.errors import ModelError
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted, told_size
from core.diffusion.kinds import TITLES
from core.utilities import choices
from core.utilities.checkpoints.checkpoint_layers import family_of_checkpoint, places_in
from core.utilities.files.derived import carried
from core.utilities.files.lora_file import TORCH_TYPES, TensorFile
from core.utilities.files.modules import FACTORED, LoraModule
from core.utilities.files.targets import free_target, taken
from core.utilities.files.writing import bytes_of, new_tensor, write_safetensors
from core.utilities.layers.plans import percent
from core.utilities.layers.products import factors_of
from core.utilities.layers.updates import chosen_device, is_finite
from core.utilities.merging.joining import Source, one_family, opened, refuse_kind
from core.utilities.merging.merged_metadata import SOURCES, tensors_hash
from core.utilities.names.naming import has_diffusers_rows, places_of
from core.utilities.names.renamed import edges_of, last_block_of


class BakeSettings(Settings):
    """Which checkpoint, which files, and how much of each."""

    title: ClassVar[str] = "LoRA into a model"
    base: str = setting(..., "Base model", "A .safetensors file.")
    files: tuple[str, ...] = setting(..., "LoRA files", "One or more of the base model's family.", min_length=1)
    weights: tuple[float, ...] = setting((), "Weights", "One for each file; below 0 takes it out of the model again. Empty: 1 for each.")
    blocks: tuple[str, ...] = setting((), "Weights of blocks", "As in Merge: 1: up 1=0.5.", level="advanced")
    save_to: str = choices.save_to("with -baked in its name", "the model")
    device: str = choices.device()


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
    """Layers for which the model has no place."""

    def sentence(self) -> str:
        """The report in words."""
        unused = f" {counted(len(self.unused), 'layer')} found no place, such as {self.unused[0]}." if self.unused else ""
        return f"{Path(self.file).name}: {counted(self.weights, 'tensor')} changed, {told_size(self.size)}; its precision " \
               f"rounds by {percent(self.rounding)} of what was added.{unused}"


@dataclass(frozen=True, eq=False)
class _Part:
    """What one module adds, and to which rows."""

    source: Source
    module: LoraModule
    rows: tuple[int, int]
    swapped: bool


def bake_loras(settings: BakeSettings, progress: Progress = SILENT) -> BakeReport:
    """Write the model with the files in it; the given one stays as it is.

    Raises: ModelError: no base model, made for another family, of kinds that cannot be added, or no layer fits. ConfigError: the target is
        taken. DiskError, Cancelled: nothing is written.
    """
    path, device = typed_path(settings.base), chosen_device(settings.device)
    target = free_target(path, settings.save_to, "-baked")
    with opened(settings.files, settings.weights, settings.blocks) as sources:
        family = fitting_family(path, sources)
        base = TensorFile(path)
        parts, unused = _parts(base, family, sources)
        if not parts:
            raise ModelError(f"No layer of {sources[0].name} has a place in {path.name}.", "They belong to different models.")
        sums = [0.0, 0.0]
        tensors = [new_tensor(place.name, place.dtype, place.shape,
                              partial(_baked, base, place.name, parts[place.name], device, sums) if place.name in parts
                              else partial(_as_it_is, base, place.name)) for place in base.header.tensors]
        told = [{"name": source.name, "sshs_model_hash": tensors_hash(source), "weight": source.weight} for source in sources]
        metadata = carried(base.metadata)
        metadata[SOURCES] = json.dumps({"method": "bake", "base": path.name, "files": told})
        with taken(target):
            write_safetensors(target, tensors, metadata, replace=False, progress=progress)
    rounding = math.sqrt(sums[0] / sums[1]) if sums[1] else 0.0
    return BakeReport(str(target), target.stat().st_size, len(parts), rounding, tuple(unused))


def fitting_family(path: Path, sources: Sequence[Source]) -> str:
    """The family of a model into which the files can be put; headers alone are read.

    Raises: ModelError: no base model, files that were made for another family, or of kinds that cannot be added.
    """
    family, made_for = family_of_checkpoint(path), one_family(sources)
    if made_for.name and made_for.name.replace("chroma", "flux1") != family:
        raise ModelError(f"{sources[0].name} was made for {made_for.title}, but {path.name} is {TITLES[family]}.",
                         "Choose the model that it was made for.")
    for source in sources:
        for module in source.file.modules:
            refuse_kind(source, module)
    return family


def _parts(base: TensorFile, family: str, sources: Sequence[Source]) -> tuple[dict[str, list[_Part]], list[str]]:
    """By the checkpoint's names, and modules without a place."""
    here = {place.slot: place for place in places_in(base, family)}
    found: dict[str, list[_Part]] = {}
    unused = []
    for source in sources:
        names = places_of(family, last_block_of(family, source.file.modules))
        for module in source.file.modules:
            slot, number = names.get(module.name, (None, 0))
            place = here.get(slot) if slot is not None else None
            if slot is None or place is None or module.kind not in FACTORED:
                unused.append(module.name)
                continue
            shape = base.places[place.key].shape
            rows = place.rows(shape[0])
            if len(slot.parts) > 1 and number >= 0:
                rows = edges_of(slot, shape[0])[number]
            if (rows[1] - rows[0]) * math.prod(shape[1:]) != math.prod(module.shape) or module.shape[0] != rows[1] - rows[0]:
                raise ModelError(f"{module.name} has the shape {list(module.shape)} in {source.name}, but {place.key} in {base.path.name} "
                                 f"{list(shape)}.", "They belong to different models.")
            swapped = slot.swapped and has_diffusers_rows(module.name, slot)
            found.setdefault(place.key, []).append(_Part(source, module, rows, swapped))
    return found, unused


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
        update = factors_of(part.source.file, part.module, device).matrix().mul_(part.source.weight_of(part.module))
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
