"""A run that fails is tried again with less memory or lower rates, as its guards allow, and every step of it is told."""

import pytest
import torch

from core.training.guards import GuardSettings, keep_guards
from core.training.monitor import read_status
from core.training.outputs import newest_state
from core.training.report import write_report
from core.training.run import Run
from tests.core.training.fakes import events_of, make_run, start, start_epochs, wait_for, wait_for_end


@pytest.fixture(autouse=True)
def own_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))


def guarded(run: Run, **values) -> Run:
    keep_guards(GuardSettings(**values), run.folder)
    return run


@pytest.mark.slow
def test_out_of_memory_goes_on_from_the_last_state_with_half_the_batch_and_twice_the_accumulation(tmp_path):
    run = guarded(make_run(tmp_path, data={"batch_size": 4}, schedule={"max_train_epochs": 3}))
    assert wait_for_end(start_epochs(run, "--fits", 1, "--oom_epoch", 2)) == "done"
    retries = events_of(run, "retry")
    assert [retry["changes"] for retry in retries] == [{"batch_size": 2, "gradient_accumulation_steps": 2},
                                                      {"batch_size": 1, "gradient_accumulation_steps": 4}]
    assert [retry["from_step"] for retry in retries] == [4, 4]
    settings = run.settings()
    assert (settings.data.batch_size, settings.schedule.gradient_accumulation_steps) == (1, 4)
    assert run.end()["retries"] == 2
    log = "\n".join(run.log_tail())
    assert log.count("=== attempt 1, from step 4 ===") == 2 and log.count("epoch 1/3") == 1  # the first epoch was not done again
    status = read_status(run)
    assert len(status.retries) == 2 and status.step == 12
    assert "2 × 2 pictures make a step instead of 4 × 1" in status.retries[0] and "It goes on from step 4." in status.retries[0]
    assert "2 × 2 pictures make a step" in write_report(run).read_text(encoding="utf-8")


def test_without_a_state_it_begins_anew(tmp_path):
    run = guarded(make_run(tmp_path, data={"batch_size": 2}, schedule={"max_train_epochs": 2}))
    assert wait_for_end(start_epochs(run, "--fits", 1)) == "done"
    assert events_of(run, "retry")[0]["message"].endswith("It begins anew, for no state was saved.")
    assert "=== attempt 1, from step 0 ===" in "\n".join(run.log_tail())


def test_it_is_tried_no_more_often_than_was_allowed(tmp_path):
    run = guarded(make_run(tmp_path, data={"batch_size": 8}), memory_retries=2)
    assert wait_for_end(start_epochs(run, "--fits", 1)) == "failed"
    assert len(events_of(run, "retry")) == 2 and run.end()["cause"]["kind"] == "out_of_memory"


def test_when_nothing_is_left_to_lower_it_fails_with_its_cause(tmp_path):
    run = guarded(make_run(tmp_path, data={"batch_size": 1}, memory={"fp8_base": True}))
    assert wait_for_end(start_epochs(run, "--fits", 0)) == "failed"
    assert events_of(run, "retry") == [] and run.end()["cause"]["kind"] == "out_of_memory"


def test_another_failure_is_not_tried_again(tmp_path):
    run = guarded(make_run(tmp_path))
    assert wait_for_end(start(run, "silent")) == "failed"
    assert events_of(run, "retry") == []


@pytest.fixture
def optimizer(tmp_path):
    file = tmp_path / "optimizer.bin"
    torch.save({"state": {}, "param_groups": [{"lr": 0.01, "initial_lr": 0.02, "params": [0]}]}, file)
    return file


@pytest.mark.slow
def test_a_loss_that_is_no_number_goes_on_from_the_last_good_state_with_a_lower_rate(tmp_path, optimizer):
    run = guarded(make_run(tmp_path, schedule={"max_train_epochs": 3}, optimizer={"learning_rate": 1e-3}), on_nan="lower")
    start_epochs(run, "--nan_above", 6e-4, "--delay", 0.3, "--per_epoch", 12, "--optimizer", optimizer)
    assert wait_for_end(run, 60) == "done"
    (retry,) = events_of(run, "retry")
    assert retry["cause"] == "nan_loss" and retry["changes"]["learning_rate"] == 5e-4 and retry["from_step"] == 12
    assert run.settings().optimizer.learning_rate == 5e-4
    lowered = torch.load(run.checkpoints / "mochi-000001-state/optimizer.bin", weights_only=True)["param_groups"][0]
    assert (lowered["lr"], lowered["initial_lr"]) == (0.005, 0.01)  # else the old rate would come back with the state


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_run_where_that_was_chosen(tmp_path):
    run = guarded(make_run(tmp_path, schedule={"max_train_epochs": 2}, optimizer={"learning_rate": 1e-3}), on_nan="stop")
    start_epochs(run, "--nan_above", 1e-4, "--nan_epoch", 1, "--delay", 0.1, "--per_epoch", 400)
    assert wait_for_end(run) == "failed"
    assert run.end()["cause"]["kind"] == "nan_loss" and "The loss became NaN at step" in run.end()["message"]


@pytest.mark.slow
def test_black_samples_are_told_and_where_it_was_chosen_end_the_run(tmp_path):
    run = guarded(make_run(tmp_path / "one", schedule={"max_train_epochs": 3}))
    assert wait_for_end(start_epochs(run, "--black_above", 1e-9, "--delay", 0.8)) == "done"
    assert "All samples of epoch 1 are black or of one colour." in " ".join(read_status(run).warnings)
    other = guarded(make_run(tmp_path / "two", schedule={"max_train_epochs": 50}), on_black="stop")
    assert wait_for_end(start_epochs(other, "--black_above", 1e-9, "--delay", 0.2)) == "failed"
    assert other.end()["cause"]["kind"] == "black_samples"


@pytest.mark.slow
def test_a_standstill_begins_again_from_the_last_state(tmp_path):
    run = guarded(make_run(tmp_path, schedule={"max_train_epochs": 2}), on_stall="restart", stall_minutes=0.02, stall_factor=3)
    assert wait_for_end(start_epochs(run, "--hang_at", 18, "--per_epoch", 10, "--delay", 0.1), 180) == "done"
    (retry,) = events_of(run, "retry")
    assert retry["cause"] == "stalled" and retry["from_step"] == 10


def test_a_stop_during_the_tries_is_heard(tmp_path):
    run = guarded(make_run(tmp_path, data={"batch_size": 2}, schedule={"max_train_epochs": 50}))
    start_epochs(run, "--fits", 1, "--oom_epoch", 2, "--delay", 0.1)
    wait_for(lambda: events_of(run, "retry"))
    run.stop()
    assert wait_for_end(run) == "cancelled" and newest_state(run.checkpoints, "mochi") is not None
