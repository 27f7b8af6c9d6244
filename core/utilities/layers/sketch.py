"""The largest singular values of a matrix that is there as a whole, by a random sketch.

Source: Halko, Martinsson and Tropp, Finding Structure with Randomness (2011, arXiv:0909.4061), algorithms 4.4 and 5.1: a random matrix of
k + p columns finds the range, q power iterations sharpen it, the SVD of the small rest gives the values. The error of the result is not
estimated: it is the norm of the difference, formed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.utilities.layers.algebra import Factors
from core.utilities.layers.pieces import frobenius, frobenius_between

if TYPE_CHECKING:
    import torch

OVERSAMPLING, ITERATIONS = 16, 3
"""p and q. With q = 3 the error is that of the full SVD to about 0.1 %, also where the values fall off slowly."""


@dataclass(frozen=True)
class Sketched:
    """The best that was found."""

    factors: Factors
    """Of the rank that was wanted; both have half of the singular values."""
    norm: float
    """Frobenius norm of the whole matrix."""
    error: float
    """Frobenius norm of what is left out, measured on the matrix."""


def sketch(matrix: torch.Tensor, rank: int, oversampling: int = OVERSAMPLING, iterations: int = ITERATIONS, seed: int = 0) -> Sketched:
    """The best approximation of a rank, nearly; exactly where the sketch would be as large as the matrix.

    Args: matrix: (out, in), float32 or float64. rank: at most the smaller side.
    """
    import torch

    norm = frobenius(matrix)
    smaller = min(matrix.shape)
    width = min(rank + oversampling, smaller)
    if width >= smaller:
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    else:
        chance = torch.Generator(matrix.device).manual_seed(seed)
        start = torch.randn(matrix.shape[1], width, generator=chance, dtype=matrix.dtype, device=matrix.device)
        basis = torch.linalg.qr(matrix @ start)[0]
        for _ in range(iterations):
            basis = torch.linalg.qr(matrix @ torch.linalg.qr(matrix.t() @ basis)[0])[0]
        inner, values, right = torch.linalg.svd(basis.t() @ matrix, full_matrices=False)
        left = basis @ inner
    roots = values[:rank].sqrt()
    up, down = left[:, :rank] * roots, roots[:, None] * right[:rank]
    return Sketched(Factors(up, down), norm, frobenius_between(matrix, up, down))
