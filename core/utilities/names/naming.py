"""The three ways in which LoRA files name a base model's layers, layer by layer: sd-scripts', ComfyUI's, and that of diffusers and PEFT.

sd-scripts and ComfyUI follow the original layout (SD 1.5 and SD 2 aside, where sd-scripts has diffusers' names); there transformers hold
queries, keys and values in one layer, of which diffusers makes three.

Sources: kohya-ss/sd-scripts at 48d368fa (networks/lora*.py), Comfy-Org/ComfyUI (comfy/lora.py), diffusers 0.42 (lora_conversion_utils.py,
single_file_utils.py: swap_scale_shift, and fused layers of FLUX and SD3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from core.utilities.names.architectures import ORIGINAL, TRANSFORMERS, UNETS, original_name, text_layers, unet_layers

Naming = Literal["kohya", "diffusers", "comfy"]


@dataclass(frozen=True)
class Slot:
    """One layer in the original layout, and what diffusers has in its place."""

    original: str
    parts: tuple[str, ...]
    """diffusers' names; several where it has divided the layer's outputs."""
    text: int = 0
    """Which CLIP text encoder, counted from 1; 0: the U-Net or transformer."""
    widths: tuple[int, ...] = (1,)
    """How the outputs are divided, relative to each other."""
    swapped: bool = False
    """Whether diffusers has the two halves of the outputs the other way round (shift and scale of the last norm)."""


_FLUX_TOP = {"img_in": "x_embedder", "txt_in": "context_embedder", "final_layer.linear": "proj_out",
             "final_layer.adaLN_modulation.1": "norm_out.linear"}
_EMBEDDERS = {"time_in": "timestep", "vector_in": "text", "guidance_in": "guidance"}
_QKV, _ADDED = ("attn.to_q", "attn.to_k", "attn.to_v"), ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")
_ENDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "flux1": {"img_attn.qkv": _QKV, "txt_attn.qkv": _ADDED, "img_attn.proj": ("attn.to_out.0",), "txt_attn.proj": ("attn.to_add_out",),
              "img_mlp.0": ("ff.net.0.proj",), "img_mlp.2": ("ff.net.2",), "txt_mlp.0": ("ff_context.net.0.proj",),
              "txt_mlp.2": ("ff_context.net.2",), "img_mod.lin": ("norm1.linear",), "txt_mod.lin": ("norm1_context.linear",),
              "linear1": (*_QKV, "proj_mlp"), "linear2": ("proj_out",), "modulation.lin": ("norm.linear",)},
    "flux2": {"img_attn.qkv": _QKV, "txt_attn.qkv": _ADDED, "img_attn.proj": ("attn.to_out.0",), "txt_attn.proj": ("attn.to_add_out",),
              "img_mlp.0": ("ff.linear_in",), "img_mlp.2": ("ff.linear_out",), "txt_mlp.0": ("ff_context.linear_in",),
              "txt_mlp.2": ("ff_context.linear_out",), "linear1": ("attn.to_qkv_mlp_proj",), "linear2": ("attn.to_out",)},
    "sd3": {"x_block.attn.qkv": _QKV, "context_block.attn.qkv": _ADDED, "x_block.attn.proj": ("attn.to_out.0",),
            "context_block.attn.proj": ("attn.to_add_out",), "x_block.mlp.fc1": ("ff.net.0.proj",), "x_block.mlp.fc2": ("ff.net.2",),
            "context_block.mlp.fc1": ("ff_context.net.0.proj",), "context_block.mlp.fc2": ("ff_context.net.2",),
            "x_block.adaLN_modulation.1": ("norm1.linear",), "context_block.adaLN_modulation.1": ("norm1_context.linear",),
            "x_block.attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"), "x_block.attn2.proj": ("attn2.to_out.0",)}}
_BLOCKS = {"double_blocks": "transformer_blocks", "single_blocks": "single_transformer_blocks", "joint_blocks": "transformer_blocks"}
_SD3_TOP = {"x_embedder.proj": "pos_embed.proj", "context_embedder": "context_embedder", "final_layer.linear": "proj_out",
            "final_layer.adaLN_modulation.1": "norm_out.linear",
            **{f"{one}_embedder.mlp.{place}": f"time_text_embed.{two}_embedder.linear_{number}"
               for one, two in (("t", "timestep"), ("y", "text")) for place, number in ((0, 1), (2, 2))}}


@lru_cache(maxsize=8)
def slots_of(family: str, last_block: int = 0) -> tuple[Slot, ...]:
    """Every layer of a family. Args: last_block: of SD3, which of its sizes it is: how many blocks; 0: the largest."""
    return (*(_unet(family) if family in UNETS else _transformer(family, last_block)), *_texts(family))


def _unet(family: str) -> Iterator[Slot]:
    for name in unet_layers(family):
        yield Slot(original_name(family, name), (name,))


def _texts(family: str) -> Iterator[Slot]:
    for number, layers in enumerate(text_layers(family), 1):
        for name in layers:
            yield Slot(f"text_model.encoder.{name}", (f"text_model.encoder.{name}",), number)


def _transformer(family: str, last_block: int) -> Iterator[Slot]:
    kind = "flux2" if family.startswith("flux2") else family
    blocks, rest = ORIGINAL[kind]
    counts = [max(sizes) for sizes in zip(*TRANSFORMERS[family], strict=True)]
    for count, (block, ends) in zip(counts, blocks.items(), strict=False):
        for number in range(count):
            for end in ends:
                if end not in _ENDS[kind]:
                    continue  # SD3's text has no second attention
                parts = tuple(f"{_BLOCKS[block]}.{number}.{part}" for part in _ENDS[kind][end])
                last = kind == "sd3" and end == "context_block.adaLN_modulation.1" and number == (last_block or count) - 1
                yield Slot(f"{block}.{number}.{end}", parts, 0, (1, 1, 1, 4) if len(parts) == 4 else (1,) * len(parts), last)
    for name in rest:
        yield Slot(name, (_top(kind, name),), swapped=name == "final_layer.adaLN_modulation.1")


def _top(kind: str, name: str) -> str:
    if kind == "sd3":
        return _SD3_TOP[name]
    if name in _FLUX_TOP:
        return _FLUX_TOP[name]
    head, _, tail = name.partition(".")
    if head in _EMBEDDERS:
        number = 1 if tail == "in_layer" else 2
        return f"time_{'guidance' if kind == 'flux2' else 'text'}_embed.{_EMBEDDERS[head]}_embedder.linear_{number}"
    return f"{name}ear"  # FLUX.2: …modulation.lin and …modulation.linear


def names_of(slot: Slot, naming: Naming, family: str) -> tuple[str, ...]:
    """The modules of a layer as files of a naming call them: one, or of diffusers as many as it has parts."""
    texts = len(text_layers(family))
    if slot.text:
        plain = {"kohya": f"lora_te{slot.text if texts > 1 or family == 'flux1' else ''}_{slot.original.replace('.', '_')}",
                 "diffusers": f"text_encoder{'' if slot.text == 1 else '_2'}.{slot.original}",
                 "comfy": f"text_encoders.clip_{'h' if family == 'sd2' else 'lg'[slot.text - 1]}.transformer.{slot.original}"}
        return (plain[naming],)
    if naming == "diffusers":
        return tuple(f"{'unet' if family in UNETS else 'transformer'}.{part}" for part in slot.parts)
    if naming == "comfy":
        return (f"diffusion_model.{slot.original}",)
    return (f"lora_unet_{(slot.parts[0] if family in ('sd15', 'sd2') else slot.original).replace('.', '_')}",)


def has_diffusers_rows(name: str, slot: Slot) -> bool:
    """Whether a module of that name has its outputs as diffusers has them: whoever names it, where the name is diffusers' own."""
    return name.replace(".", "_").endswith(slot.parts[0].replace(".", "_"))


@lru_cache(maxsize=8)
def places_of(family: str, last_block: int = 0) -> Mapping[str, tuple[Slot, int]]:
    """Every name under which a module is known, to its layer and which of diffusers' parts it is; -1: the whole of several."""
    found: dict[str, tuple[Slot, int]] = {}
    for slot in slots_of(family, last_block):
        whole = -1 if len(slot.parts) > 1 else 0
        for naming in ("kohya", "comfy"):
            found[names_of(slot, naming, family)[0]] = (slot, whole)
        for number, name in enumerate(names_of(slot, "diffusers", family)):
            part = slot.parts[number]
            found[name] = (slot, number)
            if slot.text:
                found.setdefault(f"lora_te{slot.text}_{part.replace('.', '_')}", (slot, whole))
                if slot.text == 1:
                    found.setdefault(f"lora_te_{part.replace('.', '_')}", (slot, whole))
                continue
            old = part.replace(".to_", ".processor.to_")
            others = (part, f"base_model.model.{part}", f"lora_transformer_{part.replace('.', '_')}", f"lycoris_{part.replace('.', '_')}",
                      f"unet.{old}", f"unet.{old.removesuffix('.0') if part.endswith('.to_out.0') else old}")
            for other in others:
                found.setdefault(other, (slot, number))
        if not slot.text:
            found.setdefault(f"lora_unet_{slot.original.replace('.', '_')}", (slot, whole))
            if len(slot.parts) == 1:
                found.setdefault(f"lora_unet_{slot.parts[0].replace('.', '_')}", (slot, whole))
    return found
