"""How much memory it may take."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.base.settings import setting
from core.training.config.part import Part


class MemorySettings(Part):
    """How numbers are stored, and what is recomputed instead of kept."""

    title: ClassVar[str] = "Memory and speed"
    section: ClassVar[str] = "memory"

    mixed_precision: Literal["no", "fp16", "bf16"] = setting(
        "fp16", "Precision", "bf16 for cards of the RTX 30 series and newer, fp16 for older ones, no on a CPU.")
    gradient_checkpointing: bool = setting(True, "Save memory", "Recompute instead of keeping: a third slower, far less memory.")
    sdpa: bool = setting(True, "PyTorch attention", "Fast attention that comes with PyTorch.", level="advanced")
    xformers: bool = setting(False, "xformers", "Attention of the xformers package, if it is installed.", level="expert")
    full_fp16: bool = setting(False, "All in fp16", "Gradients too; needs fp16 above. Least memory, less stable.", level="expert")
    full_bf16: bool = setting(False, "All in bf16", "Gradients too; needs bf16 above.", level="expert")
