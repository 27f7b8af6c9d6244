"""Reading the tensors of a model file without running anything that it holds: safetensors, pickles of tensors, TorchScript archives."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError
from core.base.named_code import named_code

if TYPE_CHECKING:
    import torch

AGAIN = "Download it again, or choose another file."
CODE = "__torch__."
"""Beginning of the names of classes in a TorchScript archive."""
BROKEN = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, RuntimeError, pickle.UnpicklingError,
          zipfile.BadZipFile)
"""What readers raise on damaged files."""


def read_weights(path: Path) -> dict[str, Any]:
    """The tensors of a file by name (of a pickle: what it holds, tables of tensors among it), on the CPU.

    Raises: ModelError: missing, damaged, or it holds something else than tensors by name.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix.lower() in (".safetensors", ".sft"):
            return dict(load_file(path))
        if _is_torchscript(path):
            return _read_torchscript(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(f"{path} is not there (any more).", AGAIN) from error
    except (SafetensorError, *BROKEN) as error:
        if code := named_code(str(error)):
            raise ModelError(f"{path.name} holds more than weights (it names {code}, which would run as code), and was not opened.",
                             "Take it from its maker as .safetensors.") from error
        raise ModelError(f"{path.name} is damaged, or it holds no weights that can be read.", AGAIN) from error
    if not isinstance(found, dict) or not found:
        raise ModelError(f"{path.name} holds a {type(found).__name__} and no weights by name.", AGAIN)
    return found


def _is_torchscript(path: Path) -> bool:
    """Whether it is an archive that brings its own code, which is not run here."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.partition("/")[2] == "constants.pkl" for name in archive.namelist())


class _Part:
    """Stands for any class of an archive: what it was given, and nothing else."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class _Reader(pickle.Unpickler):
    """Makes tensors, tables and `_Part`s; every other name is refused."""

    def __init__(self, archive: zipfile.ZipFile, top: str) -> None:
        super().__init__(archive.open(f"{top}/data.pkl"))
        self.archive, self.top, self.storages = archive, top, dict[str, Any]()

    def find_class(self, module: str, name: str) -> Any:
        """Raises: UnpicklingError: it is none of those that are known."""
        import collections

        import torch

        if f"{module}.".startswith(CODE):
            return _Part
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name.endswith("Storage") and hasattr(torch, name):
            return getattr(torch, name).dtype
        if module == "torch.jit._pickle" and name.startswith(("build_", "restore_")):
            return _first
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        raise pickle.UnpicklingError(f"GLOBAL {module}.{name} is not allowed here")

    def persistent_load(self, pid: Any) -> torch.Tensor:
        """One storage, flat."""
        import torch

        _, dtype, key, _, count = pid
        if key not in self.storages:
            data = bytearray(self.archive.read(f"{self.top}/data/{key}"))
            self.storages[key] = torch.frombuffer(data, dtype=dtype, count=count) if count else torch.empty(0, dtype=dtype)
        return self.storages[key]


def _first(value: Any, *rest: Any) -> Any:
    return value


def _tensor(storage: torch.Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: Any) -> torch.Tensor:
    return storage.as_strided(size, stride, offset).clone()


def _read_torchscript(path: Path) -> dict[str, torch.Tensor]:
    with zipfile.ZipFile(path) as archive:
        top = next(name for name in archive.namelist() if name.endswith("/data.pkl")).partition("/")[0]
        return _tensors_of(_Reader(archive, top).load(), "")


def _tensors_of(part: Any, before: str) -> dict[str, torch.Tensor]:
    """Parameters and buffers of a module and its children, as `state_dict` calls them."""
    import torch

    found: dict[str, torch.Tensor] = {}
    for name, value in vars(part).items():
        if isinstance(value, torch.Tensor):
            found[before + name] = value
        elif isinstance(value, _Part):
            found |= _tensors_of(value, f"{before}{name}.")
    return found
