"""What a file that is made of another may still say of itself, and of which one it was made, step by step."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

ALPHAS, PARTS = "lorabook.alphas", "lorabook.parts"
"""Notes for the way back of a conversion: alpha, type and scale by diffusers' names (the commonest under ""); whose columns are whose."""
OF_TENSORS = ("sshs_", "modelspec.hash")
"""Beginnings of keys that hold for the tensors as they were, to the last bit."""
OF_FACTORS = ("lora_adapter_metadata", ALPHAS, PARTS)
"""Keys that hold for the factors as they were: their ranks, and where their strength stands."""
MADE_OF = "lorabook.made_of"
"""Every step from the first file to this one, the oldest first, as JSON."""
WEIGHED = "lorabook.weighed"
"""The last step alone, as files said it before MADE_OF."""
By = Literal["weigh", "resize", "convert"]


@dataclass(frozen=True)
class Step:
    """One file of which another was made, and how."""

    name: str
    sshs_model_hash: str
    """SHA-256 of its tensors, counted when the other was made."""
    by: By
    weight: float = 1.0
    """With which it was applied, where the new one does the same at 1."""
    blocks: tuple[str, ...] = ()
    """Weights of single blocks, as they were written."""


def carried(metadata: Mapping[str, str], new_factors: bool = False, made_lora: bool = False, step: Step | None = None) -> dict[str, str]:
    """A file's metadata without what does not hold for the new one.

    Args: new_factors: whether ranks or strengths of layers are others. made_lora: whether layers of LoHa or LoKr became LoRA.
        step: of which file it is made; None: that is noted already, or elsewhere.
    """
    gone = (*OF_TENSORS, *(OF_FACTORS if new_factors else ()), *(("ss_network_args",) if made_lora else ()), *((WEIGHED,) if step else ()))
    new = {key: value for key, value in metadata.items() if not key.startswith(gone)}
    if step is not None:
        new[MADE_OF] = json.dumps([asdict(one) for one in (*reversed(made_of(metadata)), step)], ensure_ascii=False)
    return new | ({"ss_network_module": "networks.lora"} if made_lora else {})


def made_of(metadata: Mapping[str, str]) -> tuple[Step, ...]:
    """The steps that led to a file, the newest first; none where it says nothing of them, or nothing that can be read."""
    try:
        steps = json.loads(metadata.get(MADE_OF) or "[]")
        if not steps and WEIGHED in metadata:
            steps = [{**json.loads(metadata[WEIGHED]), "by": "weigh"}]
        return tuple(_step(**step) for step in reversed(steps))
    except (ValueError, TypeError, OverflowError):
        return ()


def _step(name: str, sshs_model_hash: str, by: By, weight: Any = 1.0, blocks: Any = ()) -> Step:
    """Raises: ValueError: no file can have been made with that weight."""
    applied = float(weight)
    if applied == 0 or not math.isfinite(applied):
        raise ValueError(weight)
    return Step(str(name), str(sshs_model_hash).lower(), by, applied, tuple(map(str, blocks)))
