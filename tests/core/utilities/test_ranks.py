"""Ranks by rule: those that a full matrix gives under sd-scripts' rules, from the few values of its factors."""

import pytest
import torch

from core.base.errors import ConfigError
from core.utilities.layers.algebra import Factors, spectrum_of
from core.utilities.layers.ranks import RankRule, read_rule

PARAMS = {"sv_ratio": (2, 10, 100), "sv_cumulative": (0.3, 0.8, 0.99), "sv_fro": (0.5, 0.9, 0.999)}


def asked_for(values: torch.Tensor, method: str, param: float) -> int:
    """The rules as the words of their source have it, on all singular values of a full matrix, before any ceiling."""
    if method == "sv_ratio":
        count = int((values > values[0] / param).sum())
    else:
        parts = values if method == "sv_cumulative" else values ** 2
        reached = torch.cumsum(parts, 0) / parts.sum() >= (param if method == "sv_cumulative" else param ** 2)
        count = int(reached.nonzero()[0]) + 1
    return max(1, min(count, len(values) - 1)) + 1


@pytest.mark.parametrize("method", PARAMS)
def test_ranks_of_two_hundred_layers_are_those_of_the_full_matrices(method):
    chance = torch.Generator().manual_seed(7)
    below = 0
    for number in range(200):
        out, wide, rank = (int(torch.randint(low, high, (1,), generator=chance)) for low, high in ((8, 90), (8, 90), (2, 40)))
        fall = torch.logspace(0, -float(torch.rand(1, generator=chance)) * 3, rank, dtype=torch.float64)
        factors = Factors(torch.randn(out, rank, generator=chance, dtype=torch.float64) * fall,
                          torch.randn(rank, wide, generator=chance, dtype=torch.float64))
        values, whole = spectrum_of(factors).values.tolist(), torch.linalg.svdvals(factors.matrix())
        param, ceiling = PARAMS[method][number % 3], (4, 16, 64)[number // 3 % 3]
        wanted = min(asked_for(whole, method, param), ceiling, len(values))
        assert RankRule(method, param, ceiling).rank_of(values, min(out, wide)) == wanted, (number, out, wide, rank)
        below += wanted < min(ceiling, len(values))
    assert below > 40


def test_a_fixed_rank_is_never_above_what_the_layer_has_and_zero_layers_get_one():
    assert RankRule(rank=8).rank_of([3.0, 2.0, 1.0], 20) == 3 and RankRule(rank=2).rank_of([3.0, 2.0, 1.0], 20) == 2
    assert RankRule("sv_fro", 1.0, 99).rank_of([3.0, 2.0, 1.0], 20) == 3
    assert RankRule(rank=8).rank_of([0.0, 0.0], 20) == 1 and RankRule("sv_ratio", 5, 8).rank_of([1e-7, 1e-8], 20) == 1
    assert RankRule("sv_ratio", 5, 8).rank_of([1.0], 1) == 1


def test_convolutions_may_have_their_own():
    rule = RankRule(rank=4, conv_rank=2)
    assert rule.rank_of([1.0] * 9, 20) == 4 and rule.rank_of([1.0] * 9, 20, is_large_kernel=True) == 2
    assert RankRule(rank=2, conv_rank=6).rank_of([1.0] * 9, 20, is_large_kernel=True) == 6
    assert rule.words == "rank 4, convolutions 2"


def test_rules_are_read_as_people_write_them():
    assert read_rule("16") == RankRule(rank=16) and read_rule("sv_fro = 0.9", 32) == RankRule("sv_fro", 0.9, 32)
    assert read_rule("sv_ratio 20", 8, 4) == RankRule("sv_ratio", 20, 8, 4)


@pytest.mark.parametrize("text, said", [("x", "no rank and no rule"), ("sv_fro=a", "no rank"), ("sv_fro=1.5", "between 0 and 1"),
                                        ("sv_ratio=0.5", "at least 1"), ("0", "at least 1"), ("fixed=3", "no rank"), ("", "no rank")])
def test_what_is_no_rule_is_refused(text, said):
    with pytest.raises(ConfigError, match=said):
        read_rule(text)
