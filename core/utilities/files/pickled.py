"""A pickled checkpoint (.pt, .ckpt, .bin) made into a safetensors file, without running what may be hidden in it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from core.base.errors import ConfigError, ModelError
from core.base.named_code import named_code, what_it_does
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted
from core.utilities.files.lora_file import TORCH_TYPES
from core.utilities.files.targets import beside, free_target, taken
from core.utilities.files.writing import bytes_of, new_tensor, write_safetensors

SAFE = "Ask its maker for a .safetensors file, or take another one; open it nowhere else if you do not know where it comes from."
INSIDE = ("state_dict", "model", "module")
"""Names under which checkpoints keep their tensors one level down."""


class PickledSettings(Settings):
    """A file to be converted."""

    title: ClassVar[str] = "Convert a pickled checkpoint"
    file: str = setting(..., "Checkpoint", "A .pt, .ckpt, .pth or .bin file.")
    save_to: str = setting("", "Save as", "Empty: beside it, with the ending .safetensors.")

    def usual_target(self) -> Path:
        """Where the result goes when nothing is said. Raises: ConfigError: the file's path cannot be resolved."""
        return beside(self.file, "")


@dataclass(frozen=True)
class PickledReport:
    """What was written."""

    file: str
    tensors: int
    left: tuple[str, ...]
    """Entries that are no tensors, or stand beside the model's."""

    def sentence(self) -> str:
        """The report in words."""
        more = f" and {len(self.left) - 5} more" if len(self.left) > 5 else ""
        left = f" Left out: {', '.join(self.left[:5])}{more}." if self.left else ""
        return f"{Path(self.file).name}: {counted(self.tensors, 'tensor')}.{left}"


def convert_pickled(settings: PickledSettings, progress: Progress = SILENT) -> PickledReport:
    """Read a pickled checkpoint with torch's weights_only, which builds tensors and plain values and runs nothing else.

    Raises: ModelError: it holds other objects, is broken, holds no tensors, several models, or tensors that safetensors does not have.
        ConfigError: the target is taken. DiskError, Cancelled.
    """
    path = typed_path(settings.file)
    if not path.is_file():
        raise ModelError(f"{path} does not exist.", "Choose a .pt, .ckpt, .pth or .bin file.")
    target = free_target(settings.usual_target(), settings.save_to)
    values, beside = _model_of(path, _read(path))
    tensors: dict[str, Any] = {str(name): value for name, value in values.items() if _is_tensor(value)}
    if not tensors:
        raise ModelError(f"{path.name} holds no tensors.", "It is no checkpoint of a model.")
    dtypes = {name: kind for kind, name in TORCH_TYPES.items()}
    if odd := [name for name, value in tensors.items() if str(value.dtype).removeprefix("torch.") not in dtypes]:
        raise ModelError(f"{odd[0]} in {path.name} has the type {tensors[odd[0]].dtype}, which safetensors does not have.")
    if odd := [name for name, value in tensors.items() if value.is_meta or not _is_dense(value)]:
        raise ModelError(f"{odd[0]} in {path.name} holds no values of its own (it is sparse, or was saved without them).",
                         "Only whole tensors are written: save it again with the program that made it.")
    made = [new_tensor(name, dtypes[str(value.dtype).removeprefix("torch.")], tuple(value.shape), partial(bytes_of, value))
            for name, value in tensors.items()]
    with taken(target):
        write_safetensors(target, made, {}, replace=False, progress=progress)
    return PickledReport(str(target), len(made), (*(str(name) for name in values if str(name) not in tensors), *beside))


def _model_of(path: Path, values: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """The tensors of the one model in a checkpoint, and what stands beside them one level up.

    Raises: ModelError: several entries hold tensors of their own, and none of them is called as checkpoints call their model.
    """
    inside = {str(name): value for name, value in values.items() if isinstance(value, dict) and any(map(_is_tensor, value.values()))}
    name = next((one for one in INSIDE if one in inside), "")
    larger = [name for name, value in values.items() if _is_tensor(value) and value.numel() > 1]
    if not name and len(inside) == 1 and not larger:
        name, = inside
    if name:
        return inside[name], [str(other) for other in values if other != name]
    if inside:
        both = f" beside {counted(len(larger), 'tensor')}" if larger else ""
        raise ModelError(f"{path.name} holds several groups of tensors{both}: {', '.join(list(inside)[:5])}.",
                         "One file holds one model: save each by itself with the program that made it.")
    return values, []


def _read(path: Path) -> Mapping[str, Any]:
    import torch

    if path.suffix == ".safetensors":
        raise ConfigError(f"{path.name} is a safetensors file already.")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if name := named_code(str(error)):
            raise ModelError(f"{path.name} holds more than tensors and is not opened: it names {name}, {what_it_does(name)}. Nothing of it "
                             "was run.", SAFE) from error
        if "Weights only load failed" in str(error):
            raise ModelError(f"{path.name} is broken, or holds more than tensors, and is not opened. Nothing of it was run.",
                             SAFE) from error
        raise ModelError(f"{path.name} cannot be read: {error}", "Download it again.") from error
    except Exception as error:  # a broken pickle ends in whatever its bytes happen to ask for
        raise ModelError(f"{path.name} cannot be read as a checkpoint: {error}", "Download it again.") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path.name} holds a {type(values).__name__}, not the tensors of a model by name.")
    return values


def _is_dense(value: Any) -> bool:
    import torch

    return bool(value.layout == torch.strided)


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)
