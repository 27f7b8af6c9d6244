"""Parameter and module names: diffusers' own, and the original (LDM) ones that single files and SDXL LoRAs use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

RESNET_NAMES = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
                "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
TOP_NAMES = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
             "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
             "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
VAE_ATTENTION_NAMES = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
                       "query": "q", "key": "k", "value": "v", "proj_attn": "proj_out"}


def ldm_unet_name(name: str, config: Mapping[str, Any]) -> str:
    """The original name of a UNet module or parameter.

    Args:
        name: diffusers' name, e.g. "down_blocks.1.attentions.0.proj_in" (with or without ".weight").
        config: the UNet's config (layers_per_block, down_block_types, up_block_types).
    """
    layers = config["layers_per_block"]
    layers = layers if isinstance(layers, int) else layers[0]
    for ours, theirs in TOP_NAMES.items():
        if name == ours or name.startswith(f"{ours}."):
            return theirs + name[len(ours):]
    if match := re.match(r"down_blocks\.(\d+)\.(resnets|attentions|downsamplers)\.(\d+)\.?(.*)", name):
        block, kind, index, rest = int(match[1]), match[2], int(match[3]), match[4]
        if kind == "downsamplers":
            return _join(f"input_blocks.{(layers + 1) * (block + 1)}.0", re.sub(r"^conv\b", "op", rest))
        return _join(f"input_blocks.{(layers + 1) * block + index + 1}.{int(kind == 'attentions')}", _resnet(rest, kind))
    if match := re.match(r"up_blocks\.(\d+)\.(resnets|attentions|upsamplers)\.(\d+)\.?(.*)", name):
        block, kind, index, rest = int(match[1]), match[2], int(match[3]), match[4]
        if kind == "upsamplers":
            place = 2 if "CrossAttn" in config["up_block_types"][block] else 1
            return _join(f"output_blocks.{(layers + 1) * block + layers}.{place}", rest)
        return _join(f"output_blocks.{(layers + 1) * block + index}.{int(kind == 'attentions')}", _resnet(rest, kind))
    if match := re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.?(.*)", name):
        kind, index, rest = match[1], int(match[2]), match[3]
        return _join("middle_block.1" if kind == "attentions" else f"middle_block.{2 * index}", _resnet(rest, kind))
    return name


def _join(head: str, rest: str) -> str:
    return f"{head}.{rest}" if rest else head


def _resnet(rest: str, kind: str) -> str:
    if kind != "resnets" or not rest:
        return rest
    head, _, tail = rest.partition(".")
    return _join(RESNET_NAMES.get(head, head), tail)


def ldm_vae_name(name: str, blocks: int) -> str:
    """The original name of a VAE parameter. Args: name: diffusers' name. blocks: number of levels."""
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    if match := re.match(r"(encoder|decoder)\.(down|up)_blocks\.(\d+)\.(resnets|downsamplers|upsamplers)\.(\d+)\.(.*)", name):
        side, way, level, kind, index, rest = match[1], match[2], int(match[3]), match[4], match[5], match[6]
        level = level if way == "down" else blocks - 1 - level
        middle = f"block.{index}" if kind == "resnets" else f"{way}sample"
        return f"{side}.{way}.{level}.{middle}.{rest}"
    if match := re.match(r"(encoder|decoder)\.mid_block\.resnets\.(\d+)\.(.*)", name):
        return f"{match[1]}.mid.block_{int(match[2]) + 1}.{match[3]}"
    if match := re.match(r"(encoder|decoder)\.mid_block\.attentions\.0\.(.+)\.(weight|bias)$", name):
        return f"{match[1]}.mid.attn_1.{VAE_ATTENTION_NAMES[match[2]]}.{match[3]}"
    return name


def clip_name(name: str) -> str:
    """A CLIP text encoder's name with the `text_model` level that newer transformers leave out."""
    return name if name.startswith(("text_model.", "text_projection")) or not name else f"text_model.{name}"


def open_clip_name(name: str) -> str:
    """The OpenCLIP name (inside `conditioner.embedders.1.model.`) of a CLIPTextModelWithProjection parameter.

    q_proj, k_proj and v_proj share one `in_proj_weight`/`in_proj_bias` there: the answer ends in `#q`, `#k` or `#v`.
    """
    name = clip_name(name).removeprefix("text_model.")
    simple = {"embeddings.token_embedding.weight": "token_embedding.weight", "embeddings.position_embedding.weight": "positional_embedding",
              "text_projection.weight": "text_projection", "final_layer_norm.weight": "ln_final.weight",
              "final_layer_norm.bias": "ln_final.bias"}
    if name in simple:
        return simple[name]
    match = re.match(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$", name)
    if match is None:
        return name
    head, inner, end = f"transformer.resblocks.{match[1]}", match[2], match[3]
    if inner in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"):
        return f"{head}.attn.in_proj_{end}#{inner[10]}"
    renamed = {"self_attn.out_proj": "attn.out_proj", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "layer_norm1": "ln_1",
               "layer_norm2": "ln_2"}
    return f"{head}.{renamed[inner]}.{end}"
