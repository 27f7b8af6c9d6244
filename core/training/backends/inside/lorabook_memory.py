"""Tells how much GPU memory a trainer's torch held at most, from inside its process: `begin(folder)` once, at its start.

It imports nothing but the standard library: torch is asked only where the trainer itself has loaded it and uses a GPU.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import sys
from pathlib import Path

VARIABLE = "LORABOOK_MEMORY_FOLDER"
"""Names the folder that the numbers are written into."""


def begin(folder: str | None = None) -> None:
    """Write them when this process ends, also after an error. Args: folder: None: as the variable says; where that is empty, nothing."""
    folder = folder or os.environ.get(VARIABLE)
    if folder:
        atexit.register(tell, Path(folder))


def tell(folder: Path) -> None:
    """Write `memory-PID.json` with the bytes that torch reserved and used on its fullest GPU; nothing where it uses none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return
    numbers = [(torch.cuda.max_memory_reserved(one), torch.cuda.max_memory_allocated(one)) for one in range(torch.cuda.device_count())]
    reserved, allocated = max(numbers)
    with contextlib.suppress(OSError):  # a measurement that cannot be written must not end in an error
        (folder / f"memory-{os.getpid()}.json").write_text(json.dumps({"reserved": reserved, "allocated": allocated}), encoding="utf-8")
