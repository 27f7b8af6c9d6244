"""What watches over a run is kept with project and run, and read again while the run works."""

import pytest

from core.base.errors import ConfigError
from core.training.guards import FILE, GuardSettings, KeptGuards, keep_guards, read_guards
from core.training.launch import prepare
from core.training.manager import TrainingManager
from tests.core.training.fakes import make_project, make_settings


def test_without_a_file_the_defaults_hold(tmp_path):
    assert read_guards(tmp_path) == GuardSettings() == KeptGuards(tmp_path).now()


def test_what_was_kept_is_read_again_when_it_changes(tmp_path):
    kept = KeptGuards(tmp_path)
    keep_guards(GuardSettings(memory_retries=5), tmp_path)
    assert kept.now().memory_retries == 5
    keep_guards(GuardSettings(memory_retries=6), tmp_path)
    assert kept.now().memory_retries == 6


@pytest.mark.parametrize("text", ["{", "[1]", '{"memory_retries": -1}', '{"no_such_thing": 1}'])
def test_a_wrong_file_is_told_and_what_held_before_holds_on(tmp_path, text):
    kept = KeptGuards(tmp_path)
    keep_guards(GuardSettings(memory_retries=5), tmp_path)
    assert kept.now().memory_retries == 5 and kept.trouble == ""
    (tmp_path / FILE).write_text(text + " ")
    assert kept.now().memory_retries == 5 and kept.trouble
    with pytest.raises(ConfigError):
        read_guards(tmp_path)


def test_a_run_takes_its_projects_along_and_they_stand_in_no_file_of_a_trainer(tmp_path):
    project = make_project(tmp_path)
    TrainingManager.open(project.folder).keep_guards(GuardSettings(on_nan="lower", disk_free=7.5))
    run = prepare(project.folder, make_settings(project.folder), "builtin")
    assert read_guards(run.folder).on_nan == "lower"
    for name in ("config.toml", "dataset.toml", "settings.toml"):
        text = (run.folder / name).read_text()
        assert not any(f"\n{field} = " in text for field in GuardSettings.fields())
    own = prepare(project.folder, make_settings(project.folder), "builtin", GuardSettings(on_nan="stop"))
    assert read_guards(own.folder).on_nan == "stop"
