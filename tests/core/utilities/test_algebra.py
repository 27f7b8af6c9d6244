"""Updates as factors, against the whole matrices."""

import pytest
import torch

from core.utilities.files.lora_file import open_lora
from core.utilities.layers.algebra import Factors, lost, spectrum_of, triangle_of
from core.utilities.layers.updates import spectrum
from tests.core.utilities.layers import KINDS, best_of_rank, layer, write


@pytest.mark.parametrize("computing", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_singular_values_and_the_best_rank_are_those_of_the_whole_matrix(tmp_path, kind, computing):
    roles, update = layer(kind)
    exact = 1e-12 if computing == "float64" else 2e-6
    with open_lora(write(tmp_path / "a.safetensors", {"lora_unet_x": roles}, dtype=torch.float64)) as file:
        found, scale = spectrum(file, file.modules[0], computing=computing), file.scale(file.modules[0])
    values = torch.linalg.svdvals(update.flatten(1))
    assert torch.allclose(abs(scale) * found.values.double(), values[:len(found.values)], atol=exact * float(values[0]))
    assert float(values[len(found.values):].sum()) < 1e-12 * float(values[0])
    for rank in (1, 3, len(found.values)):
        best, error = best_of_rank(update, rank)
        up, down = found.cut(rank)
        assert up.shape[1] == down.shape[0] == rank
        made = scale * (up.double() @ down.double())
        assert float((made - best.flatten(1)).norm() / update.norm()) < 5 * exact
        assert lost(found.values, rank) == pytest.approx(error, abs=5 * exact)


def test_columns_that_depend_on_each_other_and_zeros_do_no_harm():
    up = torch.randn(50, 3) @ torch.randn(3, 8)
    factors = Factors(up, torch.randn(8, 40))
    found = spectrum_of(factors)
    assert float((found.cut(3)[0] @ found.cut(3)[1] - factors.matrix()).norm() / factors.matrix().norm()) < 1e-5
    nothing = spectrum_of(Factors(torch.zeros(50, 8), torch.randn(8, 40)))
    assert not nothing.values.any() and not nothing.cut(2)[0].any() and lost(nothing.values, 2) == 0


def test_values_far_below_the_largest_are_kept_where_float32_can_hold_them():
    """A product with columns from 1 to 1e-5: what is cut keeps the product to float32's own rounding."""
    up = torch.linalg.qr(torch.randn(60, 6, dtype=torch.float64))[0] * torch.logspace(0, -5, 6, dtype=torch.float64)
    down = torch.linalg.qr(torch.randn(80, 6, dtype=torch.float64))[0].t()
    found = spectrum_of(Factors(up.float(), down.float()))
    assert torch.allclose(found.values.double(), torch.logspace(0, -5, 6, dtype=torch.float64), atol=1e-6)
    up6, down6 = found.cut(6)
    assert float((up6.double() @ down6.double() - up @ down).norm()) < 1e-6


def test_the_triangle_is_that_of_the_qr_up_to_signs():
    matrix = torch.randn(200, 16)
    assert torch.allclose(triangle_of(matrix).abs(), torch.linalg.qr(matrix.double(), mode="r")[1].abs(), atol=1e-5)
    wide = torch.randn(4, 9)
    assert triangle_of(wide) is wide
