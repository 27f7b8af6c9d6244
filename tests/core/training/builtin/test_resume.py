"""Runs that are killed, stopped and taken up again."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from core.base.errors import TrainingError
from core.base.jobs import read_events
from core.base.paths import ROOT
from core.training.builtin.main import train
from tests.tiny_models import make_pictures, write_training_pair

CONFIG = {"max_train_epochs": 4, "save_every_n_steps": 5, "save_state": True, "network_dropout": 0.1, "lr_scheduler": "cosine",
          "lr_warmup_steps": 4, "gradient_accumulation_steps": 2, "network_args": ["ema_decay=0.9"], "min_snr_gamma": 5.0}
SUBSET = {"num_repeats": 4, "flip_aug": True, "shuffle_caption": True, "caption_dropout_rate": 0.2}


def start(folder, pair):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "custom/train_lora.py"), "--config_file", str(pair[0]), "--dataset_config", str(pair[1]),
               "--run_dir", str(folder), "--device", "cpu"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)


def wait_for_step(folder, step, process, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if any(event["event"] == "step" and event["step"] >= step for event in read_events(folder)[0]):
            return
        time.sleep(0.02)
    raise AssertionError(f"step {step} was not reached")


def losses(folder):
    return {event["step"]: event["loss"] for event in read_events(folder)[0] if event["event"] == "step"}


def pair_in(folder, model, images, **config):
    return write_training_pair(folder, model, images, {}, SUBSET, **{**CONFIG, **config})


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_nothing_had_happened(sd_folder, tmp_path):
    images = make_pictures(tmp_path / "images", [(64, 64)] * 4 + [(96, 32)] * 2)
    torch.set_num_threads(1)
    whole = train(*pair_in(tmp_path / "whole", sd_folder, images), run_dir=tmp_path / "whole", device="cpu")
    killed = tmp_path / "killed"
    process = start(killed, pair_in(killed, sd_folder, images))
    wait_for_step(killed, 8, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    states = sorted((killed / "checkpoints").glob("tiny-step*-state"))
    resumed = train(*pair_in(killed, sd_folder, images, resume=str(states[-1])), run_dir=killed, device="cpu")
    expected, found = losses(tmp_path / "whole"), losses(killed)
    assert list(expected) == sorted(found) and len(expected) == 24
    assert max(abs(expected[step] - found[step]) for step in expected) < 1e-4
    one, other = load_file(whole), load_file(resumed)
    assert max(float((value - other[name]).abs().max()) for name, value in one.items()) < 1e-4


@pytest.mark.slow
def test_sigterm_ends_with_zero_a_whole_checkpoint_and_its_event(sd_folder, tmp_path):
    images = make_pictures(tmp_path / "images", [(64, 64)] * 4)
    process = start(tmp_path, pair_in(tmp_path, sd_folder, images, max_train_epochs=400, save_every_n_steps=None))
    wait_for_step(tmp_path, 2, process)
    process.terminate()
    assert process.wait(timeout=30) == 0
    events, _ = read_events(tmp_path)
    assert events[-1]["event"] == "cancelled"
    saved = [event for event in events if event["event"] == "saved"]
    assert len(saved) == 1 and not saved[0]["final"] and load_file(saved[0]["path"])
    assert [event for event in events if event["event"] == "state"]


@pytest.mark.slow
def test_a_resume_in_the_middle_of_an_epoch_continues_exactly(sd_folder, tmp_path):
    images = make_pictures(tmp_path / "images", [(64, 64)] * 4)
    config = {"max_train_epochs": 2, "save_every_n_steps": 3, "gradient_accumulation_steps": 1}
    whole = train(*pair_in(tmp_path / "a", sd_folder, images, **config), run_dir=tmp_path / "a", device="cpu")
    state = tmp_path / "a/checkpoints/tiny-step00000003-state"
    again = train(*pair_in(tmp_path / "b", sd_folder, images, resume=str(state), **config), run_dir=tmp_path / "b", device="cpu")
    first, second = losses(tmp_path / "a"), losses(tmp_path / "b")
    assert list(second) == list(range(4, 17)) and all(abs(first[step] - second[step]) < 1e-6 for step in second)
    one, other = load_file(whole), load_file(again)
    assert all(torch.allclose(value, other[name], atol=1e-6) for name, value in one.items())


def test_a_run_that_was_killed_after_its_last_state_still_writes_its_lora(sd_folder, tmp_path):
    images = make_pictures(tmp_path / "images", [(64, 64)] * 2)
    short = {"max_train_epochs": None, "max_train_steps": 2, "save_every_n_steps": None}
    whole = train(*pair_in(tmp_path / "a", sd_folder, images, **short), run_dir=tmp_path / "a", device="cpu")
    state = str(tmp_path / "a/checkpoints/tiny-state")
    again = train(*pair_in(tmp_path / "b", sd_folder, images, resume=state, **short), run_dir=tmp_path / "b", device="cpu")
    first, second = load_file(whole), load_file(again)
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_states_that_cannot_be_taken_up_are_refused(sd_folder, tmp_path):
    images = make_pictures(tmp_path / "images", [(64, 64)] * 2)
    with pytest.raises(TrainingError, match="holds no state"):
        train(*pair_in(tmp_path / "a", sd_folder, images, resume=str(tmp_path)), run_dir=tmp_path / "a", device="cpu")
    short = {"max_train_epochs": None, "max_train_steps": 2, "save_every_n_steps": None}
    train(*pair_in(tmp_path / "b", sd_folder, images, **short), run_dir=tmp_path / "b", device="cpu")
    state = str(tmp_path / "b/checkpoints/tiny-state")
    shorter = {**short, "max_train_steps": 1}
    with pytest.raises(TrainingError, match="saved at step 2, but the run ends at step 1"):
        train(*pair_in(tmp_path / "c", sd_folder, images, resume=state, **shorter), run_dir=tmp_path / "c", device="cpu")
    with pytest.raises(TrainingError, match="made with the optimizer AdamW, but the settings say Prodigy"):
        train(*pair_in(tmp_path / "d", sd_folder, images, resume=state, optimizer_type="Prodigy"), run_dir=tmp_path / "d", device="cpu")
