"""From the original (LDM) layout of single files to diffusers' and transformers' modules; sizes are read from the tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError
from core.diffusion.names import clip_name, ldm_unet_name, ldm_vae_name, open_clip_name

if TYPE_CHECKING:
    import torch

UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."


def _fill(module: Any, find: Callable[[str], torch.Tensor | None], what: str, where: str) -> Any:
    """Load a module whose every parameter is looked up. Raises: ModelError: one is missing or has another shape."""
    state = {}
    for name, parameter in module.state_dict().items():
        value = find(name)
        if value is None:
            raise ModelError(f"{where} lacks {name!r} of its {what}.", "The file is not whole, or is of a variant that is not known.")
        if value.shape != parameter.shape:
            raise ModelError(f"{name!r} in the {what} of {where} has the shape {tuple(value.shape)} where "
                             f"{tuple(parameter.shape)} is needed.")
        state[name] = value
    module.load_state_dict(state, assign=True)
    return module


def _empty() -> Any:
    """A context in which modules are made without weights: a full UNet's random ones would take half a minute."""
    from accelerate import init_empty_weights

    return init_empty_weights(include_buffers=False)


def _count(state: Mapping[str, Any], pattern: str) -> int:
    """One more than the largest number that `pattern` finds; 0 if none."""
    found = [int(match[1]) for name in state if (match := re.match(pattern, name))]
    return max(found) + 1 if found else 0


def unet_config(state: Mapping[str, torch.Tensor], text_projection: int) -> dict[str, Any]:
    """The config of the UNet inside a single file. Args: text_projection: width of the pooled text, for SDXL."""
    state = {name.removeprefix(UNET_PREFIX): value for name, value in state.items() if name.startswith(UNET_PREFIX)}
    inputs = _count(state, r"input_blocks\.(\d+)\.")
    downs = [number for number in range(inputs) if f"input_blocks.{number}.0.op.weight" in state]
    layers = downs[0] - 1 if downs else inputs - 1
    starts = [1, *(number + 1 for number in downs)]
    channels = [state[f"input_blocks.{start}.0.in_layers.2.weight"].shape[0] for start in starts]
    depths = [_count(state, rf"input_blocks\.{start}\.1\.transformer_blocks\.(\d+)\.") for start in starts]
    middle = _count(state, r"middle_block\.1\.transformer_blocks\.(\d+)\.")
    cross = next(value.shape[1] for name, value in state.items() if name.endswith("attn2.to_k.weight"))
    linear = next(value.ndim == 2 for name, value in state.items() if name.endswith("1.proj_in.weight"))
    config: dict[str, Any] = {
        "in_channels": state["input_blocks.0.0.weight"].shape[1], "out_channels": state["out.2.weight"].shape[0], "sample_size": 64,
        "layers_per_block": layers, "block_out_channels": tuple(channels), "cross_attention_dim": cross, "use_linear_projection": linear,
        "down_block_types": tuple("CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths),
        "up_block_types": tuple("CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in reversed(depths)),
        # SD 1.x has 8 heads at every level, later models have heads of 64 channels (diffusers calls both attention_head_dim).
        "attention_head_dim": tuple(max(1, width // 64) for width in channels) if linear else 8,
        "transformer_layers_per_block": (*(max(1, depth) for depth in depths[:-1]), max(depths[-1], middle, 1)),
    }
    if "label_emb.0.0.weight" in state:
        width = state["label_emb.0.0.weight"].shape[1]
        config |= {"addition_embed_type": "text_time", "projection_class_embeddings_input_dim": width,
                   "addition_time_embed_dim": (width - text_projection) // 6}
    return config


def unet_from(state: Mapping[str, torch.Tensor], text_projection: int, where: str) -> Any:
    """The UNet of a single file."""
    from diffusers import UNet2DConditionModel

    with _empty():
        unet: Any = UNet2DConditionModel(**unet_config(state, text_projection))
    return _fill(unet, lambda name: state.get(UNET_PREFIX + ldm_unet_name(name, unet.config)), "UNet", where)


def vae_from(state: Mapping[str, torch.Tensor], scaling_factor: float, where: str) -> Any:
    """The VAE of a single file, or a file that holds only a VAE."""
    from diffusers import AutoencoderKL

    if any(name.startswith(VAE_PREFIX) for name in state):
        state = {name.removeprefix(VAE_PREFIX): value for name, value in state.items() if name.startswith(VAE_PREFIX)}
    levels = _count(state, r"encoder\.down\.(\d+)\.")
    if not levels:
        raise ModelError(f"There is no VAE of Stable Diffusion in {where}.", "Choose another VAE, or leave it empty.")
    channels = tuple(state[f"encoder.down.{level}.block.0.conv1.weight"].shape[0] for level in range(levels))
    with _empty():
        vae = AutoencoderKL(down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
                            block_out_channels=channels, layers_per_block=_count(state, r"encoder\.down\.0\.block\.(\d+)\."),
                            latent_channels=state["post_quant_conv.weight"].shape[0], scaling_factor=scaling_factor, sample_size=512)

    def find(name: str) -> torch.Tensor | None:
        value = state.get(ldm_vae_name(name, levels))
        return value[:, :, 0, 0] if value is not None and value.ndim == 4 and "attentions" in name else value

    return _fill(vae, find, "VAE", where)


def clip_from(state: Mapping[str, torch.Tensor], prefix: str, where: str) -> Any:
    """OpenAI's CLIP text encoder (SD 1.x, SDXL's first). Args: prefix: what stands before `text_model.` in the file."""
    from transformers import CLIPTextConfig, CLIPTextModel

    words, width = state[f"{prefix}text_model.embeddings.token_embedding.weight"].shape
    config = CLIPTextConfig(vocab_size=words, hidden_size=width, num_attention_heads=max(1, width // 64), projection_dim=width,
                            intermediate_size=state[f"{prefix}text_model.encoder.layers.0.mlp.fc1.weight"].shape[0],
                            num_hidden_layers=_count(state, re.escape(prefix) + r"text_model\.encoder\.layers\.(\d+)\."),
                            hidden_act="quick_gelu", bos_token_id=words - 2, eos_token_id=words - 1, pad_token_id=words - 1)
    with _empty():
        encoder = CLIPTextModel(config)
    return _fill(encoder, lambda name: state.get(prefix + clip_name(name)), "text encoder", where)


def open_clip_from(state: Mapping[str, torch.Tensor], prefix: str, where: str) -> Any:
    """OpenCLIP's text encoder with projection (SDXL's second)."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    words, width = state[f"{prefix}token_embedding.weight"].shape
    config = CLIPTextConfig(vocab_size=words, hidden_size=width, num_attention_heads=max(1, width // 64),
                            projection_dim=state[f"{prefix}text_projection"].shape[1],
                            intermediate_size=state[f"{prefix}transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
                            num_hidden_layers=_count(state, re.escape(prefix) + r"transformer\.resblocks\.(\d+)\."),
                            hidden_act="gelu", bos_token_id=words - 2, eos_token_id=words - 1, pad_token_id=0)

    def find(name: str) -> torch.Tensor | None:
        place, _, part = open_clip_name(name).partition("#")
        value = state.get(prefix + place)
        if value is None:
            return None
        if part:
            return value.chunk(3, dim=0)["qkv".index(part)]
        return value.T.contiguous() if place == "text_projection" else value

    with _empty():
        encoder = CLIPTextModelWithProjection(config)
    return _fill(encoder, find, "second text encoder", where)
