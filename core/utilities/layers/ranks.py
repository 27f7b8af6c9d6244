"""How many singular values are kept: a fixed number, or by a rule of sd-scripts' resize_lora.py, under a ceiling. torch is not needed.

Source of the rules: kohya-ss/sd-scripts at 48d368fa, networks/resize_lora.py (index_sv_ratio, index_sv_cumulative, index_sv_fro,
rank_resize): each keeps one more than its rule asks for, at least two where the matrix has them, and one where the update is zero. Never
more than the update has are kept here: sd-scripts then adds one of pure rounding error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.base.errors import ConfigError

Method = Literal["fixed", "sv_ratio", "sv_cumulative", "sv_fro"]
METHODS: tuple[Method, ...] = ("fixed", "sv_ratio", "sv_cumulative", "sv_fro")
NO_CEILING = 1 << 20
ZERO = 1e-6
"""A largest singular value that counts as none (MIN_SV)."""


@dataclass(frozen=True)
class RankRule:
    """What decides about the rank of a layer."""

    method: Method = "fixed"
    param: float = 0.0
    """sv_ratio: the largest value may be so many times the smallest kept; sv_cumulative: kept share of their sum, 0 to 1; sv_fro: kept
    share of the Frobenius norm, 0 to 1."""
    rank: int = 16
    """Fixed: the rank. Else the most that a layer gets."""
    conv_rank: int | None = None
    """The same for convolutions larger than 1 × 1; None: as `rank`."""

    def __post_init__(self) -> None:
        """Raises: ConfigError: the rule's number is out of its bounds."""
        if self.method == "sv_ratio" and self.param < 1:
            raise ConfigError(f"sv_ratio needs a number of at least 1, but has {self.param:g}.", "20 keeps what matters of most files.")
        if self.method in ("sv_cumulative", "sv_fro") and not 0 < self.param <= 1:
            raise ConfigError(f"{self.method} needs a share between 0 and 1, but has {self.param:g}.", "0.97 is a start.")
        if self.rank < 1 or (self.conv_rank is not None and self.conv_rank < 1):
            raise ConfigError(f"A rank must be at least 1, but is {min(self.rank, self.conv_rank or self.rank)}.")

    @property
    def words(self) -> str:
        """"rank 16", "sv_fro 0.97, at most 64", with the rank of convolutions where it is another."""
        conv = "" if self.conv_rank in (None, self.rank) else f", convolutions {self.conv_rank}"
        most = f", at most {self.rank}{conv}" if self.rank < NO_CEILING else conv
        return f"rank {self.rank}{conv}" if self.method == "fixed" else f"{self.method} {self.param:g}{most}"

    def rank_of(self, values: Sequence[float], smaller_side: int, is_large_kernel: bool = False) -> int:
        """How many values of a layer are kept.

        Args:
            values: its singular values without the scale, the largest first; as many as its update has, so fewer than a full matrix.
            smaller_side: min(out, in · kernel), which is how many a full matrix has.
        """
        ceiling = self.conv_rank if is_large_kernel and self.conv_rank is not None else self.rank
        most = min(ceiling, max(1, len(values)))
        if not values or values[0] <= ZERO:
            return 1
        if self.method == "fixed":
            return most
        wanted = {"sv_ratio": _by_ratio, "sv_cumulative": _by_sum, "sv_fro": _by_norm}[self.method](values, self.param, smaller_side)
        return min(max(1, min(wanted, smaller_side - 1)) + 1, most)


def _by_ratio(values: Sequence[float], param: float, _: int) -> int:
    return sum(value > values[0] / param for value in values)


def _by_sum(values: Sequence[float], param: float, most: int) -> int:
    return _reached(values, param, most)


def _by_norm(values: Sequence[float], param: float, most: int) -> int:
    return _reached([value * value for value in values], param * param, most)


def _reached(parts: Sequence[float], share: float, most: int) -> int:
    """How many of the parts reach a share of their sum; `most` where rounding lets none."""
    whole, so_far = sum(parts), 0.0
    for number, part in enumerate(parts, 1):
        so_far += part
        if so_far / whole >= share:
            return number
    return most


def read_rule(text: str, ceiling: int = 0, conv_rank: int | None = None) -> RankRule:
    """A rule as a person writes it: "16", "sv_ratio=20", "sv_fro=0.97". Args: ceiling: for the dynamic ones; 0: no other than the file's.

    Raises: ConfigError: it is none of them.
    """
    method, _, number = (part.strip() for part in re.sub(r"\s*=\s*|\s+", "=", text.strip(), count=1).partition("="))
    try:
        if method.isdecimal() and not number:
            return RankRule(rank=int(method), conv_rank=conv_rank)
        if method in METHODS[1:]:
            return RankRule(method, float(number), ceiling or NO_CEILING, conv_rank)  # type: ignore[arg-type]
    except ValueError:
        pass
    raise ConfigError(f"{text!r} is no rank and no rule for one.", "Write a number, or sv_ratio=20, sv_cumulative=0.9, sv_fro=0.97.")
