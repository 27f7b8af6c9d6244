"""Which layers the base models have, by rule: the names in diffusers and in the original layout, and the shapes of the weights.

Sources: diffusers' configs of stable-diffusion-v1-5, stable-diffusion-2-1 and stable-diffusion-xl-base-1.0 (unet/config.json) and its
UNet2DConditionModel; transformers' CLIPTextModel; black-forest-labs/flux and flux2 (model.py), Stability-AI/sd3.5 (mmditx.py), and
diffusers' transformers of the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.diffusion.names import ldm_unet_name

Shape = tuple[int, ...]
Layers = Mapping[str, Shape]


@dataclass(frozen=True)
class UnetPlan:
    """How a U-Net of Stable Diffusion is built."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    """Transformer blocks of each level; 0: it has no attention."""
    middle: int
    """Transformer blocks in the middle."""
    text: int
    """Width of the text that it attends to."""
    linear: bool
    """Whether the attention's first and last layers are linear, not convolutions of 1 × 1."""
    added: int = 0
    """Width of what else it is told (SDXL: sizes and the pooled text)."""

    @property
    def config(self) -> dict[str, Any]:
        """What `ldm_unet_name` needs of diffusers' config."""
        ups = ["CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in reversed(self.depths)]
        return {"layers_per_block": 2, "up_block_types": ups}


UNETS: Mapping[str, UnetPlan] = {
    "sd15": UnetPlan((320, 640, 1280, 1280), (1, 1, 1, 0), 1, 768, linear=False),
    "sd2": UnetPlan((320, 640, 1280, 1280), (1, 1, 1, 0), 1, 1024, linear=True),
    "sdxl": UnetPlan((320, 640, 1280), (0, 2, 10), 10, 2048, linear=True, added=2816)}
TEXTS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "sd15": ((12, 768),), "sd2": ((23, 1024),), "sdxl": ((12, 768), (32, 1280)), "flux1": ((12, 768),), "sd3": ((12, 768), (32, 1280))}
"""CLIP text encoders of a family: layers and width, in the order in which files number them."""
TRANSFORMERS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "flux1": ((19, 38),), "flux2_dev": ((8, 48),), "flux2_klein": ((5, 20), (8, 24)), "sd3": ((24, 0), (38, 0))}
"""Double and single blocks; of several sizes the largest numbers are asked for."""


@lru_cache(maxsize=8)
def unet_layers(family: str) -> Layers:
    """Every linear and convolutional layer of a family's U-Net: diffusers' name to its weight's shape. Args: family: of UNETS."""
    return dict(_unet(UNETS[family]))


def original_name(family: str, name: str) -> str:
    """The name in the original layout of a U-Net's layer. Args: family: of UNETS. name: diffusers'."""
    return ldm_unet_name(name, UNETS[family].config)


@lru_cache(maxsize=8)
def text_layers(family: str) -> tuple[Layers, ...]:
    """Of each CLIP text encoder of a family: name inside `text_model.encoder` to its weight's shape."""
    return tuple(dict(_clip(layers, width)) for layers, width in TEXTS.get(family, ()))


def _unet(plan: UnetPlan) -> Iterator[tuple[str, Shape]]:
    widths, time = plan.widths, plan.widths[0] * 4
    yield "conv_in", (widths[0], 4, 3, 3)
    yield "time_embedding.linear_1", (time, widths[0])
    yield "time_embedding.linear_2", (time, time)
    if plan.added:
        yield "add_embedding.linear_1", (time, plan.added)
        yield "add_embedding.linear_2", (time, time)
    skips, last = [widths[0]], widths[0]
    for level, width in enumerate(widths):
        block = f"down_blocks.{level}"
        for index in range(2):
            yield from _resnet(f"{block}.resnets.{index}", last, width, time)
            yield from _attention(f"{block}.attentions.{index}", width, plan.depths[level], plan)
            last = width
            skips.append(width)
        if level < len(widths) - 1:
            yield f"{block}.downsamplers.0.conv", (width, width, 3, 3)
            skips.append(width)
    yield from _resnet("mid_block.resnets.0", last, last, time)
    yield from _attention("mid_block.attentions.0", last, plan.middle, plan)
    yield from _resnet("mid_block.resnets.1", last, last, time)
    for level, width in enumerate(reversed(widths)):
        block = f"up_blocks.{level}"
        for index in range(3):
            yield from _resnet(f"{block}.resnets.{index}", last + skips.pop(), width, time)
            yield from _attention(f"{block}.attentions.{index}", width, plan.depths[-1 - level], plan)
            last = width
        if level < len(widths) - 1:
            yield f"{block}.upsamplers.0.conv", (width, width, 3, 3)
    yield "conv_out", (4, widths[0], 3, 3)


def _resnet(name: str, wide_in: int, width: int, time: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.conv1", (width, wide_in, 3, 3)
    yield f"{name}.time_emb_proj", (width, time)
    yield f"{name}.conv2", (width, width, 3, 3)
    if wide_in != width:
        yield f"{name}.conv_shortcut", (width, wide_in, 1, 1)


def _attention(name: str, width: int, depth: int, plan: UnetPlan) -> Iterator[tuple[str, Shape]]:
    if not depth:
        return
    kernel = () if plan.linear else (1, 1)
    yield f"{name}.proj_in", (width, width, *kernel)
    for number in range(depth):
        block = f"{name}.transformer_blocks.{number}"
        for attention, wide_in in (("attn1", width), ("attn2", plan.text)):
            for end in ("to_q", "to_k", "to_v", "to_out.0"):
                yield f"{block}.{attention}.{end}", (width, wide_in if end in ("to_k", "to_v") else width)
        yield f"{block}.ff.net.0.proj", (8 * width, width)
        yield f"{block}.ff.net.2", (width, 4 * width)
    yield f"{name}.proj_out", (width, width, *kernel)


def _clip(layers: int, width: int) -> Iterator[tuple[str, Shape]]:
    for number in range(layers):
        for end in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield f"layers.{number}.self_attn.{end}", (width, width)
        yield f"layers.{number}.mlp.fc1", (4 * width, width)
        yield f"layers.{number}.mlp.fc2", (width, 4 * width)


def is_trained(name: str, convolutions: bool = False) -> bool:
    """Whether sd-scripts gives a U-Net's layer a LoRA: inside attention blocks, with `convolutions` (conv_dim) also around them."""
    return ".attentions." in name or (convolutions and (".resnets." in name or "samplers." in name))


_FLUX = {"double_blocks": tuple(f"{side}_{end}" for side in ("img", "txt") for end in ("attn.qkv", "attn.proj", "mlp.0", "mlp.2")),
         "single_blocks": ("linear1", "linear2")}
_ATTENTION = ("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "attn.add_q_proj",
              "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out")
_FEED = ("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2")
ORIGINAL: Mapping[str, tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]] = {
    "flux1": ({"double_blocks": (*_FLUX["double_blocks"], "img_mod.lin", "txt_mod.lin"),
               "single_blocks": (*_FLUX["single_blocks"], "modulation.lin")},
              ("img_in", "txt_in", "time_in.in_layer", "time_in.out_layer", "vector_in.in_layer", "vector_in.out_layer",
               "guidance_in.in_layer", "guidance_in.out_layer", "final_layer.linear", "final_layer.adaLN_modulation.1")),
    "flux2": (_FLUX, ("img_in", "txt_in", "time_in.in_layer", "time_in.out_layer", "guidance_in.in_layer", "guidance_in.out_layer",
                      "double_stream_modulation_img.lin", "double_stream_modulation_txt.lin", "single_stream_modulation.lin",
                      "final_layer.linear", "final_layer.adaLN_modulation.1")),
    "sd3": ({"joint_blocks": tuple(f"{side}.{end}" for side in ("x_block", "context_block")
                                   for end in ("attn.qkv", "attn.proj", "attn2.qkv", "attn2.proj", "mlp.fc1", "mlp.fc2",
                                               "adaLN_modulation.1"))},
            ("x_embedder.proj", "context_embedder", "t_embedder.mlp.0", "t_embedder.mlp.2", "y_embedder.mlp.0", "y_embedder.mlp.2",
             "final_layer.linear", "final_layer.adaLN_modulation.1"))}
"""Layers of a transformer in the original layout: of each kind of block, and the rest."""
DIFFUSERS: Mapping[str, tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]] = {
    "flux1": ({"transformer_blocks": (*_ATTENTION, *_FEED, "norm1.linear", "norm1_context.linear"),
               "single_transformer_blocks": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp", "proj_out", "norm.linear")},
              ("x_embedder", "context_embedder", "norm_out.linear", "proj_out",
               *(f"time_text_embed.{part}_embedder.linear_{number}" for part in ("timestep", "text", "guidance") for number in (1, 2)))),
    "flux2": ({"transformer_blocks": (*_ATTENTION, "ff.linear_in", "ff.linear_out", "ff_context.linear_in", "ff_context.linear_out"),
               "single_transformer_blocks": ("attn.to_qkv_mlp_proj", "attn.to_out")},
              ("x_embedder", "context_embedder", "norm_out.linear", "proj_out", "double_stream_modulation_img.linear",
               "double_stream_modulation_txt.linear", "single_stream_modulation.linear",
               *(f"time_guidance_embed.{part}_embedder.linear_{number}" for part in ("timestep", "guidance") for number in (1, 2)))),
    "sd3": ({"transformer_blocks": (*_ATTENTION, *_FEED, "norm1.linear", "norm1_context.linear", "attn2.to_q", "attn2.to_k", "attn2.to_v",
                                    "attn2.to_out.0")},
            ("pos_embed.proj", "context_embedder", "norm_out.linear", "proj_out",
             *(f"time_text_embed.{part}_embedder.linear_{number}" for part in ("timestep", "text") for number in (1, 2))))}
"""The same under diffusers' names."""


@lru_cache(maxsize=16)
def transformer_layers(family: str, diffusers: bool) -> frozenset[str]:
    """Names of a transformer's layers, of its largest size. Args: family: of TRANSFORMERS. diffusers: its names, else the original ones."""
    blocks, rest = (DIFFUSERS if diffusers else ORIGINAL)["flux2" if family.startswith("flux2") else family]
    counts = [max(sizes) for sizes in zip(*TRANSFORMERS[family], strict=True)]
    found = set(rest)
    for count, (block, ends) in zip(counts, blocks.items(), strict=False):
        found |= {f"{block}.{number}.{end}" for number in range(count) for end in ends}
    return frozenset(found)
