"""Gradient checkpointing: what the forward pass does not keep is computed again in the backward pass, with little memory for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint


def checkpoint_unet(unet: Any, with_chance: bool) -> None:
    """Let each resnet and transformer block of the U-Net be computed again in the backward pass, except the last.

    The last one's backward pass comes right after its forward pass: computing it again would free nothing that the peak does not
    need anyway.

    Args:
        unet: diffusers' UNet2DConditionModel.
        with_chance: dropout is at work inside, so that the random numbers of the first pass must come again. Keeping them costs a
            copy of the generator's state for each block.
    """
    last = _last_block(unet)

    def run(block: torch.nn.Module, *given: Any) -> Any:
        if block is last:
            return block(*given)
        return checkpoint(block.__call__, *given, use_reentrant=False, preserve_rng_state=with_chance)

    unet.train()
    unet.enable_gradient_checkpointing(run)


def checkpoint_text(encoders: Sequence[Any], with_chance: bool) -> None:
    """The same for the layers of CLIP text encoders. Args: with_chance: as above."""
    for encoder in encoders:
        encoder.train()
        enable = getattr(encoder, "activation_checkpointing_enable", None) or encoder.gradient_checkpointing_enable  # its name before v5
        enable({"use_reentrant": False, "preserve_rng_state": with_chance})
        encoder.disable_input_require_grads()  # nothing below the first layer learns


def _last_block(unet: Any) -> torch.nn.Module:
    """The block of those that diffusers checkpoints which runs last."""
    block = unet.up_blocks[-1]
    return block.attentions[-1].transformer_blocks[-1] if hasattr(block, "attentions") else block.resnets[-1]
