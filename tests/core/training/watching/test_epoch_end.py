"""Stop after this epoch: a trainer that cannot be told is ended when what it saved is whole, never in the middle of a save."""

import pytest

from core.base.errors import TrainingError
from core.training.manager import TrainingManager
from core.training.monitor import read_status
from core.training.outputs import is_whole, newest_state
from core.training.watching.epoch_end import EpochEnd, epoch_stop_words, why_no_epoch_stop
from tests.core.training.fake_trainer import write_lora, write_state
from tests.core.training.fakes import events_of, make_run, start, start_epochs, wait_for, wait_for_end


@pytest.fixture(autouse=True)
def own_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))


@pytest.mark.slow
def test_a_run_is_ended_after_the_epoch_with_a_whole_file_and_a_whole_state(tmp_path):
    run = make_run(tmp_path, schedule={"max_train_epochs": 100})
    start_epochs(run, "--delay", 0.1, "--slow_state", 1.0, "--per_epoch", 15)
    wait_for(lambda: read_status(run).step >= 2)
    run.stop(after_epoch=True)
    assert run.state() == "running" and run.stop_asked() == "epoch"
    wait_for(lambda: events_of(run, "stopping-later"))
    assert read_status(run).phase.endswith(", ends after this epoch")
    assert wait_for_end(run, 60) == "cancelled"
    assert [path.name for path in sorted(run.checkpoints.glob("*.safetensors"))] == ["mochi-000001.safetensors"]
    assert is_whole(run.checkpoints / "mochi-000001.safetensors")
    state = newest_state(run.checkpoints, "mochi")
    assert state.folder.name == "mochi-000001-state" and state.epoch == 1
    assert read_status(run).message == "The last saved LoRA is mochi-000001.safetensors. It can go on from step 15."


def test_stop_now_goes_before_stop_after_the_epoch(tmp_path):
    run = make_run(tmp_path, schedule={"max_train_epochs": 100})
    start_epochs(run, "--delay", 0.2, "--per_epoch", 500)
    wait_for(lambda: read_status(run).step >= 1)
    run.stop(after_epoch=True)
    run.stop()
    assert run.stop_asked() == "gentle" and wait_for_end(run, 10) == "cancelled"
    run.stop(after_epoch=True)
    assert run.stop_asked() == "gentle"


def test_a_run_that_waits_for_its_turn_has_no_epoch_to_end(tmp_path):
    first = start(make_run(tmp_path / "one"), "slow", "--delay", 0.1, "--steps", 500)
    wait_for(first.trainer_mark)
    second = start(make_run(tmp_path / "two"), "good")
    second.stop(after_epoch=True)
    assert wait_for_end(second) == "cancelled"
    first.stop(force=True)
    wait_for_end(first)


def test_a_run_that_saves_no_epochs_says_that_it_cannot(tmp_path):
    run = make_run(tmp_path, saving={"save_every_n_epochs": None, "save_every_n_steps": 50})
    assert "This run saves no epochs, and sd-scripts cannot be told to" in why_no_epoch_stop(run)
    with pytest.raises(TrainingError, match="saves no epochs"):
        TrainingManager.open(run.project_folder).stop(run.id, after_epoch=True)
    own = make_run(tmp_path / "own", "builtin", saving={"save_every_n_epochs": None})
    assert why_no_epoch_stop(own) == "" and "LoRA and state are saved" in epoch_stop_words(own)


def test_what_will_happen_is_said_as_it_is(tmp_path):
    run = make_run(tmp_path, saving={"save_every_n_epochs": 3, "save_state": False})
    assert "the next epoch that is saved (every 3) is over and the LoRA of it is whole on the disk" in epoch_stop_words(run)


def test_what_is_still_written_is_waited_for(tmp_path):
    run = make_run(tmp_path)
    write_lora(run.checkpoints / "mochi-000001.safetensors")
    end = EpochEnd(run)
    assert not end.is_whole(True, 0.0)  # of before
    write_lora(run.checkpoints / "mochi-000002.safetensors", cut=5)
    assert not end.is_whole(True, 10.0)
    write_lora(run.checkpoints / "mochi-000002.safetensors")
    assert not end.is_whole(True, 20.0) and not end.is_whole(True, 30.0)  # its state is missing
    write_state(run.checkpoints / "mochi-000002-state", 8)
    assert not end.is_whole(True, 40.0)
    (run.checkpoints / "mochi-000002-state/random_states_0.pkl").write_bytes(b"xx")
    assert not end.is_whole(True, 41.9) and not end.is_whole(True, 43.8)  # it changed since
    assert end.is_whole(True, 44.0)
    assert not EpochEnd(run).is_whole(False, 99.0)


def test_once_the_trainer_goes_on_the_save_is_over(tmp_path):
    run = make_run(tmp_path)
    end = EpochEnd(run)
    write_lora(run.checkpoints / "mochi-000001.safetensors")
    write_state(run.checkpoints / "mochi-000001-state", 8)
    assert not end.is_whole(False, 10.0) and not end.is_whole(True, 10.4) and end.is_whole(False, 10.5)
