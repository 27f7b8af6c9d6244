"""The disk is looked at before a save: a trainer is paused until there is room, and nothing of it is torn."""

import os
from pathlib import Path

import pytest

from core.training.guards import GuardSettings, keep_guards
from core.training.monitor import read_status
from core.training.monitor.lines import LogFacts
from core.training.room import room_missing, size_of_save
from core.training.watching.space import next_save
from tests.core.training.fakes import events_of, make_run, start_epochs, wait_for, wait_for_end

NEVER, ALWAYS = GuardSettings(disk_free=10_000), GuardSettings(disk_free=0)


@pytest.fixture(autouse=True)
def own_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.slow
def test_it_pauses_before_a_save_and_goes_on_when_room_is_made(tmp_path):
    run = make_run(tmp_path, schedule={"max_train_epochs": 2})
    keep_guards(NEVER, run.folder)
    start_epochs(run, "--delay", 0.3, "--per_epoch", 15)
    wait_for(lambda: events_of(run, "paused"))
    trainer = run.trainer_mark().pid
    wait_for(lambda: state_of(trainer) == "T")
    assert not list(run.checkpoints.glob("*.safetensors"))
    status = read_status(run)
    assert status.phase == "Paused before a save" and "Free some space; it goes on by itself." in status.paused
    assert status.sentence().startswith("Working: Paused before a save: ")
    keep_guards(ALWAYS, run.folder)
    assert wait_for_end(run, 60) == "done"
    assert events_of(run, "continued") and read_status(run).paused == ""


@pytest.mark.slow
def test_a_paused_run_can_be_stopped(tmp_path):
    run = make_run(tmp_path)
    keep_guards(NEVER, run.folder)
    start_epochs(run, "--delay", 0.3)
    wait_for(lambda: events_of(run, "paused"))
    run.stop()
    assert wait_for_end(run, 15) == "cancelled"


def test_it_is_not_paused_where_that_was_switched_off(tmp_path):
    run = make_run(tmp_path, schedule={"max_train_epochs": 2})
    keep_guards(NEVER.changed(disk_pause=False), run.folder)
    assert wait_for_end(start_epochs(run, "--delay", 0.2)) == "done" and not events_of(run, "paused")


def test_what_is_missing_is_told_in_numbers(tmp_path):
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    assert room_missing(tmp_path, 0, ALWAYS) == ""
    told = room_missing(tmp_path, free * 2, ALWAYS)
    assert f"the save takes about {-(-free * 2 // 2**20)} MiB" in told


@pytest.mark.parametrize(("step", "saving", "expected"), [
    (0, {"save_every_n_epochs": 1}, 10), (10, {"save_every_n_epochs": 1}, 20), (12, {"save_every_n_epochs": 3}, 30),
    (95, {"save_every_n_epochs": 3}, 100), (12, {"save_every_n_epochs": None, "save_every_n_steps": 7}, 14),
    (12, {"save_every_n_epochs": None}, 100)])
def test_the_next_save_is_known_from_the_length_and_the_settings(tmp_path, step, saving, expected):
    settings = make_run(tmp_path, saving=saving).settings()
    assert next_save(LogFacts(step=step, total=100, epochs=10), settings) == expected
    assert next_save(LogFacts(), settings) is None


def test_a_save_is_expected_to_be_as_large_as_the_settings_make_it(tmp_path):
    small, large = (size_of_save(make_run(tmp_path / str(rank), network={"network_dim": rank}).settings()) for rank in (4, 64))
    assert large[0] == 16 * small[0] and large[1] > large[0]
