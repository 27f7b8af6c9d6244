"""The header of a safetensors file: what each tensor is and where it lies; told apart from files that are none, and made anew.

Source of the format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from core.base.errors import ModelError
from core.base.files import explain_disk_errors

DTYPES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1, "I16": 2, "U16": 2,
          "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "C64": 8, "F64": 8, "I64": 8, "U64": 8}
"""Bytes of one value, in the order of safetensors' own list: its writer puts the last of these first in a file (tensor.rs, `Dtype`)."""
LONGEST = 100_000_000
"""Bytes that a header may have (safetensors' MAX_HEADER_SIZE)."""
ROOM = 32 << 10
"""Bytes of blanks behind a header that is written here, so that later changes of its metadata fit without moving the tensors."""
CONVERT = "The panel Convert a LoRA file, or ./jupyter.sh core convert-pickled, makes a .safetensors of it without running what is in it."


@dataclass(frozen=True)
class TensorPlace:
    """One tensor of a file: what it is and which bytes are its own."""

    name: str
    dtype: str
    """A name of DTYPES."""
    shape: tuple[int, ...]
    begin: int
    """First byte, counted from the beginning of the file."""
    size: int
    """Bytes."""

    @property
    def count(self) -> int:
        """How many values."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """What stands before the tensors."""

    tensors: tuple[TensorPlace, ...]
    """In the order in which they lie in the file."""
    metadata: Mapping[str, str]
    length: int
    """Bytes of the header with its blanks, without the eight that tell it."""
    size: int
    """Bytes of the whole file."""

    @property
    def start(self) -> int:
        """The first byte of the tensors."""
        return 8 + self.length

    @cached_property
    def by_name(self) -> Mapping[str, TensorPlace]:
        """Each tensor by its name."""
        return {place.name: place for place in self.tensors}

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Each tensor's shape by its name."""
        return {place.name: place.shape for place in self.tensors}


def read_header(path: Path) -> Header:
    """The header of a safetensors file. No tensor is read.

    Raises: ModelError: there is none; it is another kind of file, cut off, pickled, or its header is wrong. DiskError: no right to read.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path} does not exist." if not path.exists() else f"{path} is not a file.", "Choose a .safetensors file.")
    with explain_disk_errors(path), open(path, "rb") as file:
        size = path.stat().st_size
        start = file.read(8)
        length = int.from_bytes(start, "little")
        first = file.read(1)
        _refuse_others(path, start + first, length, size)
        text = first + file.read(length - 1)
    try:
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("it is no table")
        metadata = values.pop("__metadata__", None) or {}
        tensors = _places(values, 8 + length)
        named = {str(name): str(value) for name, value in dict(metadata).items()}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"The header of {path.name} cannot be read ({error}).",
                         "The file is broken: download or save it again.") from error
    _check_places(path, tensors, 8 + length, size)
    return Header(tuple(tensors), named, length, size)


def _refuse_others(path: Path, start: bytes, length: int, size: int) -> None:
    """Raises: ModelError: the first bytes are not those of a safetensors file, in words."""
    is_header = start[8:9] == b"{" and length <= LONGEST  # a header of 1,152 bytes begins as a pickle does: with 80 04
    if not is_header and (start[:4] == b"PK\x03\x04" or start[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise ModelError(f"{path.name} is a pickled checkpoint (.pt, .ckpt, .bin): opening it could run whatever program is hidden in it.",
                         CONVERT)
    if size < 10:
        raise ModelError(f"{path.name} is not a safetensors file: it has only {size} bytes.", "Download or save it again.")
    if start[8:9] != b"{":
        what = "a web page" if start.lstrip()[:1] == b"<" else "something else"
        raise ModelError(f"{path.name} is not a safetensors file: it begins as {what} does.",
                         "Choose a .safetensors file, or download it again.")
    if length > LONGEST:
        raise ModelError(f"The header of {path.name} would be {length:,} bytes long; a safetensors file may have {LONGEST:,} at most.",
                         "The file is broken, or made to break programs: do not use it.")
    if 8 + length > size:
        raise ModelError(f"{path.name} is cut off within its header: {size:,} bytes of at least {8 + length:,}.", "Download it again.")


def _places(values: Mapping[str, Any], start: int) -> list[TensorPlace]:
    """Raises: ValueError, KeyError, TypeError: an entry is not as the format says."""
    found = []
    for name, entry in values.items():
        begin, end = (int(place) for place in entry["data_offsets"])
        place = TensorPlace(name, str(entry["dtype"]), tuple(int(side) for side in entry["shape"]), start + begin, end - begin)
        if place.dtype not in DTYPES:
            raise ValueError(f"{name} has the unknown type {place.dtype}")
        if min((*place.shape, begin, end - begin)) < 0 or place.size != place.count * DTYPES[place.dtype]:
            raise ValueError(f"{name} has {end - begin} bytes, which its shape {list(place.shape)} does not need")
        found.append(place)
    return sorted(found, key=lambda place: (place.begin, place.size))  # what is empty lies before what begins at the same byte


def _check_places(path: Path, tensors: Iterable[TensorPlace], start: int, size: int) -> None:
    """Raises: ModelError: the file is cut off, or tensors lie over each other or apart."""
    end = start
    for place in tensors:
        if place.begin != end:
            raise ModelError(f"{path.name} is broken: {place.name} begins at byte {place.begin:,}, where {end:,} is the next one.",
                             "Download or save it again.")
        end += place.size
    if size < end:
        raise ModelError(f"{path.name} is cut off: {size:,} bytes of {end:,}.", "Download it again.")
    if size > end:
        raise ModelError(f"{path.name} has {size - end:,} bytes behind its last tensor, which no safetensors file has.",
                         "Download or save it again.")


def in_own_order(tensors: Iterable[TensorPlace]) -> list[TensorPlace]:
    """As safetensors' own writer orders them: larger types first (so that each lies at a multiple of its size), then by name."""
    rank = {name: number for number, name in enumerate(DTYPES)}
    return sorted(tensors, key=lambda place: (-rank[place.dtype], place.name))


def laid_out(tensors: Iterable[TensorPlace]) -> list[TensorPlace]:
    """The same tensors one behind the other, `begin` counted from the first of them."""
    placed, end = [], 0
    for place in tensors:
        placed.append(replace(place, begin=end, size=place.count * DTYPES[place.dtype]))
        end += placed[-1].size
    return placed


def header_bytes(tensors: Iterable[TensorPlace], metadata: Mapping[str, str], room: int = 0) -> bytes:
    """A header with the eight bytes that tell its length; `begin` of the tensors counts from the first of them.

    Args: room: blanks behind it, bytes. Its end lies at a multiple of eight, as safetensors' own writer has it.
    Raises: ModelError: it would be longer than a safetensors file may have.
    """
    values: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    for place in tensors:
        values[place.name] = {"dtype": place.dtype, "shape": list(place.shape), "data_offsets": [place.begin, place.begin + place.size]}
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    length = len(text) + room
    length += -length % 8
    if length > LONGEST:
        raise ModelError(f"The header would be {length:,} bytes long; {LONGEST:,} are the most that a safetensors file may have.",
                         "Make the metadata shorter, the thumbnail smaller.")
    return length.to_bytes(8, "little") + text.ljust(length)


def fitted(text: bytes, length: int) -> bytes | None:
    """A header of `header_bytes` with blanks up to another length; None: it is longer than that. Args: length: without the first eight."""
    bare = text[8:].rstrip(b" ")
    return None if len(bare) > length else length.to_bytes(8, "little") + bare.ljust(length)
