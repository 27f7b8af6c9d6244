"""Trainer says what is open, and claims nothing that did not happen."""

import pytest

from core.base.paths import present_project_file
from core.dataset.manager import DatasetManager
from core.dataset.project import Project
from widgets.session import Session
from widgets.training.project import TrainerProjectPanel


@pytest.fixture
def trainer(projects):
    return Session(present_project_file())


def look_again(panel) -> str:
    panel.guard(panel._look_again)
    return panel.status.text


def test_without_a_hand_over_nothing_is_said_to_be_open(trainer, project):
    panel = TrainerProjectPanel(trainer)
    assert "already" not in panel.purpose
    assert "No project is open: nothing was handed over yet." in panel._facts.value
    assert look_again(panel) == "Done: nothing was handed over yet. Press Hand over in Dataset_Maker, or open a project above."


def test_what_was_handed_over_before_is_open(trainer, project):
    DatasetManager(project).hand_to_trainer()
    panel = TrainerProjectPanel(trainer)
    assert trainer.folder == project.folder
    assert "nothing was handed over" not in panel._facts.value and "<td>Small</td>" in panel._facts.value


def test_what_was_handed_over_meanwhile_is_opened_and_named(trainer, project, projects):
    DatasetManager(project).hand_to_trainer()
    panel = TrainerProjectPanel(trainer)
    assert look_again(panel) == "Done: nothing else was handed over; Small stays open."
    DatasetManager(Project.create(projects / "two", "Number two")).hand_to_trainer()
    assert look_again(panel) == "Done: Number two was handed over and is open."
    assert panel.picker.list.value == str(projects / "two")


def test_a_project_that_was_handed_over_and_is_gone_is_named(trainer, project):
    DatasetManager(project).hand_to_trainer()
    project.folder.rename(project.folder.with_name("elsewhere"))
    panel = TrainerProjectPanel(trainer)
    assert look_again(panel).startswith("Needs attention: The project that was open last cannot be opened.")
    assert f"{project.folder} does not exist." in panel.status.text and "nothing was handed over" not in panel._facts.value
