"""What each model family is made of and what a step of it takes, as counted by `custom/count_model_memory`; read once, no torch needed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError

DATA = Path(__file__).resolve().parents[1] / "data" / "model_memory.json"
COUNTED_RANK = 16
"""Of the LoRA that was on the models when a step was counted."""


@dataclass(frozen=True)
class Parts:
    """Which models a family is made of, beside the one that learns."""

    title: str
    vae: str
    texts: tuple[str, ...]


FAMILIES = {
    "sd15": Parts("Stable Diffusion 1.5", "sd", ("clip_l",)), "sd2": Parts("Stable Diffusion 2", "sd", ("clip_h",)),
    "sdxl": Parts("SDXL", "sd", ("clip_l", "clip_g")),
    "sd3_medium": Parts("Stable Diffusion 3 medium", "flux", ("clip_l", "clip_g", "t5_xxl")),
    "sd35_medium": Parts("Stable Diffusion 3.5 medium", "flux", ("clip_l", "clip_g", "t5_xxl")),
    "sd35_large": Parts("Stable Diffusion 3.5 large", "flux", ("clip_l", "clip_g", "t5_xxl")),
    "flux1": Parts("FLUX.1", "flux", ("clip_l", "t5_xxl")), "chroma": Parts("Chroma", "flux", ("t5_xxl",)),
    "lumina2": Parts("Lumina 2", "flux", ("gemma2_2b",)),
    "hunyuan_image": Parts("HunyuanImage 2.1", "hunyuan_image", ("qwen25_vl_7b", "byt5_small")),
    "anima": Parts("Anima", "qwen_image", ("qwen3_0.6b",)), "flux2_dev": Parts("FLUX.2 dev", "flux2", ("mistral_24b",)),
    "flux2_klein_4b": Parts("FLUX.2 klein 4B", "flux2", ("qwen3_4b",)), "flux2_klein_9b": Parts("FLUX.2 klein 9B", "flux2", ("qwen3_8b",)),
    "qwen_image": Parts("Qwen-Image", "qwen_image", ("qwen25_vl_7b",)), "z_image": Parts("Z-Image", "flux", ("qwen3_4b",)),
}
"""Source: the models' own repositories; which VAE and text encoders their pipelines load."""


COUNTED_AS = {"sd3": "sd35_large", "flux2_klein": "flux2_klein_9b", "flux1_kontext": "flux1"}
"""Families of the settings that the facts call otherwise; of several sizes the largest is counted."""


def facts_name(family: str) -> str:
    """What the facts call a family of the settings."""
    return COUNTED_AS.get(family, family)


@dataclass(frozen=True)
class ModelFacts:
    """One family in numbers."""

    parameters: int
    """Of the U-Net or transformer that learns."""
    vae: int
    texts: int
    lora_unet: int
    """Numbers of a LoRA for each 1 of rank, on the layers that sd-scripts (or musubi-tuner) gives one."""
    lora_text: int
    lora_small: int
    """Small layers that take part, with the plain rank, once the convolutions have a rank."""
    lora_convolutions: int
    """For each 1 of the convolutions' rank."""
    blocks: tuple[tuple[int, int], ...]
    """Kinds of blocks that can be swapped out: how many, and numbers of one."""
    kept: dict[str, tuple[float, float]]
    """"mixed", "mixed_checkpointed", "full", "full_checkpointed" → bytes of a step for each picture, and for each of its pixels."""
    encode: int
    """Bytes for each pixel while the VAE encodes in half precision."""
    decode: int

    def swapped(self, blocks_to_swap: int) -> int:
        """Numbers that stand on the CPU. Source: `enable_block_swap` of sd-scripts' models; of two kinds, half are of the first."""
        first = blocks_to_swap // 2 if len(self.blocks) == 2 else blocks_to_swap
        taken = (first, 2 * (blocks_to_swap - first))
        return sum(min(count, have - 2) * size for count, (have, size) in zip(taken, self.blocks, strict=False))


@cache
def _data() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return content


def parts_of(family: str) -> Parts:
    """What a family is made of. Raises: ConfigError: it is not known."""
    if family not in FAMILIES:
        raise ConfigError(f"No model family is called {family!r}.", f"Known: {', '.join(FAMILIES)}.")
    return FAMILIES[family]


@cache
def facts_of(family: str) -> ModelFacts:
    """A family in numbers. Raises: ConfigError: it is not known."""
    parts, data = parts_of(family), _data()
    model, vae, lora = data["models"][family], data["vaes"][parts.vae], data["models"][family]["lora"]
    return ModelFacts(model["parameters"], vae["parameters"], sum(data["texts"][name]["parameters"] for name in parts.texts), lora["unet"],
                      lora["text"], lora["small"], lora["convolutions"], tuple((count, size) for count, size in model["blocks"]),
                      {name: (fixed, slope) for name, (fixed, slope) in model["kept"].items()}, vae["encode"], vae["decode"])
