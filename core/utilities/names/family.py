"""Which base model a LoRA file was made for: from names and shapes of its layers, and from what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.base.paths import DEMO_VERSION
from core.diffusion.kinds import FLUX2_WIDTHS, MARKS, TITLES
from core.training.importing.lora_values import VERSIONS
from core.utilities.files.modules import LoraModule

ATTENDED = {768: "sd15", 1024: "sd2", 2048: "sdxl"}
"""Width of the text that a U-Net attends to (`core.utilities.names.architectures.UNETS`)."""
ARCHITECTURES = (("stable-diffusion-v1", "sd15"), ("stable-diffusion-v2", "sd2"), ("stable-diffusion-xl", "sdxl"),
                 ("stable-diffusion-3", "sd3"), ("flux-1", "flux1"), ("flux-2", "flux2_dev"), ("chroma", "chroma"), ("lumina-2", "lumina2"),
                 ("hunyuan-image", "hunyuan_image"), ("anima", "anima"), ("qwen-image", "qwen_image"), ("z-image", "z_image"))
"""Beginnings of modelspec.architecture (kohya-ss/sd-scripts, library/sai_model_spec.py; musubi-tuner, utils/sai_model_spec.py)."""
DEMO = "demo"
"""The embedded model. Its layers bear names of SD 1.5, but it is built smaller: only the metadata tells it."""
SINGLE_IN_FLUX1 = 21504
"""Outputs of FLUX.1's single_blocks.linear1: three of attention and four of feed-forward times 3072; FLUX.2 has six of feed-forward."""


@dataclass(frozen=True)
class Family:
    """What a file was made for."""

    name: str
    """A name of `core.diffusion.kinds.TITLES`, or DEMO; empty: not known."""
    by: str
    """"names and shapes", "metadata"; empty: nothing tells it."""
    conflict: str = ""
    """What the metadata says instead, where it says another one."""

    @property
    def title(self) -> str:
        """"Stable Diffusion XL", "Lorabook's demo model", "an unknown model"."""
        return family_title(self.name) or "an unknown model"


def family_title(name: str) -> str:
    """How a person calls it; empty: it is not known."""
    return "Lorabook's demo model" if name == DEMO else TITLES.get(name, "")


def family_of(modules: Sequence[LoraModule], metadata: Mapping[str, str]) -> Family:
    """The family; where layers and metadata differ, the layers are right. Chroma and FLUX.1 have the same layers: the metadata tells."""
    built, told = by_layers(modules), by_metadata(metadata)
    if not built:
        return Family(told, "metadata" if told else "")
    if told in ("", built) or {built, told} == {"flux1", "chroma"} or (built.startswith("flux2") and told.startswith("flux2")):
        return Family(told or built, "names and shapes")
    if {built, told} == {"sd15", "sdxl"} and all(module.is_text for module in modules):
        return Family(told, "metadata")  # the first text encoder of SDXL is that of SD 1.5
    return Family(built, "names and shapes", family_title(told) or told)


def by_metadata(metadata: Mapping[str, str]) -> str:
    """The family that the training wrote down; empty: none that is known."""
    version = metadata.get("ss_base_model_version", "")
    if version == DEMO_VERSION:
        return DEMO
    for start, family in VERSIONS:
        if version.startswith(start):
            return family
    architecture = metadata.get("modelspec.architecture", "").lower()
    return next((family for start, family in ARCHITECTURES if architecture.replace(".", "-").startswith(start)), "")


def by_layers(modules: Sequence[LoraModule]) -> str:
    """The family that has such layers; empty: none that is known."""
    names = {module.name: module.name.replace(".", "_") for module in modules}
    plain = list(names.values())
    if any("_blocks_" in name and ("attn2_to_" in name or "_resnets_" in name or "input_blocks_" in name or "output_blocks_" in name
                                   or "down_blocks_" in name or "up_blocks_" in name) for name in plain):
        return _unet(modules, names)
    if any("double_blocks_" in name or "single_blocks_" in name or "single_transformer_blocks_" in name for name in plain):
        return _flux(modules, names)
    for mark, family in MARKS:
        if any(mark.rstrip(".").replace(".", "_") in name for name in plain):
            return family
    if any("transformer_blocks_" in name and "img_mlp" in name for name in plain):
        return "qwen_image"
    return _text_only(modules, plain)


def _unet(modules: Sequence[LoraModule], names: Mapping[str, str]) -> str:
    """By the width of the text that it attends to, else by blocks that only one has."""
    for module in modules:
        if len(module.shape) > 1 and names[module.name].replace("_processor", "").endswith(("attn2_to_k", "attn2_to_v")):
            return ATTENDED.get(module.shape[1], "")
    plain = names.values()
    if any(name.startswith(("lora_te2_", "text_encoder_2")) for name in plain) or any("transformer_blocks_9_" in name for name in plain):
        return "sdxl"
    return "sd15" if any("down_blocks_3_" in name or "up_blocks_3_" in name or "input_blocks_10_" in name for name in plain) else ""


def _flux(modules: Sequence[LoraModule], names: Mapping[str, str]) -> str:
    """FLUX.1 or which FLUX.2: by the outputs of its single blocks, else by layers that only one has."""
    if any("distilled_guidance_layer" in name for name in names.values()):
        return "chroma"
    for module in modules:
        name = names[module.name]
        if len(module.shape) < 2 or module.is_text:
            continue
        if name.endswith(("single_blocks_0_linear1", "to_qkv_mlp_proj")) or (name.endswith("_linear1") and "single_blocks" in name):
            return "flux1" if module.shape[0] == SINGLE_IN_FLUX1 else FLUX2_WIDTHS.get(module.shape[1], ("", ""))[0]
        if name.endswith(("img_mlp_0", "ff_net_0_proj", "ff_linear_in")):  # FLUX.2's is gated: twice as wide as the three that it has
            times = module.shape[0] // max(1, module.shape[1])
            return "flux1" if times == 4 else FLUX2_WIDTHS.get(module.shape[1], ("", ""))[0]
    widths = {module.shape[1] for module in modules if len(module.shape) > 1 and "img_attn_qkv" in names[module.name]}
    width = widths.pop() if len(widths) == 1 else 3072
    return FLUX2_WIDTHS[width][0] if width in (4096, 6144) else "flux1"


def _text_only(modules: Sequence[LoraModule], plain: Sequence[str]) -> str:
    if any(name.startswith(("lora_te2_text_model", "text_encoder_2_text_model")) for name in plain):
        return "sdxl"
    widths = {module.shape[1] for module in modules if module.is_text and len(module.shape) == 2 and "self_attn_q_proj" in
              module.name.replace(".", "_")}
    return {768: "sd15", 1024: "sd2"}.get(widths.pop(), "") if len(widths) == 1 else ""
