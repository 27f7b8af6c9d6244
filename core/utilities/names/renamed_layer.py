"""One layer of a LoRA file under another name: of which rows and columns of the old file's factors it is made, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.utilities.files.lora_file import LoraFile
from core.utilities.files.modules import LoraModule
from core.utilities.names.naming import Naming

if TYPE_CHECKING:
    import torch

ENDINGS: Mapping[Naming, Mapping[str, str]] = {
    "kohya": {"up": ".lora_up.weight", "down": ".lora_down.weight", "alpha": ".alpha", "bias": ".diff_b"},
    "comfy": {"up": ".lora_up.weight", "down": ".lora_down.weight", "alpha": ".alpha", "bias": ".diff_b"},
    "diffusers": {"up": ".lora_B.weight", "down": ".lora_A.weight", "bias": ".lora_B.bias"}}
BIASES = ("up_bias", "diff_b")
"""Roles of a bias beside the factors: PEFT's counts times the scale, LyCORIS' as it is."""


@dataclass(frozen=True)
class Piece:
    """Of which rows and columns of a module's factors a new layer is made."""

    module: LoraModule
    rows: tuple[int, int] | None = None
    """Outputs; None: all."""
    columns: tuple[int, int] | None = None
    """Of the rank; None: all."""
    fold: float = 1.0
    """What down is multiplied with: a power of two."""


@dataclass(frozen=True, eq=False)
class Renamed:
    """One layer of the new file."""

    name: str
    naming: Naming
    pieces: tuple[tuple[Piece, tuple[int, int]], ...]
    """Each with the rows of the new layer that it fills."""
    outputs: int
    shared: bool = False
    """Whether all pieces have the same down factor, which comes once."""
    swapped: bool = False
    alpha: tuple[float, str] | None = None
    """What is written as alpha, and its type; None: nothing."""
    told_alpha: float | None = None
    """What diffusers' settings must say, for the factors do not hold the scale; None: nothing."""

    @property
    def rank(self) -> int:
        """Columns."""
        ranks = [width_of(piece) for piece, _ in self.pieces]
        return ranks[0] if self.shared else sum(ranks)

    def up(self, file: LoraFile) -> torch.Tensor:
        """(outputs, rank, …)."""
        import torch

        ups = [(_cut(file.tensor(piece.module.tensors["up"].name), piece.rows, piece.columns), rows) for piece, rows in self.pieces]
        if len(ups) == 1 and ups[0][1] == (0, self.outputs):
            whole = ups[0][0]
        else:
            whole = torch.zeros((self.outputs, self.rank, *ups[0][0].shape[2:]), dtype=ups[0][0].dtype)
            begin = 0
            for up, rows in ups:
                whole[rows[0]:rows[1], begin:begin + up.shape[1]] = up
                begin += 0 if self.shared else up.shape[1]
        return torch.cat(whole.chunk(2)[::-1]) if self.swapped else whole

    def has_bias(self) -> bool:
        """Whether a bias is learned beside the factors."""
        return any(role in piece.module.tensors for piece, _ in self.pieces for role in BIASES)

    def bias(self, file: LoraFile) -> torch.Tensor:
        """(outputs,) in float64: what is added to the layer's bias; of diffusers what times the told scale is that."""
        import torch

        whole = torch.zeros(self.outputs, dtype=torch.float64)
        for piece, rows in self.pieces:
            for role, place in piece.module.tensors.items():
                if role in BIASES:
                    scale = file.scale(piece.module) if role == "up_bias" else 1.0
                    whole[rows[0]:rows[1]] += _cut(file.tensor(place.name).double().flatten(), piece.rows, None) * scale
        whole = torch.cat(whole.chunk(2)[::-1]) if self.swapped else whole
        return whole if not self.told_alpha else whole * (self.rank / self.told_alpha)

    def down(self, file: LoraFile, exact: bool = False) -> torch.Tensor:
        """(rank, in, …). Args: exact: in float64, so that what folding the scale in rounds away can be measured."""
        import torch

        found = [(_cut(file.tensor(piece.module.tensors["down"].name), piece.columns, None), piece.fold) for piece, _ in self.pieces]
        downs = [scaled(down.double() if exact else down, fold) for down, fold in found]
        return downs[0] if self.shared or len(downs) == 1 else torch.cat(downs)


def scaled(tensor: torch.Tensor, scale: float) -> torch.Tensor:
    """Times a number, in its own type; torch does not compute in eight bits."""
    if scale == 1:
        return tensor
    wide = tensor.float() if tensor.element_size() < 4 else tensor
    return (wide * scale).to(tensor.dtype)


def _cut(tensor: torch.Tensor, rows: tuple[int, int] | None, columns: tuple[int, int] | None) -> torch.Tensor:
    tensor = tensor if rows is None else tensor[rows[0]:rows[1]]
    return tensor if columns is None else tensor[:, columns[0]:columns[1]]


def width_of(piece: Piece) -> int:
    return piece.columns[1] - piece.columns[0] if piece.columns else piece.module.rank
