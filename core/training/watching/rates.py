"""Lower learning rates in a saved state: `python -m core.training.watching.rates STATE FACTOR`. A supervisor calls it.

Optimizer and schedule bring their rates along in the state, so that lower ones in the settings alone would change nothing. It is a
process of its own, for it needs torch, which the supervisor does without. Known: the built-in trainer's `optimizer.bin`, and what
accelerate writes for sd-scripts (`optimizer.bin`, `scheduler.bin`).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.base.errors import TrainingError

RATES = ("lr", "initial_lr")
OF_SCHEDULE = ("base_lrs", "_last_lr")


def lower_rates(state: Path, factor: float) -> None:
    """Multiply every rate in a state; the folder is replaced when the new one is whole. Raises: TrainingError: it is no known state."""
    fresh, old = state.with_name(f".{state.name}.part"), state.with_name(f".{state.name}.old")
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(state, fresh)
    try:
        if not sum(_rewrite(fresh / name, factor) for name in ("optimizer.bin", "scheduler.bin")):
            raise TrainingError(f"{state} holds no learning rates that can be lowered.", "Start the run anew with a lower rate.")
        os.replace(state, old)
        os.replace(fresh, state)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _rewrite(path: Path, factor: float) -> int:
    """Lower what one file holds. Returns: how many rates."""
    import torch

    if not path.is_file():
        return 0
    content = torch.load(path, map_location="cpu", weights_only=True)
    found = _lower(content, factor)
    with open(path, "wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    return found


def _lower(content: Any, factor: float) -> int:
    if not isinstance(content, dict):
        return 0
    found = 0
    for group in content.get("param_groups", []):
        found += _scale(group, RATES, lambda value: value * factor)
    found += _scale(content, OF_SCHEDULE, lambda values: [value * factor for value in values])
    return found + sum(_lower(content.get(name), factor) for name in ("optimizer", "schedule"))


def _scale(values: dict[str, Any], names: tuple[str, ...], scaled: Callable[[Any], Any]) -> int:
    known = [name for name in names if values.get(name) is not None]
    for name in known:
        values[name] = scaled(values[name])
    return len(known)


if __name__ == "__main__":
    lower_rates(Path(sys.argv[1]), float(sys.argv[2]))
