"""Whole matrices worked on piece by piece: the same as at once."""

import pytest
import torch

from core.utilities.layers.pieces import PIECE, SAMPLE, frobenius, frobenius_between, least_kept
from core.utilities.merging.methods import agreed, trimmed


def heavy(seed: int, rows: int = 700, columns: int = 1000) -> torch.Tensor:
    """Values of many sizes, some of them equal; of more than one piece, with a rest."""
    made = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) ** 3
    made[: rows // 3] = (made[: rows // 3] * 4).round() / 4
    return made


MATRICES = {
    "of many sizes": heavy(1), "all alike": torch.full((700, 1000), -2.0),
    "nearly all nothing": torch.zeros(700, 1000).index_fill_(0, torch.tensor([3]), 5.0),
    "small": heavy(2, 7, 9), "two sizes": torch.where(heavy(3) > 0, 1.0, -2.0), "float64": heavy(4).double()}


@pytest.mark.parametrize("density", [1e-6, 0.01, 0.3, 0.5, 0.99, 0.999999])
@pytest.mark.parametrize("name", MATRICES)
def test_the_least_that_is_kept_is_that_of_all_values_sorted(name, density):
    matrix = MATRICES[name]
    kept = max(1, int(density * matrix.numel()))
    assert least_kept(matrix, kept) == matrix.abs().flatten().sort(descending=True).values[kept - 1]


def test_a_sample_that_misleads_changes_nothing(monkeypatch):
    """A sample of the same value again and again; the value that is looked for lies outside of what it tells."""
    matrix = heavy(5)
    monkeypatch.setattr(torch, "randint", lambda high, size, **more: torch.full(size, 123))
    assert matrix.numel() > 4 * SAMPLE
    assert least_kept(matrix, 1000) == matrix.abs().flatten().sort(descending=True).values[999]


def test_what_is_trimmed_and_agreed_on_in_pieces_is_as_at_once():
    one, two, three = heavy(6), heavy(7), -heavy(8)
    assert one.numel() > 5 * PIECE and one.numel() % PIECE
    least = one.abs().flatten().sort(descending=True).values[int(0.3 * one.numel()) - 1]
    assert torch.equal(trimmed(one.clone(), 0.3), torch.where(one.abs() >= least, one, torch.zeros(())))
    whole = torch.stack([one, two, three])
    agrees = (whole.sign() == whole.sum(0).sign()) & (whole != 0)
    weights = torch.tensor([1.0, 2.0, 0.5])[:, None, None]
    wanted = (whole * agrees).sum(0) / (weights * agrees).sum(0).clamp_min(1e-9)
    assert torch.allclose(agreed([one, two, three], [1.0, 2.0, 0.5]), wanted, rtol=1e-5)


def test_norms_are_added_in_float64():
    matrix, up, down = heavy(9) * 1e-3, heavy(10, 700, 8), heavy(11, 8, 1000)
    assert frobenius(matrix) == pytest.approx(float(matrix.double().norm()), rel=1e-7)
    assert frobenius(matrix.t()) == pytest.approx(float(matrix.double().norm()), rel=1e-7)
    assert frobenius_between(matrix, up, down) == pytest.approx(float((matrix.double() - up.double() @ down.double()).norm()), rel=1e-6)
