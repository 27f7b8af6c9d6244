"""A machine was taken away: its volume is found on another one, under other paths, and its runs go on from their states."""

import json
import os
import shutil
import signal
import socket
import time

import pytest

from core.base.files import read_json, write_json
from core.base.process import is_alive
from core.base.registry import Entry
from core.dataset.project import Project
from core.training import queue
from core.training.backends import BACKENDS
from core.training.manager import TrainingManager
from core.training.monitor import read_status
from core.training.run import Run
from tests.core.training.fakes import make_settings, wait_for, wait_for_end
from tests.tiny_models import make_pictures


@pytest.fixture
def volume(tmp_path, monkeypatch):
    """A volume with projects and models, as one machine sees it."""
    monkeypatch.setitem(BACKENDS._entries, "fake", Entry("fake", "tests.core.training.fakes:FakeBackend", "Fake"))
    folder = tmp_path / "workspace"
    monkeypatch.setenv("LORABOOK_PROJECTS", str(folder / "projects"))
    monkeypatch.setenv("LORABOOK_MODELS", str(folder / "models"))
    project = Project.create(folder / "projects/cats", "cats", trigger="mochi")
    make_pictures(project.images, [(64, 64)] * 2)
    write_json(folder / "models/base/model_index.json", {"_class_name": "StableDiffusionPipeline"})
    write_json(folder / "elsewhere/vae/config.json", {"_class_name": "AutoencoderKL"})
    (project.folder / "words.txt").write_text("slow --delay 0.2 --steps 20")
    return folder


def settings_of(volume):
    return make_settings(volume / "projects/cats").with_values(
        model={"pretrained_model_name_or_path": str(volume / "models/base"), "vae": str(volume / "elsewhere/vae")})


def take_away(run, volume, monkeypatch, place):
    """Both processes end without a word; the volume comes up elsewhere, on a machine of another name, a while later."""
    marks = run.supervisor_mark(), run.trainer_mark()
    for mark in marks:
        os.kill(mark.pid, signal.SIGKILL)
    for mark in marks:
        wait_for(lambda gone=mark: not is_alive(gone))
    shutil.move(volume, place)
    monkeypatch.setenv("LORABOOK_PROJECTS", str(place / "projects"))
    monkeypatch.setenv("LORABOOK_MODELS", str(place / "models"))
    monkeypatch.setattr(socket, "gethostname", lambda: "another-machine")
    moved = Run(place / "projects/cats/runs" / run.id)
    for name in ("heartbeat.json", "supervisor.json"):
        write_json(moved.folder / name, {**read_json(moved.folder / name), "time": time.time() - 120})
    return moved


@pytest.mark.slow
def test_a_run_goes_on_in_one_click_on_another_machine_under_other_paths(volume, tmp_path, monkeypatch):
    manager = TrainingManager.open(volume / "projects/cats")
    run = manager.launch(settings_of(volume), "fake")
    wait_for(lambda: list(run.checkpoints.glob("*-state/random_states_0.pkl")))
    place = tmp_path / "mnt/data"
    place.parent.mkdir()
    moved = take_away(run, volume, monkeypatch, place)
    assert moved.state() == "lost" and moved.is_active() is False
    assert [(queued.state, queued.run.id) for queued in queue.list_queue()] == []  # that machine's queue named other places
    there = TrainingManager.open(place / "projects/cats")
    assert there.resume_point(run.id).step == 10
    there.resume(run.id)
    settings = moved.settings()
    assert settings.model.pretrained_model_name_or_path == str(place / "models/base")
    assert settings.model.vae == str(place / "elsewhere/vae")
    assert settings.saving.resume.startswith(str(place)) and settings.data.subsets[0].image_dir == str(place / "projects/cats/images")
    assert str(volume) not in (moved.folder / "config.toml").read_text() + (moved.folder / "dataset.toml").read_text()
    assert wait_for_end(moved, 60) == "done"
    assert str(volume) not in json.dumps(read_json(moved.folder / "command.json"))
    assert read_status(moved).step == 20 and (place / "projects/cats/output/mochi.safetensors").is_file()


def test_a_volume_that_is_still_there_is_not_taken_for_a_moved_one(volume, tmp_path, monkeypatch):
    """A project that was copied beside the old one keeps using the models of the place where they lie."""
    run = Run.create(volume / "projects/cats", settings_of(volume), "fake")
    copy = tmp_path / "copied/projects/cats"
    shutil.copytree(volume / "projects/cats", copy)
    settings = Run(copy / "runs" / run.id).settings()
    assert settings.model.vae == str(volume / "elsewhere/vae") and settings.data.subsets[0].image_dir == str(copy / "images")


@pytest.mark.slow
def test_on_the_same_paths_the_queue_of_the_machine_that_was_taken_away_is_waked(volume, monkeypatch):
    """The volume comes up at the same place on a machine of another name."""
    manager = TrainingManager.open(volume / "projects/cats")
    run = manager.launch(settings_of(volume), "fake")
    wait_for(lambda: list(run.checkpoints.glob("*-state/random_states_0.pkl")))
    moved = take_away(run, volume, monkeypatch, volume.with_name("other"))
    shutil.move(volume.with_name("other"), volume)
    monkeypatch.setenv("LORABOOK_PROJECTS", str(volume / "projects"))
    monkeypatch.setenv("LORABOOK_MODELS", str(volume / "models"))
    assert not moved.folder.exists()
    assert [(queued.state, queued.run.id) for queued in manager.queue()] == [("gone", run.id)]
    assert [woken.id for woken in manager.wake_queue()] == [run.id]
    assert wait_for_end(run, 60) == "done" and read_status(run).step == 20
