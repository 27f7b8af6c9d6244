"""Samplers by name, and what a training with zero terminal SNR changes in them."""

import pytest
from PIL import ImageStat

from core.diffusion.sampling import SAMPLERS, make_scheduler
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
    """`model` imports `sampling`; the other way round would be a circle."""
    from pathlib import Path

    import core.diffusion.sampling as module

    assert "core.diffusion.model" not in Path(module.__file__).read_text(encoding="utf-8")
