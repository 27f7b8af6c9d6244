"""What a file that is made of another may still say of itself: what held for the old tensors alone goes."""

from __future__ import annotations

from collections.abc import Mapping

ALPHAS, PARTS = "lorabook.alphas", "lorabook.parts"
"""Notes for the way back of a conversion: alpha, type and scale by diffusers' names (the commonest under ""); whose columns are whose."""
OF_TENSORS = ("sshs_", "modelspec.hash")
"""Beginnings of keys that hold for the tensors as they were, to the last bit."""
OF_FACTORS = ("lora_adapter_metadata", ALPHAS, PARTS)
"""Keys that hold for the factors as they were: their ranks, and where their strength stands."""


def carried(metadata: Mapping[str, str], new_factors: bool = False, made_lora: bool = False) -> dict[str, str]:
    """A file's metadata without what does not hold for the new one.

    Args: new_factors: whether ranks or strengths of layers are others. made_lora: whether layers of LoHa or LoKr became LoRA.
    """
    gone = (*OF_TENSORS, *(OF_FACTORS if new_factors else ()), *(("ss_network_args",) if made_lora else ()))
    new = {key: value for key, value in metadata.items() if not key.startswith(gone)}
    return new | ({"ss_network_module": "networks.lora"} if made_lora else {})
