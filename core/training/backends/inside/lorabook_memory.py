"""Tells how much GPU memory a trainer's torch held at most, from inside its process, into the run's events.

torch is asked only where the trainer itself has loaded it and uses a GPU. Nothing of it may end a training.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def tell_memory(run: Path) -> None:
    """Add the event `memory`: bytes that torch reserved and used on its fullest GPU, and its name; nothing where it uses none.

    Args: run: the run's folder.
    """
    torch = sys.modules.get("torch")
    try:
        if torch is None or not (torch.cuda.is_available() and torch.cuda.is_initialized()):
            return
        cuda = torch.cuda
        reserved, allocated, fullest = max((cuda.max_memory_reserved(one), cuda.max_memory_allocated(one), one)
                                           for one in range(cuda.device_count()))
        line = {"event": "memory", "time": time.time(), "reserved": reserved, "allocated": allocated,
                "device": torch.cuda.get_device_name(fullest)}
        handle = os.open(run / "events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, (json.dumps(line) + "\n").encode("utf-8"))
        finally:
            os.close(handle)
    except Exception as error:  # noqa: BLE001 - a guest in another program's process: whatever it is, the training goes on
        sys.stderr.write(f"lorabook: the GPU's memory could not be told: {type(error).__name__}: {error}\n")
