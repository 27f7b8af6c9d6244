"""Noise, targets and weights."""

import pytest
import torch
from diffusers import DDPMScheduler

from core.training.builtin.loss import NoiseSchedule, zero_terminal
from core.training.builtin.options import make_options
from tests.tiny_models import SCHEDULER


def schedule(v=False, config=None, **values):
    options = make_options({"pretrained_model_name_or_path": "m", "output_dir": "o", **values})
    return NoiseSchedule({**SCHEDULER, **(config or {})}, options, v, torch.device("cpu"))


@pytest.mark.parametrize("v", [False, True])
def test_noising_and_target_are_those_of_diffusers(v):
    ours, theirs = schedule(v), DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    latents, noise, steps = torch.randn(4, 4, 8, 8), torch.randn(4, 4, 8, 8), torch.tensor([0, 10, 500, 999])
    found = ours.apply(latents, noise, steps)
    torch.testing.assert_close(found.noisy, theirs.add_noise(latents, noise, steps))
    torch.testing.assert_close(found.target, theirs.get_velocity(latents, noise, steps) if v else noise)


def test_the_same_seed_draws_the_same_noise_and_timesteps():
    ours, latents = schedule(noise_offset=0.1, multires_noise_iterations=4, ip_noise_gamma=0.1), torch.randn(2, 4, 16, 16)
    one, again, other = ours.draw(latents, 5), ours.draw(latents, 5), ours.draw(latents, 6)
    assert torch.equal(one.noisy, again.noisy) and torch.equal(one.timesteps, again.timesteps) and not torch.equal(one.noisy, other.noisy)


def test_min_snr_weights_follow_the_paper():
    steps = torch.tensor([1, 400, 999])
    plain = schedule(min_snr_gamma=5)
    snr = plain.snr[steps]
    torch.testing.assert_close(plain.weight(steps), torch.minimum(snr, torch.tensor(5.0)) / snr)
    torch.testing.assert_close(schedule(True, min_snr_gamma=5).weight(steps), torch.minimum(snr, torch.tensor(5.0)) / (snr + 1))
    torch.testing.assert_close(schedule(True, scale_v_pred_loss_like_noise_pred=True).weight(steps),
                               snr.clamp(max=1000) / (snr.clamp(max=1000) + 1))
    assert schedule().weight(steps) is None


def test_zero_terminal_snr_ends_in_pure_noise_and_keeps_the_start():
    ours, before = schedule(zero_terminal_snr=True), schedule()
    assert float(ours.signal[-1]) == pytest.approx(0, abs=1e-6)
    assert float(ours.signal[0]) == pytest.approx(float(before.signal[0]), abs=1e-6)
    assert torch.equal(schedule(config={"rescale_betas_zero_snr": True}).signal, ours.signal)
    assert zero_terminal(torch.tensor([0.9, 0.5, 0.1]))[-1] == 0


def test_noise_offset_shifts_whole_channels():
    latents = torch.zeros(64, 4, 16, 16)
    assert schedule(noise_offset=0.5).draw(latents, 1).target.mean(dim=(2, 3)).std() > 0.4 > 0.2 > \
        schedule().draw(latents, 1).target.mean(dim=(2, 3)).std()


def test_timesteps_keep_to_the_asked_range():
    steps = schedule(min_timestep=200, max_timestep=210).draw(torch.zeros(100, 4, 2, 2), 3).timesteps
    assert steps.min() >= 200 and steps.max() < 210


def test_regularisation_images_weigh_as_they_are_told():
    ours = schedule()
    noised = ours.apply(torch.zeros(2, 1, 2, 2), torch.zeros(2, 1, 2, 2), torch.tensor([1, 1]))
    prediction = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    assert float(ours.loss(prediction, noised, None)) == pytest.approx(2.5)
    assert float(ours.loss(prediction, noised, torch.tensor([1.0, 0.5]))) == pytest.approx(1.5)
