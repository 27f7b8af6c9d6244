"""What the methods of the LoRA tools are called on screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from core.utilities.layers.ranks import Method
from core.utilities.merging.methods import MergeMethod

RANK_BY: Mapping[Method, str] = {"fixed": "the same for all layers", "sv_fro": "by the share of its norm (sv_fro)",
                                 "sv_cumulative": "by the share of its sum (sv_cumulative)", "sv_ratio": "by the smallest value (sv_ratio)"}
MERGE_BY: Mapping[MergeMethod, str] = {"sum": "all of each (sum)", "ties": "where they agree (TIES)",
                                       "dare": "a random part of each (DARE)", "dare_ties": "a random part, where they agree (DARE, TIES)"}
AVERAGE_BY: Mapping[str, str] = {"mean": "all alike (mean)", "ema": "later ones count more (EMA)"}
NAMES: Mapping[str, str] = {"same": "as they are", "kohya": "sd-scripts, A1111, Forge (kohya)", "diffusers": "diffusers, PEFT",
                            "comfy": "ComfyUI, with dots"}
PRECISION: Mapping[str, str] = {"same": "as it is", "fp16": "fp16", "bf16": "bf16", "float": "fp32 (float)"}
assert set(RANK_BY) == set(get_args(Method)) and set(MERGE_BY) == set(get_args(MergeMethod))


def offered(words: Mapping[Any, str]) -> list[tuple[str, Any]]:
    """As a form takes choices."""
    return [(said, name) for name, said in words.items()]
