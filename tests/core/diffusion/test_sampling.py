"""Samplers by name, and what a training with zero terminal SNR changes in them."""

import ast

import pytest
import torch
from PIL import ImageStat

from core.base.errors import ModelError
from core.diffusion.sampling import SAMPLERS, make_scheduler, to_images
from tests.test_rules import imports, modules, name_of
from tests.tiny_models import SCHEDULER

WITHOUT_SCIPY = [name for name in SAMPLERS if name != "lms"]


@pytest.mark.parametrize("sampler", WITHOUT_SCIPY)
def test_with_zero_terminal_snr_every_sampler_ends_in_pure_noise(sampler):
    plain = make_scheduler(SCHEDULER, sampler).alphas_cumprod
    rescaled = make_scheduler({**SCHEDULER, "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}, sampler).alphas_cumprod
    assert float(plain[-1]) > 1e-3 and float(rescaled[-1]) < 1e-6
    assert abs(float(plain[0]) - float(rescaled[0])) < 1e-4


@pytest.mark.parametrize("sampler", WITHOUT_SCIPY)
def test_a_model_trained_with_zero_terminal_snr_draws_with_every_sampler(sd, sampler):
    sd.trained_as(True, True)
    picture = sd.sample(["cat"], width=32, height=32, steps=3, sampler=sampler, guidance=1.0)[0]
    assert max(ImageStat.Stat(picture).stddev) > 0  # NaN would be one black field


def test_drawing_follows_the_training(sd):
    sd.trained_as(False, True)
    assert sd.prediction_type == "epsilon" and "rescale_betas_zero_snr" not in sd.scheduler_config
    sd.trained_as(True, False)
    assert sd.prediction_type == "v_prediction" and "rescale_betas_zero_snr" not in sd.scheduler_config
    sd.trained_as(False, True)
    assert sd.scheduler_config["rescale_betas_zero_snr"] and sd.scheduler_config["timestep_spacing"] == "trailing"


def test_the_sampling_module_needs_no_model():
    """`model` imports `sampling`; the other way round, also through a third module, would be a circle."""
    start, files = "core.diffusion.sampling", {name_of(path): path for path in modules("core")}
    reached, ahead = set(), [start]
    while ahead:
        name = ahead.pop()
        reached.add(name)
        ahead += [found for found, _ in imports(files[name], top_only=name != start) if found in files and found not in reached]
    assert "core.base.errors" in reached and "core.diffusion.model" not in reached
    nodes = ast.walk(ast.parse(files[start].read_text(encoding="utf-8")))
    assert not [node.lineno for node in nodes if isinstance(node, ast.ImportFrom) and node.level]  # `imports` passes over these


def test_numbers_that_are_none_are_an_error_and_never_a_black_picture():
    batch = torch.zeros(2, 3, 8, 8)
    assert [picture.getpixel((0, 0)) for picture in to_images(batch)] == [(128, 128, 128)] * 2
    batch[1, 0, 3, 3] = float("nan")
    with pytest.raises(ModelError, match="NaN.* no_half_vae"):
        to_images(batch)
