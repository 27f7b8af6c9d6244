"""A LoRA file under other names (sd-scripts', diffusers', ComfyUI's), in another precision, or with LoHa and LoKr made LoRA."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from core.base.errors import ModelError
from core.base.findings import Finding
from core.base.progress import SILENT, Progress
from core.base.settings import setting
from core.base.tensor_headers import TensorPlace
from core.base.words import counted, told_size
from core.utilities import choices
from core.utilities.choices import PRECISIONS, LoraSettings, Precision
from core.utilities.files.derived import PARTS, Step, carried
from core.utilities.files.lora_file import FLOATS, TORCH_TYPES, LoraFile, open_lora
from core.utilities.files.modules import LoraModule
from core.utilities.files.targets import beside, free_target, taken
from core.utilities.files.writing import NewTensor, bytes_of, new_tensor, write_safetensors
from core.utilities.layers.new_layers import MadeLayer, NewLayer, NewLayers, names_like
from core.utilities.layers.parallel import one_thread
from core.utilities.layers.pieces import pieces
from core.utilities.layers.plans import KEPT, percent
from core.utilities.layers.products import added, columns_of, cut_to, factors_of
from core.utilities.layers.updates import Computing, broken_words, chosen_device, is_finite, weight_shape
from core.utilities.names.family import DEMO, family_of, family_title
from core.utilities.names.renamed import Plan, parts_of, plan_names
from core.utilities.names.renamed_layer import ENDINGS, Renamed
from core.utilities.names.unnamed import unnamed_finding

if TYPE_CHECKING:
    import torch

CLIP = "text_model."
"""With it begin the layers of CLIP before transformers 5, and in LoRA files also after it."""
NAMED = re.compile(r"(?<=.)(-(kohya|diffusers|comfy))+$")
"""What a conversion put to a file's name."""
KNOWN = ("sd15", "sd2", "sdxl", "flux1", "flux2_dev", "flux2_klein", "sd3")


class ConvertSettings(LoraSettings):
    """What becomes of a file."""

    title: ClassVar[str] = "Convert a LoRA"
    naming: Literal["same", "kohya", "diffusers", "comfy"] = setting(
        "same", "Names", "Whose names the layers get: of sd-scripts, A1111 and Forge, which ComfyUI reads too (kohya), of diffusers and "
        "PEFT (diffusers), or ComfyUI's own, with dots (comfy).")
    to_lora: bool = setting(False, "LoHa and LoKr to LoRA", "Also Tucker's form; exact, so the ranks grow: resize afterwards.")
    fold_alpha: bool = setting(False, "Alpha into the factors", "Every program then reads it, but values are rounded. Off: it stands in "
                               "diffusers' settings where factors cannot hold it exactly.", only={"naming": ("diffusers",)})
    save_precision: Precision = choices.precision(level="basic")
    save_to: str = choices.save_to("with what it became in its name", "the file")

    def usual_target(self) -> Path:
        """Where the result goes when nothing is said: names that the file's own name tells are not told twice. Raises: ConfigError."""
        if self.naming != "same":
            place = beside(self.file, "")
            return place.with_stem(f"{NAMED.sub('', place.stem)}-{self.naming}")
        return beside(self.file, f"-{self.save_precision}" if self.save_precision != "same" else "-lora" if self.to_lora else "-copy")


@dataclass(frozen=True)
class ConvertReport:
    """What was written."""

    file: str
    naming: str
    size: int
    renamed: int
    """Layers of the new file under the other naming."""
    made_lora: int
    rounding: float
    """Root of the mean square of what another precision changed, relative to the values, or, of layers that were made LoRA and where that
    is more, relative to their updates; 0: not a bit was."""
    kept: tuple[str, ...]
    """Layers and tensors whose names nobody knows; they stand in the new file as they were."""
    notes: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    """Layers that kept their names, though others were asked for."""

    def sentence(self) -> str:
        """The report in words."""
        what = f"{counted(self.renamed, 'layer')} under the names of {self.naming}" if self.renamed else "names as they were"
        lora = f", {self.made_lora} made LoRA" if self.made_lora else ""
        rounding = f", rounding changed the values by {percent(self.rounding)}" if self.rounding else ""
        return " ".join([f"{Path(self.file).name}: {what}{lora}{rounding}, {told_size(self.size)}.", *map(str, self.findings), *self.notes])


def convert_lora(settings: ConvertSettings, progress: Progress = SILENT) -> ConvertReport:
    """Write a file that computes the same; the given one stays as it is.

    Raises: ModelError: no LoRA file, an unknown base model, a kind of layer that the other naming cannot say, or values that are no
        numbers. ConfigError: the target is taken. DiskError, Cancelled: nothing is written.
    """
    dtype, device = PRECISIONS.get(settings.save_precision, ""), chosen_device(settings.device)
    with open_lora(settings.file) as file:
        whole = [module for module in file.modules if is_made_lora(module)]
        target = free_target(settings.usual_target(), settings.save_to)
        if not settings.to_lora or not whole:
            return _renamed(file, target, settings, dtype, None, progress)
        if settings.naming == "same":
            return _made_lora(file, target, whole, dtype, device, settings.computing, progress)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part") as folder:
            between = Path(folder) / "lora.safetensors.part"  # housekeeping finds it where this process is killed
            first = _made_lora(file, between, whole, dtype, device, settings.computing, progress)
            with open_lora(between) as lora:
                report = _renamed(lora, target, settings, "", first, progress)
            return replace(report, rounding=max(first.rounding, report.rounding))


def is_made_lora(module: LoraModule) -> bool:
    """Whether a layer is a product, but not the plain one of a LoRA."""
    return module.kind in ("loha", "lokr") or (module.kind == "lora" and "mid" in module.tensors)


def _made_lora(file: LoraFile, target: Path, whole: list[LoraModule], dtype: str, device: str, computing: Computing,
               progress: Progress) -> ConvertReport:
    modules = {module.name: module for module in whole}

    def make(layer: NewLayer) -> MadeLayer:
        return MadeLayer(*cut_to(added([(factors_of(file, modules[layer.name], device, computing), 1.0)]), layer.rank))

    layers = []
    for module in whole:
        shape = weight_shape(module)
        rank = min(columns_of(module), shape[0], math.prod(shape[1:]))
        first = next(place for role, place in module.tensors.items() if role not in ("alpha", "scalar", *KEPT))
        layers.append(NewLayer(module.name, shape, rank, dtype or first.dtype, names_like(module), module.rank, module.words))
    rounding = Rounding()
    with taken(target), NewLayers(layers, make, device, file.release) as new:
        rest = [place for module in file.modules for role, place in module.tensors.items() if module.name not in modules or role in KEPT]
        tensors = [*new.tensors(), *(cast(file, place, dtype, rounding) for place in [*rest, *file.unknown])]
        metadata = carried(file.metadata, new_factors=True, made_lora=True, step=_step(file))
        write_safetensors(target, tensors, metadata, hashes=True, replace=False, progress=progress)
    return ConvertReport(str(target), "same", target.stat().st_size, 0, len(whole), max(rounding.share(), new.rounding()),
                         tuple(place.name for place in file.unknown), ())


def _renamed(file: LoraFile, target: Path, settings: ConvertSettings, dtype: str, first: ConvertReport | None,
             progress: Progress) -> ConvertReport:
    """Args: first: what became of the file before; of what it is made is noted then."""
    rounding, plan, family, naming = Rounding(), Plan(kept=file.modules), "", settings.naming
    if naming != "same":
        family = family_of(file.modules, file.metadata).name.replace("chroma", "flux1")
        _refuse_unknown(file, family)
        with one_thread():
            plan = plan_names(file, family, naming, settings.fold_alpha)
        if not plan.layers:
            raise ModelError(f"No layer of {file.path.name} has a name that {family_title(family)} has.", "Leave the names as they are.")
    tensors = [tensor for layer in plan.layers for tensor in tensors_of(file, layer, dtype, rounding)]
    kept = [place for module in plan.kept for place in module.tensors.values()]
    tensors += [cast(file, place, dtype, rounding) for place in [*kept, *file.unknown]]
    metadata = _metadata(file, plan, naming, family, is_first=first is None)
    with taken(target), one_thread():
        write_safetensors(target, tensors, metadata, hashes=True, replace=False, progress=progress)
    notes = []
    if told := sum(layer.told_alpha is not None for layer in plan.layers):
        notes.append(f"The alpha of {counted(told, 'layer')} stands in diffusers' settings, for the factors cannot hold it without "
                     "rounding: diffusers reads them, other programs do not.")
    if missing := file.missing_alpha():
        notes.append(f"{counted(len(missing), 'layer')} without an alpha: it counts as the rank.")
    left = plan.kept if naming != "same" else []
    findings = (unnamed_finding(target, left, naming, family),) if naming != "same" and left else ()
    made = first.made_lora if first is not None else 0
    return ConvertReport(str(target), naming, target.stat().st_size, len(plan.layers), made, rounding.share(),
                         (*(module.name for module in left), *(place.name for place in file.unknown)), tuple(notes), findings)


def _refuse_unknown(file: LoraFile, family: str) -> None:
    """Raises: ModelError: how other programs name the layers of that model is not known."""
    if family == DEMO:
        raise ModelError(f"{file.path.name} was made with {family_title(DEMO)}, which is in no other program: its layers have no other "
                         "names.", "Leave the names as they are; another precision can be had.")
    if family not in KNOWN:
        raise ModelError(f"The base model of {file.path.name} is {family_title(family) or 'not known'}: its names are not, either.",
                         f"Names are converted for {', '.join(map(family_title, KNOWN))}.")


@dataclass
class Rounding:
    """What another precision changed, summed over all values."""

    changed: float = 0.0
    whole: float = 0.0

    def share(self) -> float:
        """Relative."""
        return math.sqrt(self.changed / self.whole) if self.whole else 0.0

    def cast(self, tensor: torch.Tensor, dtype: str, name: str) -> torch.Tensor:
        """In another type. Raises: ModelError: a value is no number, or too large for it."""
        import torch

        kind: Any = getattr(torch, TORCH_TYPES[dtype])
        tensor = tensor.contiguous()
        new = torch.empty(tensor.shape, dtype=kind)
        wide = torch.float64 if tensor.element_size() == 8 else torch.float32
        for given, made in pieces(tensor, new):
            exact = given.to(wide)
            made.copy_(exact)
            back = made.to(wide)
            if not is_finite(back):
                if not is_finite(exact):
                    raise ModelError(f"{name} holds {broken_words(tensor.double())}: the training broke down.",
                                     "Use an earlier checkpoint of the run.")
                raise ModelError(f"{name} does not fit into {dtype}: its values are too large.", "Choose the precision bf16 or float.")
            self.changed += float(torch.linalg.vector_norm(back.sub_(exact), dtype=torch.float64)) ** 2
            self.whole += float(torch.linalg.vector_norm(exact, dtype=torch.float64)) ** 2
        return new


def cast(file: LoraFile, place: TensorPlace, dtype: str, rounding: Rounding) -> NewTensor:
    """A tensor as it is, or in another type where it holds numbers."""
    if not dtype or place.dtype == dtype or place.dtype not in FLOATS:
        return new_tensor(place.name, place.dtype, place.shape, partial(file.view, place.name))
    return new_tensor(place.name, dtype, place.shape, lambda: bytes_of(rounding.cast(file.tensor(place.name), dtype, place.name)))


def tensors_of(file: LoraFile, layer: Renamed, dtype: str, rounding: Rounding) -> Iterator[NewTensor]:
    """The tensors of a layer under its new name; none is made yet."""
    import torch

    first = layer.pieces[0][0].module
    names = {role: layer.name + end for role, end in ENDINGS[layer.naming].items()}
    for role, shape in (("up", (layer.outputs, layer.rank)), ("down", (layer.rank, *first.tensors["down"].shape[1:]))):
        place = first.tensors[role]
        size = (*shape, *place.shape[2:]) if role == "up" else shape
        yield new_tensor(names[role], dtype or place.dtype, size, partial(_factor, file, layer, role, dtype, rounding, names[role]))
    if layer.has_bias():
        kind = dtype or first.tensors["up"].dtype
        yield new_tensor(names["bias"], kind, (layer.outputs,), lambda: bytes_of(rounding.cast(layer.bias(file), kind, names["bias"])))
    if layer.alpha is not None and "alpha" in names:
        kind = dtype or layer.alpha[1]
        yield new_tensor(names["alpha"], kind, (), partial(
            lambda value, kind: bytes_of(torch.tensor(value).to(getattr(torch, TORCH_TYPES[kind]))), layer.alpha[0], kind))


def _factor(file: LoraFile, layer: Renamed, role: str, dtype: str, rounding: Rounding, name: str) -> memoryview:
    file.release()
    place = layer.pieces[0][0].module.tensors[role]
    if role == "down" and layer.naming == "diffusers" and any(piece.fold != 1 for piece, _ in layer.pieces):
        return bytes_of(rounding.cast(layer.down(file, exact=True), dtype or place.dtype, name))
    tensor = layer.up(file) if role == "up" else layer.down(file)
    return bytes_of(rounding.cast(tensor, dtype, name) if dtype and dtype != place.dtype else tensor)


def _metadata(file: LoraFile, plan: Plan, naming: str, family: str, is_first: bool) -> dict[str, str]:
    """What the file said, and what the way back needs. Args: is_first: of what it is made is not noted yet."""
    new = carried(file.metadata, new_factors=naming != "same", step=_step(file) if is_first else None)
    if naming == "same":
        return new
    notes = {**plan.notes, **({PARTS: parts} if naming != "diffusers" and (parts := parts_of(plan, file, family)) else {})}
    new |= {key: json.dumps(value) for key, value in notes.items()}
    if any(layer.told_alpha is not None for layer in plan.layers):
        new["lora_adapter_metadata"] = json.dumps(peft_settings(plan.layers))
    return new


def _step(file: LoraFile) -> Step:
    """Of what the new file is made. The whole file is read for it, so that it is asked for when nothing can be refused any more."""
    return Step(file.path.name, file.tensors_hash(), "convert")


def peft_settings(layers: list[Renamed]) -> Mapping[str, Any]:
    """Ranks and alphas as diffusers keeps PEFT's LoraConfig in a file (loaders/lora_base.py, _pack_dict_with_prefix).

    PEFT takes the ends of layers' names, so that those of text encoders fit with CLIP's own beginning and without it.
    """
    found: dict[str, Any] = {}
    parts: dict[str, list[Renamed]] = {}
    for layer in layers:
        parts.setdefault(layer.name.partition(".")[0], []).append(layer)
    for part, own in parts.items():
        inner = {layer.name.partition(".")[2].removeprefix(CLIP): layer for layer in own}
        first = own[0].rank
        found |= {f"{part}.r": first, f"{part}.lora_alpha": first, f"{part}.target_modules": sorted(inner),
                  f"{part}.rank_pattern": {name: layer.rank for name, layer in inner.items()},
                  f"{part}.alpha_pattern": {name: layer.rank if layer.told_alpha is None else layer.told_alpha
                                            for name, layer in inner.items()}}
    return found


