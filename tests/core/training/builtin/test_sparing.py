"""The built-in trainer spares memory without learning anything else, stops after an epoch, and waits for room on the disk."""

import threading
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core.base.errors import Cancelled
from core.base.jobs import read_events
from core.training.builtin.dataset import plan_epoch
from core.training.builtin.main import train
from core.training.guards import GuardSettings, keep_guards
from core.training.outputs import newest_state
from core.training.relief import Relief, write_relief
from tests.core.training.builtin.making import make_trainer
from tests.tiny_models import make_pictures, write_training_pair

SUBSET = {"num_repeats": 2, "flip_aug": True, "shuffle_caption": True}


def pair(folder, model, images, **config):
    return write_training_pair(folder, model, images, {"batch_size": 5}, SUBSET,
                               **{"max_train_epochs": 2, "min_snr_gamma": 5.0, "prior_loss_weight": 0.5, **config})


def losses(folder):
    return [event["loss"] for event in read_events(folder)[0] if event["event"] == "step"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 3])
def test_gradients_of_parts_are_those_of_the_whole_batch(sd_folder, tmp_path, size):
    trainer = make_trainer(tmp_path, sd_folder, sizes=((64, 64),) * 5, dataset={"batch_size": 5}, subset=SUBSET, min_snr_gamma=5.0)
    (batch, *_) = plan_epoch(trainer.datasets, trainer.seed, 1)
    assert len(batch.images) == 5
    whole = trainer._learn(batch, None)
    wanted = [parameter.grad.clone() for parameter in trainer.parameters]
    trainer.optimizer.zero_grad(set_to_none=True)
    trainer.micro_batch_size = size
    parts = trainer._learn(batch, None)
    assert abs(float(whole) - float(parts)) < 1e-6
    assert max(float((parameter.grad - value).abs().max()) for parameter, value in zip(trainer.parameters, wanted, strict=True)) < 1e-6


@pytest.mark.slow
def test_a_run_that_goes_on_with_smaller_parts_learns_what_it_would_have_learned(sd_folder, tmp_path):
    images = make_pictures(tmp_path / "images", [(64, 64)] * 6)
    torch.set_num_threads(1)
    whole = train(*pair(tmp_path / "whole", sd_folder, images), run_dir=tmp_path / "whole", device="cpu")
    first = tmp_path / "first"
    train(*pair(first, sd_folder, images, save_every_n_steps=2, save_state=True), run_dir=first, device="cpu")
    second = tmp_path / "second"
    (second).mkdir()
    write_relief(Relief(2), second)
    state = first / "checkpoints/tiny-step00000002-state"
    again = train(*pair(second, sd_folder, images, resume=str(state)), run_dir=second, device="cpu")
    assert max(abs(one - other) for one, other in zip(losses(tmp_path / "whole")[2:], losses(second), strict=True)) < 1e-5
    one, other = load_file(whole), load_file(again)
    assert max(float((value - other[name]).abs().max()) for name, value in one.items()) < 1e-5


def stop_file(run_dir: Path, word: str) -> None:
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "stop").write_text(word)


def test_it_stops_after_the_epoch_with_file_and_state(sd_folder, tmp_path):
    images = make_pictures(tmp_path / "images", [(64, 64)] * 4)
    stop_file(tmp_path, "epoch")
    with pytest.raises(Cancelled, match="Stopped at step 2 of 20"):
        train(*pair(tmp_path, sd_folder, images, max_train_epochs=10), run_dir=tmp_path, device="cpu")
    checkpoints = tmp_path / "checkpoints"
    assert [path.name for path in checkpoints.glob("*.safetensors")] == ["tiny-step00000002.safetensors"]
    state = newest_state(checkpoints, "tiny")
    assert (state.step, state.epoch) == (2, 2)  # the next batch is of the second epoch


def test_what_the_epochs_end_saved_already_is_not_saved_twice(sd_folder, tmp_path):
    images = make_pictures(tmp_path / "images", [(64, 64)] * 4)
    stop_file(tmp_path, "epoch")
    with pytest.raises(Cancelled):
        train(*pair(tmp_path, sd_folder, images, max_train_epochs=10, save_every_n_epochs=1, save_state=True), run_dir=tmp_path,
              device="cpu")
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["tiny-000001-state", "tiny-000001.safetensors"]


def test_it_waits_for_room_before_a_save_and_goes_on_when_there_is_some(sd_folder, tmp_path):
    images = make_pictures(tmp_path / "images", [(64, 64)] * 4)
    keep_guards(GuardSettings(disk_free=10_000), tmp_path)
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    done = []
    thread = threading.Thread(target=lambda: done.append(train(*pair(tmp_path, sd_folder, images, max_train_epochs=1), run_dir=tmp_path,
                                                               device="cpu")))
    thread.start()
    deadline = time.monotonic() + 60
    while not any(event["event"] == "paused" for event in read_events(tmp_path)[0]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not list(checkpoints.iterdir()) and thread.is_alive()
    keep_guards(GuardSettings(disk_free=0), tmp_path)
    thread.join(60)
    assert done == [checkpoints / "tiny.safetensors"] and load_file(done[0])
    kinds = [event["event"] for event in read_events(tmp_path)[0]]
    assert kinds.index("paused") < kinds.index("continued") < kinds.index("saved")
