"""Does the run fit on the disk that it is written to, and what does it leave in Google Drive's trash?"""

import pytest

from core.dataset.project import Project
from core.training import room
from core.training.config.presets import load_preset
from core.training.fitting import fit_to_project
from core.training.manager import TrainingManager
from core.training.room import check_trash, room_of
from tests.core.training.test_fitting import make_pictures

ALL_STATES = {"save_every_n_steps": 1, "save_last_n_steps_state": None}


@pytest.fixture
def project(tmp_path):
    made = Project.create(tmp_path / "cats", "cats", trigger="mochi")
    make_pictures(made.images, 20)
    return made


def settings_of(project, preset="sdxl_character", **saving):
    return fit_to_project(load_preset(preset), project).with_values(saving=saving)


def bare(project, preset="sdxl_character", **saving):
    """One file at the end, and what is asked for."""
    return room_of(settings_of(project, preset, save_state=False, save_every_n_epochs=None).with_values(saving=saving))


@pytest.mark.parametrize(("preset", "megabytes"), [("sd15_character", 62), ("sd15_style", 87), ("sdxl_character", 166),
                                                   ("sdxl_style", 365)])
def test_a_state_is_as_large_as_those_that_were_measured(project, preset, megabytes):
    state = bare(project, preset, save_state_on_train_end=True).kept - bare(project, preset).kept
    assert state * 2**30 / 1e6 == pytest.approx(megabytes, rel=0.15)


def test_states_count_in_what_is_kept_and_in_what_is_removed(project):
    without, one, all_of_them = (room_of(settings_of(project, **saving)) for saving in (
        {"save_state": False}, {}, {"save_last_n_epochs_state": None}))
    assert without.removed == 0
    state = (one.kept - without.kept) / 2  # the newest, and the one that is being written
    assert one.removed == pytest.approx(8 * state) and all_of_them.kept == pytest.approx(without.kept + 10 * state)


def test_states_of_steps_are_counted_as_sd_scripts_counts_them(project):
    newest, some, everyone = (room_of(settings_of(project, save_every_n_epochs=None, save_every_n_steps=10, save_last_n_steps_state=last))
                              for last in (1, 25, None))
    assert newest.kept < some.kept < everyone.kept and everyone.removed == 0 < some.removed < newest.removed


def test_the_disk_of_the_projects_runs_is_looked_at_and_not_that_of_the_pictures(project):
    subsets = [{"image_dir": str(project.images)}]
    huge = settings_of(project, **ALL_STATES).with_values(network={"network_dim": 512}, schedule={"max_train_epochs": 1000},
                                                          data={"subsets": subsets})
    found = [finding for finding in TrainingManager.open(project.folder).check(huge) if "The run writes about" in finding.what]
    assert len(found) == 1 and found[0].level == "error" and str(project.runs) in found[0].what and "LoRA files and states" in found[0].what


def test_on_google_drive_the_trash_is_spoken_of(project, tmp_path, monkeypatch):
    assert not any("trash" in finding.remedy for finding in check_trash(settings_of(project), project.folder))
    monkeypatch.setattr(room, "GOOGLE_DRIVE", tmp_path)
    found = [finding for finding in TrainingManager.open(project.folder).check(settings_of(project)) if "trash" in finding.remedy]
    assert len(found) == 1 and found[0].level == "warning" and "about 1.3 GiB of older files and states" in found[0].what
    assert not any("trash" in finding.remedy for finding in check_trash(settings_of(project, save_state=False), project.folder))


def test_without_pictures_nothing_is_said(tmp_path):
    empty = Project.create(tmp_path / "empty", "empty")
    assert check_trash(settings_of(empty), empty.folder) == []
