"""Browser tests: skipped, visibly, where there is no Chromium; on CI that is a failure."""

import os

import pytest

from core.dataset.project import Project, folder_for
from core.training.manager import TrainingManager
from tests.e2e.lab import CHROMIUM
from tests.tiny_models import make_pictures

PATIENCE = 30_000
"""Milliseconds until what should be seen counts as missing; a machine with much else to do needs more than playwright's five seconds."""


@pytest.fixture(autouse=True)
def needs_chromium():
    if not CHROMIUM.exists():
        words = f"No Chromium at {CHROMIUM}. Install it: apt-get install chromium, or set LORABOOK_CHROMIUM."
        pytest.fail(words) if os.environ.get("CI") else pytest.skip(words)
    pytest.importorskip("playwright") if not os.environ.get("CI") else __import__("playwright")
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)


@pytest.fixture
def projects(tmp_path, monkeypatch):
    """The folder in which the notebooks find their projects; jobs on LoRA files lie beside it."""
    folder = tmp_path / "projects"
    folder.mkdir()
    monkeypatch.setenv("LORABOOK_PROJECTS", str(folder))
    monkeypatch.setenv("LORABOOK_LORAS", str(tmp_path / "loras"))
    return folder


@pytest.fixture
def cats(projects):
    """The training side of a project with eight small pictures, which Trainer opens by itself; its runs are ended."""
    project = Project.create(folder_for("Cats"), "Cats", trigger="mochi")
    make_pictures(project.images, [(64, 64)] * 8)
    (projects / "present_project").write_text(str(project.folder), encoding="utf-8")
    manager = TrainingManager.open(project.folder)
    yield manager
    for run in manager.runs():
        run.stop(force=True)
