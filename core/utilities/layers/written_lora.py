"""What every tool tells of the LoRA file that it wrote."""

from __future__ import annotations

from dataclasses import dataclass

from core.utilities.layers.plans import LayerPlan


@dataclass(frozen=True, kw_only=True)
class WrittenLora:
    """A new file of factors."""

    file: str
    size: int
    """Bytes of the whole file."""
    error: float
    """What the rank leaves out of the whole update, relative, before rounding."""
    rounding: float
    """What the precision of the file adds, relative, measured on the written values."""
    layers: tuple[LayerPlan, ...]
