"""Exact algebra of low-rank updates: their singular values and their best approximation, from the factors alone.

An update is scale · up · down with up (out, r) and down (r, in). With R of the QR of both factors, up = Q₁R₁ and downᵀ = Q₂R₂, its
singular values are those of the small R₁R₂ᵀ = U S Vᵀ. The k largest make the best update of rank k (Eckart and Young), and
    up · (R₂ᵀ Vₖ S⁻½)   and   (S⁻½ Uₖᵀ R₁) · down
are its factors, so that not even Q is formed. Both get half of S, which keeps fp16 away from its smallest numbers.

Floating-point numbers: R, the small matrix and its SVD are computed in float64, and only the last products in the type that the factors
have. Of float32 (and less) R comes from products in float64, where the error of the singular values stays below 1e-8 of the largest; of
float64 from Householder's QR.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Factors:
    """scale · up · down; convolutions as matrices (out, in · height · width)."""

    up: torch.Tensor
    down: torch.Tensor
    scale: float = 1.0

    @property
    def rank(self) -> int:
        """How many singular values it can have."""
        return min(self.up.shape[0], self.up.shape[1], self.down.shape[1])

    def to(self, device: str, dtype: torch.dtype) -> Factors:
        """The same on another device and in another precision."""
        return Factors(self.up.to(device, dtype), self.down.to(device, dtype), self.scale)

    def matrix(self) -> torch.Tensor:
        """The whole update. Only tests and small modules ask for it."""
        return self.scale * (self.up @ self.down)


class Spectrum(Protocol):
    """The singular values of an update, and its best approximation of a rank."""

    @property
    def values(self) -> torch.Tensor:
        """Of up · down without the scale, the largest first."""
        ...

    def cut(self, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Factors (out, k) and (k, in) of the best approximation, without the scale. Args: rank: k; at most as many as there are values."""
        ...


@dataclass(frozen=True)
class FactorSpectrum:
    """Of a product of two factors."""

    factors: Factors | None
    """None: they were put away, to be had from the file again (`with_factors`)."""
    values: torch.Tensor
    left: torch.Tensor
    """S⁻½ Uᵀ R₁ (k, r)."""
    right: torch.Tensor
    """R₂ᵀ V S⁻½ (r, k)."""

    def cut(self, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Spectrum`."""
        assert self.factors is not None, "the factors were put away"
        return self.factors.up @ self.right[:, :rank], self.left[:rank] @ self.factors.down


    @property
    def size(self) -> int:
        """Bytes without the factors."""
        return sum(value.numel() * value.element_size() for value in (self.values, self.left, self.right))

    def with_factors(self, factors: Factors | None) -> FactorSpectrum:
        """The same with the factors that it was computed of, or without them."""
        return replace(self, factors=factors)


@dataclass(frozen=True)
class KroneckerSpectrum:
    """Of the Kronecker product of two updates, as LoKr's is: its singular values are all products of both sides'."""

    first: Spectrum
    second: Spectrum
    values: torch.Tensor
    order: torch.Tensor
    """Which pair each value is of: number in the first times the count of the second, plus number in the second."""

    def cut(self, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Spectrum`."""
        count = len(self.second.values)
        one, two = self.order[:rank] // count, self.order[:rank] % count
        (up_one, down_one), (up_two, down_two) = (side.cut(len(side.values)) for side in (self.first, self.second))
        up = up_one[:, None, one] * up_two[None, :, two]
        down = down_one[one][:, :, None] * down_two[two][:, None, :]
        return up.flatten(0, 1), down.flatten(1, 2)


def spectrum_of(factors: Factors) -> FactorSpectrum:
    """The singular values of an update from its factors. Raises: torch.linalg.LinAlgError: they are not finite."""
    import torch

    first, second = triangle_of(factors.up).double(), triangle_of(factors.down.t()).double()
    left, values, right = torch.linalg.svd(first @ second.t(), full_matrices=False)
    roots = _inverse_root(values)
    mixes = roots[:, None] * (left.t() @ first), (second.t() @ right.t()) * roots
    return FactorSpectrum(factors, values, *(mix.to(factors.up.dtype) for mix in mixes))


def kronecker_of(first: Spectrum, second: Spectrum) -> KroneckerSpectrum:
    """The singular values of first ⊗ second."""
    import torch

    values, order = torch.sort(torch.outer(first.values, second.values).flatten(), descending=True)
    return KroneckerSpectrum(first, second, values, order)


def triangle_of(matrix: torch.Tensor) -> torch.Tensor:
    """R of a matrix's QR; of a matrix that is wider than high itself, for which it is as good.

    Of float32 and less it is Cholesky's factor of the products in float64 (returned so): the same R up to signs, several times as fast.
    Where columns depend on each other Cholesky fails, and Householder's QR is taken.
    """
    import torch

    if matrix.shape[0] <= matrix.shape[1]:
        return matrix
    if matrix.dtype == torch.float64:
        return torch.linalg.qr(matrix, mode="r")[1]
    exact = matrix.double()
    found, failed = torch.linalg.cholesky_ex(exact.t() @ exact, upper=True)
    return found if not failed else torch.linalg.qr(exact, mode="r")[1]


def _inverse_root(values: torch.Tensor) -> torch.Tensor:
    """1 / √S; 0 where a value is 0, whose factors then are 0 as well."""
    import torch

    floor = values[:1].clamp_min(torch.finfo(values.dtype).tiny) * torch.finfo(values.dtype).eps * 1e-3
    return torch.where(values > floor, values.clamp_min(torch.finfo(values.dtype).tiny).rsqrt(), torch.zeros_like(values))


def lost(values: torch.Tensor, rank: int) -> float:
    """Frobenius norm of what a rank leaves out, divided by that of the whole update; 0 where there is nothing."""
    squares = values.double().square()
    whole = float(squares.sum())
    return (float(squares[rank:].sum()) / whole) ** 0.5 if whole else 0.0
