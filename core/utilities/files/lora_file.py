"""A LoRA file, opened: its header and its modules at once, its tensors memory-mapped, each read when it is asked for."""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from core.base.errors import ModelError
from core.base.tensor_headers import Header, TensorPlace, read_header
from core.utilities.files.header_rescue import mend_header
from core.utilities.files.modules import LoraModule, group_modules

if TYPE_CHECKING:
    import torch

TORCH_TYPES = {"BOOL": "bool", "U8": "uint8", "I8": "int8", "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn", "I16": "int16",
               "U16": "uint16", "F16": "float16", "BF16": "bfloat16", "I32": "int32", "U32": "uint32", "F32": "float32", "F64": "float64",
               "I64": "int64", "U64": "uint64", "F8_E8M0": "float8_e8m0fnu", "F8_E4M3FNUZ": "float8_e4m3fnuz",
               "F8_E5M2FNUZ": "float8_e5m2fnuz"}
"""safetensors' names of types and torch's."""
FLOATS = ("F16", "BF16", "F32", "F64", "F8_E4M3", "F8_E5M2")
NUMBERS = {"F16": "<e", "F32": "<f", "F64": "<d", "I16": "<h", "I32": "<i", "I64": "<q", "U8": "<B", "I8": "<b"}
"""How one value is read without torch."""
HALVES = {"BF16": ("<f", b"\0\0"), "F8_E5M2": ("<e", b"\0")}
"""Types that are the upper half of another one."""


class TensorFile:
    """A safetensors file that is open for reading. Nothing is loaded until it is asked for; the file itself cannot be changed through it.

    Args: path: a .safetensors file.
    Raises: ModelError: it is none, or broken. DiskError: no right to read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        mend_header(self.path)
        self.header: Header = read_header(self.path)
        self.places = {place.name: place for place in self.header.tensors}
        with open(self.path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back. It stays mapped while tensors of it are held: torch does not say that it holds it, so nothing is unmapped."""
        self.__dict__.pop("_map", None)

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says of itself."""
        return dict(self.header.metadata)

    def view(self, name: str) -> memoryview:
        """The bytes of a tensor as they lie in the file, not copied. Raises: KeyError: no tensor has that name."""
        place = self.places[name]
        return memoryview(self._map)[place.begin:place.begin + place.size]

    def tensor(self, name: str) -> torch.Tensor:
        """A tensor as it lies in the file, memory-mapped. Raises: KeyError: none has that name. ModelError: of a type that torch lacks."""
        import torch

        place = self.places[name]
        if place.dtype not in TORCH_TYPES:
            raise ModelError(f"{name} in {self.path.name} has the type {place.dtype}, which is not computed with here.",
                             "Save the file in float16 or float32 first.")
        dtype: Any = getattr(torch, TORCH_TYPES[place.dtype])
        if not place.count:
            return torch.empty(place.shape, dtype=dtype)
        if place.begin % dtype.itemsize:  # a writer that did not care where it begins
            return torch.frombuffer(bytearray(self.view(name)), dtype=dtype).reshape(place.shape)
        return torch.frombuffer(self._map, dtype=dtype, count=place.count, offset=place.begin).reshape(place.shape)

    def release(self) -> None:
        """Tell the system that the pages read so far are not needed soon, so that they do not count as this process's memory."""
        if hasattr(self._map, "madvise"):
            self._map.madvise(mmap.MADV_DONTNEED)


class LoraFile(TensorFile):
    """A LoRA file that is open for reading. Nothing is loaded until it is asked for; the file itself cannot be changed through it.

    Args: path: a .safetensors file.
    Raises: ModelError: it is none, broken, or no LoRA file. DiskError: no right to read it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.modules, self.unknown = group_modules(self.header.tensors)
        if not self.modules:
            raise ModelError(f"{self.path.name} holds no layers of a LoRA ({len(self.places)} tensors of other names).",
                             "Choose a LoRA file; base models and embeddings are not opened here.")

    def tensors_of(self, module: LoraModule) -> dict[str, torch.Tensor]:
        """The tensors of a module by their role."""
        return {role: self.tensor(place.name) for role, place in module.tensors.items()}

    def number(self, place: TensorPlace) -> float:
        """The one value of a tensor, read without torch. Raises: ModelError: it has several, or is of no type that numbers have."""
        data = bytes(self.view(place.name))
        if place.count == 1 and place.dtype in HALVES:
            kind, before = HALVES[place.dtype]
            return float(struct.unpack(kind, before + data)[0])
        if place.count == 1 and place.dtype == "F8_E4M3":
            return _of_eight_bits(data[0])
        if place.count != 1 or place.dtype not in NUMBERS:
            raise ModelError(f"{place.name} in {self.path.name} should be one number, but is {place.dtype} of shape {list(place.shape)}.",
                             "The file is broken: save it again with the program that made it.")
        return float(struct.unpack(NUMBERS[place.dtype], data)[0])

    def alpha(self, module: LoraModule) -> float:
        """The module's alpha; where the file has none, that of PEFT's settings in its metadata, else its rank, which is no scaling."""
        if "alpha" in module.tensors and module.kind not in ("oft", "boft"):
            return self.number(module.tensors["alpha"])
        return self._peft_alpha(module)

    def scale(self, module: LoraModule) -> float:
        """What the module's product is multiplied with: alpha / rank, and LyCORIS' scalar; 1 where there is no rank.

        Source: LyCORIS at f49d30d, modules/lokr.py: a LoKr of two whole matrices takes no alpha.
        """
        scale = self.alpha(module) / module.rank if module.rank else 1.0
        return scale * (self.number(module.tensors["scalar"]) if "scalar" in module.tensors else 1.0)

    def missing_alpha(self) -> list[str]:
        """Modules that need an alpha and have none, neither of their own nor in PEFT's settings."""
        return [module.name for module in self.modules if module.rank and "alpha" not in module.tensors
                and not self._peft(module)]

    @cached_property
    def dtypes(self) -> dict[str, int]:
        """Types of the tensors, without the numbers alpha: name to how many bytes are of it; the largest first."""
        found: dict[str, int] = {}
        for place in self.header.tensors:
            if place.count > 1:
                found[place.dtype] = found.get(place.dtype, 0) + place.size
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @cached_property
    def _peft_settings(self) -> dict[str, Any]:
        """What diffusers keeps of PEFT's LoraConfig under one key of the metadata (loaders/lora_base.py)."""
        try:
            found = json.loads(self.header.metadata.get("lora_adapter_metadata", "{}"))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _peft(self, module: LoraModule) -> dict[str, Any]:
        """The settings for the part that a module belongs to: "transformer.", "unet.", "text_encoder."."""
        part = module.name.partition(".")[0]
        return {name.removeprefix(f"{part}."): value for name, value in self._peft_settings.items() if name.startswith(f"{part}.")}

    def _peft_alpha(self, module: LoraModule) -> float:
        settings = self._peft(module)
        own = [value for name, value in (settings.get("alpha_pattern") or {}).items() if module.name.endswith(f".{name}")]
        alpha = (own or [settings.get("lora_alpha")])[0]
        if not isinstance(alpha, (int, float)):
            return float(module.rank)
        return float(alpha) * (module.rank ** 0.5 if settings.get("use_rslora") else 1.0)

    def items(self) -> Iterator[tuple[TensorPlace, memoryview]]:
        """Every tensor's place and bytes, in the order of the file."""
        for place in self.header.tensors:
            yield place, self.view(place.name)

    def tensors_hash(self) -> str:
        """SHA-256 of everything behind the header, counted now: what the metadata says may be old."""
        found = hashlib.sha256()
        for _, data in self.items():
            found.update(data)
        self.release()
        return found.hexdigest()


def _of_eight_bits(byte: int) -> float:
    """E4M3 without infinities (arXiv:2209.05433): a sign, four bits of the exponent, three of the fraction."""
    sign, exponent, fraction = -1.0 if byte & 0x80 else 1.0, byte >> 3 & 15, byte & 7
    if byte & 0x7F == 0x7F:
        return float("nan")
    return sign * (fraction / 8 * 2.0 ** -6 if not exponent else (1 + fraction / 8) * 2.0 ** (exponent - 7))


def open_lora(path: str | Path) -> LoraFile:
    """Open a LoRA file; use it with `with`. Raises: ModelError, ConfigError: as `LoraFile`, and a path that nothing can be."""
    from core.base.paths import typed_path

    return LoraFile(typed_path(path))
