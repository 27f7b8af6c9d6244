"""Runs: folders that tell their own state."""

import json
import os
import time

import pytest

from core.base.errors import ConfigError, TrainingError
from core.base.process import mark_of
from core.training.run import Run
from tests.core.training.fakes import make_project, make_run, make_settings


def test_a_new_run_holds_the_pair_and_is_prepared(tmp_path):
    run = make_run(tmp_path)
    assert run.state() == "prepared" and run.backend == "sd-scripts" and run.output_name == "mochi"
    assert run.folder.parent == run.project_folder / "runs" and run.id.endswith("-mochi")
    assert {"config.toml", "dataset.toml", "sample_prompts.txt", "run.json"} <= {path.name for path in run.folder.iterdir()}
    assert run.settings().saving.output_dir == str(run.checkpoints) and run.checkpoints.is_dir()


def test_two_runs_of_one_second_get_folders_of_their_own(tmp_path):
    project = make_project(tmp_path)
    runs = [Run.create(project.folder, make_settings(project.folder), "builtin") for _ in range(3)]
    assert len({run.folder for run in runs}) == 3
    assert Run.list(project.folder) == runs[::-1]


def test_the_settings_of_a_moved_run_name_its_present_places(tmp_path):
    run = make_run(tmp_path)
    written = run.written_settings()
    moved = run.project_folder.rename(tmp_path / "elsewhere")
    run = Run.open(moved / "runs" / run.id)
    settings = run.settings()
    assert run.written_settings() == written != settings
    assert settings.saving.output_dir == str(run.checkpoints)
    assert [subset.image_dir for subset in settings.data.subsets] == [str(moved / "images")]


def test_settings_that_cannot_be_written_leave_no_half_run(tmp_path):
    project = make_project(tmp_path)
    (project.folder / "runs").rmdir()
    (project.folder / "runs").write_text("a file where a folder should be")
    with pytest.raises((OSError, ConfigError)):
        Run.create(project.folder, make_settings(project.folder), "builtin")
    assert Run.list(project.folder) == []


def test_a_folder_without_run_json_is_no_run(tmp_path):
    with pytest.raises(TrainingError, match="no training run"):
        Run.open(tmp_path)


def test_a_name_with_odd_letters_makes_a_usable_folder(tmp_path):
    project = make_project(tmp_path)
    run = Run.create(project.folder, make_settings(project.folder, output_name="小猫 [v2]"), "builtin")
    assert Run.open(run.folder).output_name == "小猫 [v2]" and " " not in run.id


def live(run, attempt=1, host=None, **beat):
    import socket

    mark = mark_of(os.getpid()).as_dict()
    (run.folder / "supervisor.json").write_text(json.dumps({"attempt": attempt, "host": host or socket.gethostname(), "mark": mark}))
    if beat:
        (run.folder / "heartbeat.json").write_text(json.dumps(beat))


def test_the_state_follows_files_and_processes(tmp_path):
    run = make_run(tmp_path)
    live(run)
    assert run.state() == "running"
    (run.folder / "stop").write_text("gentle")
    assert run.state() == "stopping"
    run.note("end", attempt=1, state="failed")
    assert run.state() == "failed"


def test_the_end_of_an_earlier_attempt_does_not_end_the_present_one(tmp_path):
    run = make_run(tmp_path)
    run.note("end", attempt=1, state="failed")
    live(run, attempt=2)
    assert run.state() == "running"


def test_a_run_on_another_machine_is_known_by_its_heartbeat(tmp_path):
    run = make_run(tmp_path)
    live(run, host="another-pod", time=time.time())
    assert run.state() == "running"
    live(run, host="another-pod", time=time.time() - 600)
    assert run.state() == "lost"
    supervisor = json.loads((run.folder / "supervisor.json").read_text())
    (run.folder / "supervisor.json").write_text(json.dumps({**supervisor, "time": time.time()}))  # a new one, before its first beat
    assert run.state() == "running"


def test_the_end_is_found_behind_thousands_of_events(tmp_path):
    run = make_run(tmp_path)
    live(run)
    with open(run.folder / "events.jsonl", "a") as file:
        file.writelines(json.dumps({"event": "step", "step": step, "loss": 0.1}) + "\n" for step in range(5000))
    assert run.end() == {}
    run.note("end", attempt=1, state="done")
    assert run.state() == "done"


def test_the_end_is_found_whatever_signs_its_message_holds(tmp_path):
    run = make_run(tmp_path)
    live(run)
    run.note("end", attempt=1, state="failed", message="no file a\u2028b\x85")
    assert run.end()["message"] == "no file a\u2028b\x85"


def test_stopping_a_run_that_does_not_work_leaves_no_request_behind(tmp_path):
    run = make_run(tmp_path)
    run.stop()
    assert not (run.folder / "stop").exists()
