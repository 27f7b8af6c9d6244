"""Runs of the fake trainer, in real projects."""

import sys
import time
from pathlib import Path

from core.base.files import write_json
from core.base.jobs import read_events
from core.dataset.project import Project
from core.training.backends import Command
from core.training.config import TrainingSettings
from core.training.launch import start_supervisor
from core.training.run import Run

TRAINER = Path(__file__).with_name("fake_trainer.py")
EPOCHS = Path(__file__).with_name("fake_epochs.py")


def make_settings(folder, **saving):
    """Small settings for a project's folder."""
    return TrainingSettings().with_values(
        model={"pretrained_model_name_or_path": str(folder)}, saving={"output_name": "mochi", **saving},
        data={"subsets": [{"image_dir": str(folder / "images")}]}, sampling={"sample_prompts": ["mochi, sitting"]})


def make_project(tmp_path):
    """A project that passes for a diffusers folder as well, so that its settings have a base model that is there."""
    project = Project.create(tmp_path / "cats", "cats", trigger="mochi")
    write_json(project.folder / "model_index.json", {"_class_name": "StableDiffusionPipeline"})
    return project


def make_run(tmp_path, backend="sd-scripts", **parts):
    project = make_project(tmp_path)
    return Run.create(project.folder, make_settings(project.folder).with_values(**parts), backend)


def start(run, mode, *words, env=None, token=""):
    """Launch an attempt of the fake trainer, without a backend."""
    write_json(run.folder / "command.json", {"argv": [sys.executable, str(TRAINER), str(run.folder), mode, *map(str, words)],
                                             "cwd": str(run.folder), "env": env or {}})
    attempt = run.attempt() + 1
    run.note("launch", attempt=attempt, backend=run.backend, resumed_from=0)
    start_supervisor(run, attempt, token)
    return run


def start_epochs(run, *words):
    """Launch an attempt of the fake trainer that goes through epochs."""
    argv = [sys.executable, str(EPOCHS), str(run.folder), *map(str, words)]
    write_json(run.folder / "command.json", {"argv": argv, "base": argv, "cwd": str(run.folder), "env": {}})
    attempt = run.attempt() + 1
    run.note("launch", attempt=attempt, backend=run.backend, resumed_from=0)
    start_supervisor(run, attempt)
    return run


def events_of(run, kind):
    """The run's events of one kind."""
    return [event for event in read_events(run.folder)[0] if event["event"] == kind]


def wait_for(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.03)
    return found


def wait_for_end(run, seconds=30.0):
    wait_for(lambda: run.state() not in ("running", "stopping"), seconds)
    return run.state()


class FakeBackend:
    """The fake trainer as a backend of the registry."""

    @classmethod
    def command(cls, run):
        words = (run.project_folder / "words.txt").read_text().split()
        return Command([sys.executable, str(TRAINER), str(run.folder), *words], run.folder)

    @classmethod
    def missing(cls):
        return None

    @classmethod
    def check(cls, run):
        return []
