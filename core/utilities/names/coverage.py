"""Will it load? Which of a file's layers each program finds a place for, by the rules with which it reads names.

Sources: AUTOMATIC1111/stable-diffusion-webui, extensions-builtin/Lora/networks.py (convert_diffusers_name_to_compvis, load_network) and its
network_*.py; lllyasviel/stable-diffusion-webui-forge at dfdcbab, packages_3rdparty/comfyui_lora_collection/lora.py; Comfy-Org/ComfyUI,
comfy/lora.py (model_lora_keys_unet, model_lora_keys_clip) and comfy/weight_adapter; diffusers 0.42, loaders/lora_pipeline.py and
lora_conversion_utils.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from core.base.tensor_headers import TensorPlace
from core.base.words import counted
from core.utilities.files.modules import LoraModule
from core.utilities.names.architectures import TRANSFORMERS, UNETS, original_name, text_layers, transformer_layers, unet_layers
from core.utilities.names.family import DEMO

Program = Literal["A1111", "Forge", "ComfyUI", "diffusers"]
PROGRAMS: tuple[Program, ...] = ("A1111", "Forge", "ComfyUI", "diffusers")
FAMILIES: Mapping[Program, tuple[str, ...]] = {
    "A1111": ("sd15", "sd2", "sdxl"), "Forge": ("sd15", "sd2", "sdxl", "flux1"),
    "ComfyUI": ("sd15", "sd2", "sdxl", "flux1", "flux2_dev", "flux2_klein", "sd3"),
    "diffusers": ("sd15", "sd2", "sdxl", "flux1", "flux2_dev", "flux2_klein", "sd3")}
"""Families whose names are known here for each program."""
KINDS: Mapping[Program, tuple[str, ...]] = {
    "A1111": ("lora", "loha", "lokr", "glora", "ia3", "oft", "boft", "full", "norm"),
    "Forge": ("lora", "loha", "lokr", "glora", "full", "norm"),
    "ComfyUI": ("lora", "loha", "lokr", "glora", "oft", "boft", "full", "norm"), "diffusers": ("lora",)}
"""Kinds of layers that each program computes with."""
T5 = re.compile(r"lora_te[23]_encoder_block_\d+_layer_\d+_\w+")
"""T5's layers, which only ComfyUI and Forge read."""
EXAMPLES = 5
ONLY_HERE = "Lorabook's demo model is in no other program."


@dataclass(frozen=True)
class Coverage:
    """How much of a file a program would use."""

    program: Program
    loaded: int
    """Layers."""
    total: int
    missing: tuple[str, ...]
    """Some of the names that it finds no place for."""
    reason: str
    """Why not all, in a sentence; empty: all."""


def coverage_of(modules: Sequence[LoraModule], unknown: Sequence[TensorPlace], family: str) -> list[Coverage]:
    """For each program. Args: family: as `Family.name`; chroma's layers are those of flux1."""
    family = "flux1" if family == "chroma" else family
    return [_coverage(program, modules, unknown, family) for program in PROGRAMS]


def _coverage(program: Program, modules: Sequence[LoraModule], unknown: Sequence[TensorPlace], family: str) -> Coverage:
    if family not in FAMILIES[program]:
        return Coverage(program, 0, len(modules), (), ONLY_HERE if family == DEMO else "Its names for this model are not known here."
                        if family else "The model that the file was made for is not known.")
    names = accepted(program, family)
    strange = [module for module in modules if not _is_known(program, module, names)]
    kinds = [module for module in modules if module not in strange and module.kind not in KINDS[program]]
    left = [*strange, *kinds]
    reasons = []
    if strange:
        reasons.append(f"It finds no place for {len(strange)}, such as {strange[0].name}.")
    if kinds:
        reasons.append(f"It does not compute with {', '.join(sorted({module.words for module in kinds}))}.")
    if program == "diffusers" and any(module.is_dora for module in modules):
        reasons.append("It leaves out DoRA's lengths, so the pictures differ.")
    kohya = [module for module in modules if module.scheme == "kohya"]
    if program == "diffusers" and kohya and len(kohya) < len(modules) and family in UNETS:
        reasons.append(f"It passes over the {counted(len(kohya), 'layer')} under sd-scripts' names, for others stand in the same file.")
        left = [module for module in modules if module in left or module in kohya]
    elif program == "diffusers" and (left or unknown) and kohya:
        reasons.append("It refuses a whole file of these names where it does not know one tensor.")
        left = list(modules)
    return Coverage(program, len(modules) - len(left), len(modules), tuple(module.name for module in left[:EXAMPLES]), " ".join(reasons))


def _is_known(program: Program, module: LoraModule, names: frozenset[str]) -> bool:
    """Whether a program finds the layer by its name, and reads how its tensors end."""
    if program == "A1111" and module.kind == "lora" and not module.tensors["up"].name.endswith(".lora_up.weight"):
        return False
    if module.kind in ("norm", "full") and module.scheme == "kohya":
        return program != "diffusers"
    return module.name in names or (program in ("ComfyUI", "Forge") and bool(T5.fullmatch(module.name)))


@lru_cache(maxsize=32)
def accepted(program: Program, family: str) -> frozenset[str]:
    """Names of layers that a program finds a place for."""
    if family in UNETS:
        layers = [(name, original_name(family, name)) for name in unet_layers(family)]
        return frozenset([*_unet(program, layers), *_texts(program, family)])
    return frozenset([*_transformer(program, family), *_texts(program, family)]) if family in TRANSFORMERS else frozenset()


def _unet(program: Program, layers: Iterable[tuple[str, str]]) -> Iterable[str]:
    for name, original in layers:
        plain = name.replace(".", "_")
        yield f"lora_unet_{plain}"
        yield f"lora_unet_{original.replace('.', '_')}"
        if program in ("ComfyUI", "Forge"):
            old = name.replace(".to_", ".processor.to_").removesuffix(".0" if name.endswith(".to_out.0") else "")
            yield from (f"diffusion_model.{original}", f"lycoris_{plain}", old, f"unet.{old}")
        if program == "diffusers":
            yield from (f"unet.{name}", f"unet.{name.replace('.to_', '.processor.to_')}", name)
            if name.endswith(".to_out.0"):
                yield f"unet.{name.replace('.to_out.0', '.processor.to_out')}"


def _texts(program: Program, family: str) -> Iterable[str]:
    for number, layers in enumerate(text_layers(family), 1):
        kohya = {1: ("lora_te_", "lora_te1_"), 2: ("lora_te2_",)}[number]
        if program == "A1111" and family == "sdxl" and number == 1:
            kohya = ("lora_te1_",)
        for name in layers:
            inner = f"text_model.encoder.{name}"
            yield from (f"{prefix}{inner.replace('.', '_')}" for prefix in kohya)
            if program != "A1111":
                yield f"text_encoder{'' if number == 1 else '_2'}.{inner}"
            if program == "ComfyUI":
                yield f"text_encoders.clip_{'h' if family == 'sd2' else 'lg'[number - 1]}.transformer.{inner}"


def _transformer(program: Program, family: str) -> Iterable[str]:
    is_flux2 = family.startswith("flux2")
    for name in transformer_layers(family, diffusers=False):
        plain = name.replace(".", "_")
        if program != "diffusers" or family != "sd3":
            yield f"lora_unet_{plain}"
        if program != "diffusers" or is_flux2:
            yield f"diffusion_model.{name}"
    for name in transformer_layers(family, diffusers=True):
        plain = name.replace(".", "_")
        yield f"transformer.{name}"
        if program in ("ComfyUI", "Forge"):
            yield from (f"lycoris_{plain}", f"lora_transformer_{plain}")
        if program == "ComfyUI":
            yield f"base_model.model.{name}" if family == "sd3" else name
        if program == "diffusers" and family == "flux1":
            yield f"lora_transformer_{plain}"
