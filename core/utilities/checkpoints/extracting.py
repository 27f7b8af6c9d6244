"""A LoRA made of what two checkpoints differ in: the best of a rank of each layer's difference, tensor by tensor.

kohya-ss/sd-scripts' extract_lora_from_models.py takes a full SVD of each difference and then clamps both factors at the .99 quantile of
their values (clamp_quantile), which changes the product beyond what the rank costs; nothing is clamped here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from core.base.errors import ModelError
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.tensor_headers import DTYPES
from core.base.words import counted, told_size
from core.diffusion.kinds import TITLES
from core.training.importing.lora_values import VERSIONS
from core.utilities import choices
from core.utilities.checkpoints.checkpoint_layers import (
    WeightPlace,
    family_of_checkpoint,
    places_in,
    refuse_scaled,
    same_layers,
    takes_lora,
)
from core.utilities.choices import PRECISIONS, Precision
from core.utilities.files.lora_file import FLOATS, TensorFile
from core.utilities.files.targets import beside, free_target, taken
from core.utilities.files.writing import write_safetensors
from core.utilities.layers.new_layers import MadeLayer, NewLayer, NewLayers, kohya_names
from core.utilities.layers.plans import percent
from core.utilities.layers.sketch import ITERATIONS, OVERSAMPLING, sketch
from core.utilities.layers.updates import broken_words, chosen_device, is_finite
from core.utilities.layers.written_lora import WrittenLora
from core.utilities.merging.merged_metadata import SOURCES
from core.utilities.names.naming import names_of

SOURCE = "arXiv:0909.4061"


class ExtractSettings(Settings):
    """Which checkpoints, and at what rank."""

    title: ClassVar[str] = "Extract a LoRA"
    base: str = setting(..., "Base model", "A .safetensors file: what the LoRA is to be used with.")
    tuned: str = setting(..., "Trained model", "A .safetensors file of the same family: what the base becomes with the LoRA.")
    new_rank: int = setting(64, "Rank", "Of every layer.", ge=1, le=4096)
    new_conv_rank: int | None = setting(None, "Rank of convolutions", "Of those larger than 1 × 1. Empty: as the others; 0: none.", ge=0,
                                        le=4096, level="advanced")
    text_encoders: bool = setting(True, "Text encoders", "Also what they differ in.", level="advanced")
    save_to: str = choices.save_to("with -lora in its name", "the trained model")
    save_precision: Precision = choices.precision("fp16")
    oversampling: int = setting(OVERSAMPLING, "Further columns", "Of the random sketch, beyond the rank.", ge=0, le=256, level="expert",
                                source=SOURCE)
    iterations: int = setting(ITERATIONS, "Power iterations", "Each brings the result nearer to the full SVD's.", ge=0, le=20,
                              level="expert", source=SOURCE)
    device: str = choices.device()

    def usual_target(self) -> Path:
        """Where the result goes when nothing is said. Raises: ConfigError: the trained model's path cannot be resolved."""
        return beside(self.tuned, "-lora")


@dataclass(frozen=True, kw_only=True)
class ExtractReport(WrittenLora):
    """What was written; the error is measured."""

    outside: float
    """Share of the whole difference that lies in tensors which take no LoRA: norms, biases, embeddings, other layers; by Frobenius norm."""
    others: tuple[str, ...]
    """Tensors that differ and take none, or are in one file alone."""
    same: int
    """Layers that do not differ."""

    def sentence(self) -> str:
        """The report in words."""
        outside = f" {counted(len(self.others), 'tensor')} that take no LoRA differ as well, {percent(self.outside)} of the whole " \
                  f"difference, such as {self.others[0]}." if self.others else ""
        same = f" {counted(self.same, 'layer')} are the same in both." if self.same else ""
        worst = max(self.layers, key=lambda layer: layer.error)
        return (f"{Path(self.file).name}: {counted(len(self.layers), 'layer')}, {told_size(self.size)}; {percent(self.error)} of their "
                f"difference is lost by the rank (most of {worst.name}: {percent(worst.error)}), {percent(self.rounding)} by rounding."
                f"{outside}{same}")


def extract_lora(settings: ExtractSettings, progress: Progress = SILENT) -> ExtractReport:
    """Write a LoRA that makes the trained model of the base, as far as its rank can; both files are read tensor by tensor.

    Raises: ModelError: no base models, of different families, quantized, without a difference, or with values that are no numbers.
        ConfigError: the target is taken. DiskError, Cancelled: nothing is written.
    """
    device = chosen_device(settings.device)
    paths = typed_path(settings.base), typed_path(settings.tuned)
    target = free_target(settings.usual_target(), settings.save_to)
    base, tuned, family, wanted = _opened(settings)
    differing = _differing(base, tuned, wanted, progress)
    if not differing:
        raise ModelError(f"{paths[0].name} and {paths[1].name} do not differ in any layer that takes a LoRA.")
    named = {names_of(place.slot, "kohya", family)[0]: place for place in differing}

    def make(layer: NewLayer) -> MadeLayer:
        place = named[layer.name]
        change = place.weight(tuned).to(device).float() - place.weight(base).to(device).float()
        if not is_finite(change):
            raise ModelError(f"{place.key} holds {broken_words(change)} in one of the files.", "One of the models is broken.")
        found = sketch(change.flatten(1), layer.rank, settings.oversampling, settings.iterations)
        base.release()
        tuned.release()
        return MadeLayer(found.factors, found.norm, found.error)

    layers = []
    for name, place in named.items():
        shape = place.shape(base)
        kind = PRECISIONS.get(settings.save_precision) or tuned.places[place.key].dtype
        layers.append(NewLayer(name, shape, _rank(base, place, settings), kind, kohya_names(name), min(shape[0], math.prod(shape[1:]))))
    with taken(target), NewLayers(layers, make, device) as new:
        metadata = _metadata(family, settings, (base, tuned))
        write_safetensors(target, new.tensors(), metadata, hashes=True, replace=False, progress=progress)
    others, outside = _outside(base, tuned, {place.key for place in differing})
    inside = sum(norm ** 2 for norm, _ in new.made.values())
    share = math.sqrt(outside / (inside + outside)) if outside else 0.0
    return ExtractReport(file=str(target), size=target.stat().st_size, error=new.error(), rounding=new.rounding(), layers=new.plans(),
                         outside=share, others=tuple(others), same=len(wanted) - len(differing))


def most_bytes(settings: ExtractSettings) -> int:
    """What the tensors of the new file take if every layer differs; headers alone are read. Raises: ModelError: as `extract_lora`."""
    base, tuned, _, wanted = _opened(settings)
    size = 0
    for place in wanted:
        shape = place.shape(base)
        kind = PRECISIONS.get(settings.save_precision) or tuned.places[place.key].dtype
        size += DTYPES[kind] * (_rank(base, place, settings) * (shape[0] + math.prod(shape[1:])) + 1)
    return size


def _opened(settings: ExtractSettings) -> tuple[TensorFile, TensorFile, str, list[WeightPlace]]:
    """Both models, their family, and the layers that are compared.

    Raises: ModelError: no base models, of different families, or quantized.
    """
    paths = typed_path(settings.base), typed_path(settings.tuned)
    family, other = (family_of_checkpoint(path) for path in paths)
    if family != other:
        raise ModelError(f"{paths[0].name} is {TITLES[family]}, {paths[1].name} is {TITLES[other]}.", "Choose two of one family.")
    base, tuned = (TensorFile(path) for path in paths)
    for file in (base, tuned):
        refuse_scaled(file)
    places = list(places_in(base, family))
    same_layers(base, tuned, places)
    wanted = [place for place in places if takes_lora(place.slot, family) and (settings.text_encoders or not place.slot.text)
              and _rank(base, place, settings)]
    return base, tuned, family, wanted


def _rank(file: TensorFile, place: WeightPlace, settings: ExtractSettings) -> int:
    """0: the layer is left out."""
    shape = place.shape(file)
    large = len(shape) > 2 and math.prod(shape[2:]) > 1
    rank = settings.new_conv_rank if large and settings.new_conv_rank is not None else settings.new_rank
    return min(rank, shape[0], math.prod(shape[1:]))


def _differing(base: TensorFile, tuned: TensorFile, places: Sequence[WeightPlace], progress: Progress) -> list[WeightPlace]:
    found = []
    for place in progress.track(places, "Comparing"):
        if not _same(place.weight(base), place.weight(tuned)):
            found.append(place)
        base.release()
        tuned.release()
    return found


def _same(one: object, two: object) -> bool:
    import torch

    assert isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor)
    return torch.equal(one, two) if one.dtype == two.dtype else torch.equal(one.float(), two.float())


def _outside(base: TensorFile, tuned: TensorFile, inside: set[str]) -> tuple[list[str], float]:
    """Tensors that differ but are no layers of the LoRA, and the square of their difference's norm."""
    names, total = sorted(set(base.places) ^ set(tuned.places)), 0.0
    for key, place in base.places.items():
        other = tuned.places.get(key)
        if key in inside or other is None or place.dtype not in FLOATS or other.shape != place.shape:
            continue
        one, two = base.tensor(key), tuned.tensor(key)
        if not _same(one, two):
            names.append(key)
            total += float((two.float() - one.float()).square().sum())
        base.release()
        tuned.release()
    return names, total


def _metadata(family: str, settings: ExtractSettings, files: tuple[TensorFile, TensorFile]) -> dict[str, str]:
    version = next((start for start, name in VERSIONS if name == family), "")
    told = [{"name": file.path.name, "weight": weight} for file, weight in zip(files, (-1, 1), strict=True)]
    rank = str(settings.new_rank)
    return {"ss_network_module": "networks.lora", "ss_network_dim": rank, "ss_network_alpha": rank, "ss_base_model_version": version,
            "ss_sd_model_name": files[0].path.name, "ss_training_comment": f"extracted: {files[1].path.stem} - {files[0].path.stem}",
            SOURCES: json.dumps({"method": "extract", "files": told})}
