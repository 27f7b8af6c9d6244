"""Loading settings into a project: from a file, a run, a preset, for a GPU; and back again."""

import pytest

from core.base.errors import ConfigError, TrainingError
from core.dataset.project import Project
from core.stages import run_stage
from core.training.config.presets import load_preset, save_settings
from core.training.kept import keep_settings, read_kept, settings_file
from core.training.loading import can_take_back
from core.training.manager import TrainingManager
from core.training.run import Run
from tests.core.training.importing.files import write_gui


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path / "projects"))
    return Project.create(tmp_path / "projects" / "cats", "Cats", trigger="mycat", family="sdxl")


def load(project, **values):
    return run_stage("load-settings", project.folder, values)


def test_a_file_of_another_program_becomes_the_projects_settings(project, tmp_path):
    report = load(project, file=str(write_gui(tmp_path / "a.json", sdxl=True, network_dim=24, stop_text_encoder_training=5)))
    found = read_kept(project)
    assert (found.network.network_dim, found.model.family, found.data.subsets[0].image_dir) == (24, "sdxl", str(project.images))
    assert report["what"] == "Loaded settings of kohya_ss: a.json. 2 things were not taken over; each is listed."
    assert any("stop_text_encoder_training = 5" in line for line in report["left_out"]) and report["summary"].count("\n") == 2
    save_settings(load_preset("sdxl_style"), tmp_path / "own.toml")
    assert load(project, file=str(tmp_path / "own.toml"))["what"].endswith("Everything was taken over.")


def test_a_run_is_cloned_with_what_it_was_trained_with(project):
    settings = TrainingManager(project.folder).configure(load_preset("sdxl_concept").with_values(network={"network_dim": 5}))
    run = Run.create(project.folder, settings, "builtin")
    keep_settings(load_preset("sdxl_style"), project)
    load(project, run=run.id)
    found = read_kept(project)
    assert found.network == run.settings().network and found.network.network_dim == 5
    assert (found.saving.output_dir, found.logging.logging_dir, found.saving.resume) == (None, None, None)
    with pytest.raises(TrainingError, match="no training run"):
        load(project, run="../../elsewhere")


def test_a_preset_is_saved_loaded_listed_and_put_aside(project):
    keep_settings(load_preset("sdxl_style").with_values(network={"network_dim": 77}), project)
    run_stage("save-preset", project.folder, {"name": "mine"})
    assert TrainingManager(project.folder).presets()[-1] == "mine"
    keep_settings(load_preset("sdxl_style"), project)
    load(project, preset="mine")
    assert read_kept(project).network.network_dim == 77
    run_stage("remove-preset", project.folder, {"name": "mine"})
    with pytest.raises(ConfigError, match="No preset is called 'mine'"):
        load(project, preset="mine")


def test_exactly_one_source_is_wanted_and_a_wrong_one_changes_nothing(project, tmp_path):
    keep_settings(load_preset("sdxl_style"), project)
    before = settings_file(project.folder).read_text()
    for values, words in (({}, "must be given"), ({"file": "/a", "preset": "b"}, "file and preset are given"),
                          ({"file": str(tmp_path / "none")}, "There is no file")):
        with pytest.raises(ConfigError, match=words):
            load(project, **values)
    assert settings_file(project.folder).read_text() == before and not can_take_back(project)


def test_what_was_loaded_over_comes_back_and_goes_again(project):
    with pytest.raises(ConfigError, match="nothing to take back"):
        run_stage("settings-back", project.folder, {})
    keep_settings(load_preset("sdxl_style"), project)
    load(project, preset="flux1_style")
    for family in ("sdxl", "flux1"):
        run_stage("settings-back", project.folder, {})
        assert read_kept(project).model.family == family


def test_the_first_load_of_a_new_project_can_be_taken_back_too(project):
    load(project, preset="flux1_style")
    run_stage("settings-back", project.folder, {})
    assert read_kept(project).model.family == "sdxl"


def test_memory_is_fitted_and_a_fitting_one_is_left_alone(project):
    keep_settings(load_preset("sdxl_style"), project)
    report = run_stage("fit-memory", project.folder, {"gib": 12})
    found = read_kept(project)
    assert (found.data.batch_size, found.schedule.gradient_accumulation_steps) == (1, 4) and len(report["notes"]) == 2
    written = settings_file(project.folder).stat().st_mtime_ns
    assert "nothing needs changing" in run_stage("fit-memory", project.folder, {"gib": 12})["what"]
    assert settings_file(project.folder).stat().st_mtime_ns == written
    with pytest.raises(ConfigError, match="GPU memory"):
        run_stage("fit-memory", project.folder, {"gib": 10})
