"""What makes torch faster on a CPU, once for a process that computes there."""

from __future__ import annotations

import ctypes
import functools
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt (man 3 mallopt)."""


@functools.cache
def tune_for_cpu() -> None:
    """Flush denormal numbers to zero, and keep freed memory for the next tensor. A second call does nothing.

    Tiny activations are many times slower as denormals. glibc gives every block above 32 MB back to the system as soon as it is freed,
    and most of the smaller ones; the next step then waits for the same pages to be filled with zeros again: a fifth of a step of Stable
    Diffusion 1.5 on two cores, at the same peak (`benchmarks/trainer.py`). Other C libraries are left as they are.
    """
    import torch

    torch.set_flush_denormal(True)
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_MMAP_MAX, 0)
            mallopt(_TRIM_THRESHOLD, -1)
