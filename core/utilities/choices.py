"""Settings that several of the LoRA tools share, each declared once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from core.base.settings import Settings, setting
from core.utilities.layers.updates import Computing

Precision = Literal["same", "fp16", "bf16", "float"]
PRECISIONS: Mapping[str, str] = {"fp16": "F16", "bf16": "BF16", "float": "F32"}
"""sd-scripts' names of precisions and safetensors'."""


def device() -> Any:
    """Where it is computed."""
    return setting("auto", "Device", "auto takes the GPU where there is one; a CPU needs some seconds.", level="expert")


def computing() -> Any:
    """In which precision."""
    return setting("float32", "Computed in", "float32 is exact to about 1e-6 of the update.", level="expert")


def precision(default: str = "same") -> Any:
    """Of the written file."""
    return setting(default, "Precision", "Of the written values. fp16 and bf16 round: what that costs is told.", level="advanced")


def save_to(what: str, beside: str = "the first file") -> Any:
    """Where the result goes. Args: what: how it is called where nothing is said. beside: what it then lies beside."""
    return setting("", "Save as", f"Empty: beside {beside}, {what}. A file that is there is not written over.")


class LoraSettings(Settings):
    """Which file is worked on, and how."""

    file: str = setting(..., "LoRA file", "A .safetensors file.")
    device: str = device()
    computing: Computing = computing()
