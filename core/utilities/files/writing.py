"""Safetensors files written tensor by tensor: beside the target and renamed, never more than one tensor in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError
from core.base.files import atomic_write
from core.base.progress import SILENT, Progress
from core.base.tensor_headers import ROOM, TensorPlace, header_bytes, in_own_order, laid_out
from core.utilities.files.hashing import LEGACY_FROM, LEGACY_TO, MODEL_HASHES

if TYPE_CHECKING:
    import torch

Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True)
class NewTensor:
    """A tensor that is to be written: what it is, and how its bytes are had when its turn comes."""

    place: TensorPlace
    """Name, type and shape; where it will lie is not asked for."""
    produce: Callable[[], Bytes]


def new_tensor(name: str, dtype: str, shape: Sequence[int], produce: Callable[[], Bytes]) -> NewTensor:
    """Args: dtype: safetensors' name of it, "F16". produce: gives the bytes, called once, in the order of the file."""
    return NewTensor(TensorPlace(name, dtype, tuple(shape), 0, 0), produce)


def write_safetensors(path: Path, tensors: Iterable[NewTensor], metadata: Mapping[str, str], *, room: int = ROOM, hashes: bool = False,
                      keep_order: bool = False, replace: bool = True, progress: Progress = SILENT) -> dict[str, str]:
    """Write a file, whole or not at all.

    Args:
        tensors: in any order; they come into the file as safetensors' own writer orders them (by type, then by name).
        metadata: texts by name.
        room: blanks behind the header, bytes, for later changes of the metadata.
        hashes: also sd-scripts' sshs_model_hash and sshs_legacy_hash, counted while the tensors go by.
        keep_order: leave the tensors as they are given; types must then lie as their sizes need, or other programs read them slower.
        replace: False: a file that is there, also one that came meanwhile, is never written over.
        progress: counts tensors.
    Returns: the metadata as written.
    Raises: DiskError: no room or no right. ModelError: the header is too long, or a tensor gives another number of bytes than it says.
        FileExistsError: one is there. What is raised while a tensor is made, and Cancelled: nothing is written.
    """
    given = {tensor.place.name: tensor for tensor in tensors}
    wanted = [tensor.place for tensor in given.values()]
    places = laid_out(wanted if keep_order else in_own_order(wanted))
    written = {str(name): str(value) for name, value in metadata.items()}
    if hashes:
        written |= {name: "0" * length for name, length in MODEL_HASHES.items()}
    head = header_bytes(places, written, room)
    counted = _Hashes(places, written) if hashes else None
    with atomic_write(Path(path), replace=replace, clear=True) as file:
        file.write(head)
        for place in progress.track(places, "Writing tensors"):
            data = memoryview(given[place.name].produce()).cast("B")
            if data.nbytes != place.size:
                raise ModelError(f"{place.name} should have {place.size} bytes, but {data.nbytes} came.", "This is a mistake of Lorabook.")
            file.write(data)
            if counted is not None:
                counted.take(data)
        if counted is not None:
            written |= counted.found()
            file.seek(0)
            file.write(header_bytes(places, written, room))  # as long as before, for the hashes are
    return written


class _Hashes:
    """Both hashes of sd-scripts while the tensors go by (library/train_util.py, precalculate_safetensors_hashes)."""

    def __init__(self, places: Sequence[TensorPlace], metadata: Mapping[str, str]) -> None:
        kept = {name: value for name, value in metadata.items() if name.startswith("ss_")}
        self._all, self._window = hashlib.sha256(), hashlib.sha256()
        self._at = 0
        """Where the next byte would lie in a file that has only the ss_ keys."""
        self._count(header_bytes(places, kept))

    def take(self, data: memoryview) -> None:
        """The next tensor's bytes."""
        self._all.update(data)
        self._count(data)

    def _count(self, data: Bytes) -> None:
        first, last = max(0, LEGACY_FROM - self._at), LEGACY_TO - self._at
        if last > first:
            self._window.update(memoryview(data)[first:last])
        self._at += len(data)

    def found(self) -> dict[str, str]:
        """By the names of MODEL_HASHES."""
        return {"sshs_model_hash": self._all.hexdigest(), "sshs_legacy_hash": self._window.hexdigest()[:8]}


def bytes_of(tensor: torch.Tensor) -> memoryview:
    """A tensor's values as bytes, on the CPU, in the order that files have; copied only where it does not lie so."""
    import torch

    flat: Any = tensor.detach().to("cpu").contiguous().reshape(-1)
    return memoryview(flat.view(torch.uint8).numpy()) if flat.numel() else memoryview(b"")
