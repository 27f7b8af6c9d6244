"""The layers of a base model in a single file of the original layout: which tensor, and which of its rows, a LoRA's layer works on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import ModelError
from core.diffusion.kinds import TITLES, kind_of
from core.diffusion.names import open_clip_name
from core.utilities.files.lora_file import TensorFile
from core.utilities.names.architectures import UNETS, is_trained, original_name, text_layers, unet_layers
from core.utilities.names.naming import Naming, Slot, names_of, slots_of

if TYPE_CHECKING:
    import torch

FAMILIES = ("sd15", "sd2", "sdxl", "flux1", "flux2_dev", "flux2_klein", "sd3")
MODEL = ("model.diffusion_model.", "diffusion_model.", "")
"""What stands before the names of the U-Net or transformer."""
CLIP = {("sd15", 1): "cond_stage_model.transformer.", ("sdxl", 1): "conditioner.embedders.0.transformer.",
        ("sd3", 1): "text_encoders.clip_l.transformer.", ("sd3", 2): "text_encoders.clip_g.transformer."}
OPEN_CLIP = {("sd2", 1): "cond_stage_model.model.", ("sdxl", 2): "conditioner.embedders.1.model."}
"""What stands before a text encoder's names, by family and number; OpenCLIP's have queries, keys and values in one."""
SCALES = (".scale_weight", ".weight_scale", ".comfy_quant", ".weight.absmax", ".weight.quant_map", ".SCB")
"""Ends of tensors beside weights that mean their values only together with them (ComfyUI's QUANTIZATION.md, musubi-tuner, bitsandbytes)."""
NORMS: Mapping[str, str] = {"conv1": "norm1", "conv2": "norm2", "proj_in": "norm", "attn1.to_q": "norm1", "attn2.to_q": "norm2",
                            "ff.net.0.proj": "norm3", "conv_out": "conv_norm_out"}
"""Ends of a U-Net's layers in diffusers and the norm layer before each."""
NAMINGS: tuple[Naming, ...] = ("kohya", "diffusers", "comfy")


@dataclass(frozen=True)
class WeightPlace:
    """A layer's weight in a checkpoint."""

    slot: Slot
    key: str
    third: int | None
    """Which third of the rows; None: all."""

    @property
    def bias(self) -> str:
        """What the bias beside it would be called."""
        return self.key.removesuffix("weight") + "bias"

    def rows(self, count: int) -> tuple[int, int]:
        """Args: count: of the whole tensor."""
        return (0, count) if self.third is None else (self.third * count // 3, (self.third + 1) * count // 3)

    def shape(self, file: TensorFile) -> tuple[int, ...]:
        """Of its rows; by the header alone."""
        count, *others = file.places[self.key].shape
        begin, end = self.rows(count)
        return (end - begin, *others)

    def weight(self, file: TensorFile) -> torch.Tensor:
        """As it lies in the file, memory-mapped."""
        begin, end = self.rows(file.places[self.key].shape[0])
        return file.tensor(self.key)[begin:end]


def family_of_checkpoint(path: Path) -> str:
    """A name of FAMILIES. Raises: ModelError: no base model, or none whose layers are known here."""
    family = kind_of(path).family.replace("chroma", "flux1")
    if family not in FAMILIES or path.is_dir():
        what = "a folder" if path.is_dir() else TITLES.get(family, family)
        raise ModelError(f"{path.name} is {what}, which is not opened here.", f"Choose one .safetensors file of {', '.join(FAMILIES)}.")
    return family


def refuse_scaled(file: TensorFile) -> None:
    """Raises: ModelError: the weights are packed, or stand there divided by scales of their own, as in fp8_scaled files."""
    found = next((name for name in file.places if name.endswith(SCALES) or name.rpartition(".")[2] == "scaled_fp8"), "")
    if found:
        raise ModelError(f"{file.path.name} holds quantized weights with scales of their own ({found}), which are not computed with here.",
                         "Choose the model in fp16 or bf16, or in plain fp8.")


def places_in(file: TensorFile, family: str) -> Iterator[WeightPlace]:
    """Every layer of a family that the file has in the original layout."""
    joint = [int(name.partition("joint_blocks.")[2].partition(".")[0]) for name in file.places if "joint_blocks." in name]
    last = 1 + max(joint, default=-1)
    yield from _found(file, family, slots_of(family, last if family == "sd3" else 0))


def norms_in(file: TensorFile, family: str) -> dict[str, WeightPlace]:
    """The norm layers of U-Nets and CLIP text encoders that the file has, by every name that LoRA files have for them."""
    slots = [Slot(original_name(family, name), (name,)) for name in _unet_norms(family)] if family in UNETS else []
    for number, layers in enumerate(text_layers(family), 1):
        blocks = dict.fromkeys(".".join(name.split(".")[:2]) for name in layers)
        inner = [f"encoder.{block}.layer_norm{one}" for block in blocks for one in (1, 2)]
        slots += [Slot(f"text_model.{name}", (f"text_model.{name}",), number) for name in (*inner, "final_layer_norm")]
    found: dict[str, WeightPlace] = {}
    for place in _found(file, family, slots):
        part = place.slot.parts[0].replace(".", "_")
        names = [names_of(place.slot, naming, family)[0] for naming in NAMINGS]
        names += [f"lora_te{place.slot.text}_{part}", *([f"lora_te_{part}"] if place.slot.text == 1 else [])] if place.slot.text else \
            [f"lora_unet_{part}", f"lora_unet_{place.slot.original.replace('.', '_')}", f"lycoris_{part}"]
        found |= dict.fromkeys(names, place)
    return found


def _unet_norms(family: str) -> Iterator[str]:
    for name in unet_layers(family):
        for end, norm in NORMS.items():
            if name == end or name.endswith(f".{end}"):
                yield name.removesuffix(end) + norm


def _found(file: TensorFile, family: str, slots: Iterable[Slot]) -> Iterator[WeightPlace]:
    start = next((one for one in MODEL if any(name.startswith(f"{one}{kind}") for name in file.places for kind in
                                              ("input_blocks.", "double_blocks.", "joint_blocks."))), None)
    for slot in slots:
        key, third = _key(slot, family, start)
        if key in file.places:
            yield WeightPlace(slot, key, third)


def _key(slot: Slot, family: str, start: str | None) -> tuple[str, int | None]:
    if not slot.text:
        return f"{start}{slot.original}.weight", None
    if prefix := CLIP.get((family, slot.text)):
        return f"{prefix}{slot.original}.weight", None
    if prefix := OPEN_CLIP.get((family, slot.text)):
        name, _, part = open_clip_name(f"{slot.original}.weight").partition("#")
        return prefix + name, "qkv".index(part) if part else None
    return "", None


def takes_lora(slot: Slot, family: str) -> bool:
    """Whether trainers give the layer a LoRA and programs load one: in blocks, and convolutions around them."""
    if slot.text:
        return True
    return is_trained(slot.parts[0], convolutions=True) if family in UNETS else "blocks." in slot.original


def same_layers(base: TensorFile, tuned: TensorFile, places: Sequence[WeightPlace]) -> None:
    """Raises: ModelError: a layer has another shape in the second file, or is not there."""
    for place in places:
        one, two = base.places[place.key], tuned.places.get(place.key)
        if two is None or one.shape != two.shape:
            raise ModelError(f"{place.key} has the shape {list(one.shape)} in {base.path.name}, but "
                             f"{list(two.shape) if two else 'is not'} in {tuned.path.name}.", "They are different models.")
