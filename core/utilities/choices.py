"""Settings that several of the LoRA tools share, each declared once."""

from __future__ import annotations

from typing import Any

from core.base.settings import Level, setting


def device() -> Any:
    """Where it is computed."""
    return setting("auto", "Device", "auto takes the GPU where there is one; a CPU needs some seconds.", level="expert")


def computing() -> Any:
    """In which precision."""
    return setting("float32", "Computed in", "float32 is exact to about 1e-6 of the update.", level="expert")


def precision(default: str = "same", level: Level = "advanced") -> Any:
    """Of the written file."""
    return setting(default, "Precision", "Of the written values. fp16 and bf16 round: what that costs is told.", level=level)


def save_to(what: str) -> Any:
    """Where the result goes. Args: what: how it is called where nothing is said."""
    return setting("", "Save as", f"Empty: beside the first file, {what}. A file that is there is not written over.")
