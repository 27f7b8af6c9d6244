"""What a trainer left behind: new files, whole files, finished LoRAs, states that a run can go on from."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base.errors import ModelError
from core.base.files import explain_disk_errors, sha256, write_with
from core.base.tensor_headers import read_header

ENDINGS = (".safetensors", ".ckpt", ".pt")
INCOMPLETE = ".incomplete"
"""What is put behind the name of a LoRA file that was cut off."""
Snapshot = dict[str, tuple[int, int, int]]
"""File name to (mtime in ns, size in bytes, inode)."""
_NON_FINITE_MASK = {"F16": 0x7C00, "BF16": 0x7F80, "F32": 0x7F800000}
"""Exponent bits; a number whose exponent bits are all set is infinite or NaN (IEEE 754)."""


@dataclass(frozen=True)
class State:
    """A folder from which training can go on."""

    folder: Path
    step: int
    """Optimizer updates that it contains, as the trainer counts them: sd-scripts begins anew at 0 when a run goes on."""
    epoch: int = 0
    """The epoch that its trainer notes in it, 0 where it does not."""


def list_outputs(folder: Path) -> list[Path]:
    """LoRA files in a folder, oldest first; unfinished ones (hidden, or set aside) are left out."""
    files = [path for path in folder.glob("*") if path.suffix in ENDINGS and not path.name.startswith(".") and path.is_file()]
    return sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name))


def take_snapshot(folder: Path) -> Snapshot:
    """How the LoRA files stand now; compared with, not by clock, so that a slow or wrong clock changes nothing."""
    return {path.name: _trace(path) for path in list_outputs(folder)}


def new_outputs(folder: Path, before: Snapshot) -> list[Path]:
    """LoRA files that were written since the snapshot, oldest first."""
    return [path for path in list_outputs(folder) if before.get(path.name) != _trace(path)]


def _trace(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def is_whole(path: Path) -> bool:
    """Whether a LoRA file was written to its end (safetensors: by its header; others: not empty)."""
    if path.suffix != ".safetensors":
        return path.stat().st_size > 0
    try:
        return bool(read_header(path).tensors)
    except ModelError:
        return False


def is_finite(path: Path) -> bool:
    """Whether all weights of a safetensors file are numbers: neither NaN nor infinite. Other formats count as finite."""
    if path.suffix != ".safetensors":
        return True
    import numpy

    for place in read_header(path).tensors:
        if place.dtype not in _NON_FINITE_MASK or not place.size:
            continue
        kind: Any = numpy.uint32 if place.dtype == "F32" else numpy.uint16
        bits = numpy.fromfile(path, dtype=kind, offset=place.begin, count=place.count)
        mask = kind(_NON_FINITE_MASK[place.dtype])
        if bool(((bits & mask) == mask).any()):
            return False
    return True


def set_aside_broken(files: list[Path]) -> list[Path]:
    """Rename files that were cut off in the middle of a save (`INCOMPLETE`), so that nobody loads them.

    Returns: the new paths.
    """
    moved = []
    for path in files:
        if not is_whole(path):
            moved.append(path.rename(path.with_name(path.name + INCOMPLETE)))
    return moved


def publish(file: Path, output: Path) -> Path:
    """Copy a finished LoRA into the project's output folder, whole or not at all; nothing there is overwritten.

    Returns: its place; another number is added to the name when a different file already has it.
    Raises: DiskError: no space or no permission.
    """
    with explain_disk_errors(output):
        output.mkdir(parents=True, exist_ok=True)
    digest, number, place = sha256(file), 1, output / file.name
    while place.exists():
        if sha256(place) == digest:
            return place
        number += 1
        place = output / f"{file.stem}-{number}{file.suffix}"
    write_with(place, lambda temporary: _copy(file, temporary))
    return place


def _copy(file: Path, place: Path) -> None:
    shutil.copyfile(file, place)


def newest_state(folder: Path, output_name: str) -> State | None:
    """The furthest whole state folder of a run, None where there is none."""
    return next(iter(list_states(folder, output_name)), None)


def list_states(folder: Path, output_name: str) -> list[State]:
    """The whole state folders of a run, the furthest first."""
    found = [state for path in folder.glob(f"{_escape(output_name)}*-state") if path.is_dir() and (state := state_in(path)) is not None]
    return sorted(found, key=lambda state: (state.epoch, state.step, state.folder.stat().st_mtime_ns), reverse=True)


def newest_good_state(folder: Path, output_name: str) -> State | None:
    """The furthest whole state whose weights are numbers; those before it that are not are set aside, as are LoRA files like that."""
    for path in list_outputs(folder):
        if is_whole(path) and not is_finite(path):
            _set_aside(path)
    for state in list_states(folder, output_name):
        if all(is_finite(path) for path in state.folder.rglob("*.safetensors")):
            return state
        _set_aside(state.folder)
    return None


def _set_aside(path: Path) -> None:
    """Rename what holds weights that are no numbers to `NAME.nan`, so that nobody takes it up."""
    place, number = path.with_name(f"{path.name}.nan"), 1
    while place.exists():
        number += 1
        place = path.with_name(f"{path.name}.nan{number}")
    path.rename(place)


def folder_size(folder: Path) -> int:
    """Bytes of the files in a folder and below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _escape(name: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", name)


def state_in(folder: Path) -> State | None:
    """The state in a folder. It is whole when its step is known and none of its files is empty or cut off; else None."""
    heavy = [path for path in folder.rglob("*") if path.is_file() and path.name != "train_state.json"]
    if not heavy or not all(is_whole(path) if path.suffix == ".safetensors" else path.stat().st_size for path in heavy):
        return None
    told = _train_state(folder)
    # The built-in trainer renames a finished folder into place; accelerate (sd-scripts) writes into it, the random states last.
    if "place" not in told and not any(path.name.startswith("random_states_") for path in heavy):
        return None
    step, epoch = told.get("current_step"), told.get("current_epoch")
    return State(folder, step, epoch if isinstance(epoch, int) else 0) if isinstance(step, int) else None


def _train_state(folder: Path) -> dict[str, Any]:
    """sd-scripts' train_state.json: current_epoch, current_step; the built-in trainer's has more. {} when it is missing or cut off."""
    try:
        values = json.loads((folder / "train_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
