"""Everything that a later process needs to go on exactly where a run was: written whole or not at all."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import TrainingError
from core.base.files import explain_disk_errors, write_json

if TYPE_CHECKING:
    from core.training.builtin.network import LoraNetwork


@dataclass
class Position:
    """Where a run is. sd-scripts' names for the first two."""

    current_epoch: int = 1
    """The epoch of the next batch, counted from 1."""
    current_step: int = 0
    """Optimizer steps made."""
    place: int = 0
    """The next batch in that epoch, from 0."""
    seed: int = 0
    batches: int = 0
    """Per epoch: a run on other data is no continuation."""
    optimizer: str = ""
    """Its class."""
    losses: list[float] = field(default_factory=list)
    """Of the last pass, for the average."""


def save_state(folder: Path, position: Position, network: LoraNetwork, optimizer: Any, schedule: Any, scaler: Any) -> None:
    """Write a state folder beside its final place and rename it. Raises: DiskError: no space or no permission."""
    import numpy
    import torch
    from safetensors.torch import save_file

    with explain_disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        save_file(network.raw_state(), fresh / "model.safetensors")
        numbers: Any = numpy.random.get_state()
        python = random.getstate()
        rng = {"torch": torch.get_rng_state()}
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            rng["cuda"] = torch.cuda.get_rng_state()
        torch.save({"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(), "scaler": scaler.state_dict(), "rng": rng},
                   fresh / "optimizer.bin")
        _sync(fresh / "model.safetensors")
        _sync(fresh / "optimizer.bin")
        write_json(fresh / "train_state.json", {**asdict(position), "python_rng": [python[0], list(python[1]), python[2]],
                                                "numpy_rng": [numbers[0], numbers[1].tolist(), *numbers[2:]]})
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.replace(folder, old)
        os.replace(fresh, folder)
        shutil.rmtree(old, ignore_errors=True)


def state_size(network: LoraNetwork, optimizer: Any) -> int:
    """Bytes that `save_state` is about to write, without the few that say where the run is."""
    kept = [value for values in optimizer.state.values() for value in values.values() if hasattr(value, "element_size")]
    return sum(value.numel() * value.element_size() for value in [*network.raw_state().values(), *kept])


def _sync(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def read_position(folder: Path) -> Position:
    """Where a saved run was. Raises: TrainingError: there is no state of the built-in trainer in that folder."""
    try:
        values = json.loads((folder / "train_state.json").read_text(encoding="utf-8"))
        return Position(**{key: values[key] for key in Position.__dataclass_fields__})
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{folder} holds no state that the built-in trainer can go on from.",
                            "Choose a folder that ends in -state and was written by the built-in trainer.") from error


def load_state(folder: Path, network: LoraNetwork, optimizer: Any, schedule: Any, scaler: Any) -> Position:
    """Put network, optimizer, schedule and random numbers back.

    Raises: TrainingError: the folder is damaged, or the optimizer is another one. ModelError: the network is another one.
    """
    import numpy
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    position = read_position(folder)
    if position.optimizer != type(optimizer).__name__:
        raise TrainingError(f"The state in {folder} was made with the optimizer {position.optimizer}, but the settings say "
                            f"{type(optimizer).__name__}.", "Resume with the optimizer of that run.")
    try:
        network.load_raw_state(load_file(folder / "model.safetensors"))
        saved = torch.load(folder / "optimizer.bin", map_location="cpu", weights_only=True)
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        scaler.load_state_dict(saved["scaler"])
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError, pickle.UnpicklingError) as error:
        raise TrainingError(f"The state in {folder} cannot be loaded: {error}",
                            "Resume with the optimizer of that run, or from an earlier state.") from error
    torch.set_rng_state(saved["rng"]["torch"])
    if "cuda" in saved["rng"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(saved["rng"]["cuda"])
    values = json.loads((folder / "train_state.json").read_text(encoding="utf-8"))
    version, numbers, gauss = values["python_rng"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = values["numpy_rng"]
    numpy.random.set_state((name, numpy.array(keys, dtype=numpy.uint32), *rest))
    return position
