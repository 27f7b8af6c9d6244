"""The panel that loads and saves settings shows what the stages say."""

from core.base.paths import own_presets_dir
from core.training.kept import read_kept
from core.training.loading import LoadSettings
from core.training.run import Run
from tests.core.training.importing.files import write_gui
from widgets.training.choice import read_settings
from widgets.training.settings import SettingsPanel
from widgets.training.settings_file import SettingsFilePanel


def test_a_file_is_loaded_and_the_form_shows_it(session, project, tmp_path):
    form, panel = SettingsPanel(session), SettingsFilePanel(session)
    panel.form.control("file").write(str(write_gui(tmp_path / "a.json", network_dim=24, something="<new>")))
    panel.main.click()
    assert panel.status.text.startswith("Done: Loaded settings of kohya_ss: a.json. 2 things were not taken over")
    assert "Not taken over" in panel._told_of.value and "&lt;new&gt;" in panel._told_of.value
    form.refresh()
    assert form.form.value().network.network_dim == 24
    panel.main.click()


def test_a_wrong_path_is_told(session):
    panel = SettingsFilePanel(session)
    panel.form.control("file").write("/nowhere/a.json")
    panel.main.click()
    assert panel.status.text.startswith("Needs attention: There is no file /nowhere/a.json.")


def test_runs_and_own_presets_are_offered_and_a_missing_one_is_said(session, project):
    panel = SettingsFilePanel(session)
    for source in ("run", "preset"):
        panel.source.value = source
        panel.refresh()
        assert panel.main.disabled and "yet" in panel.main.tooltip
    run = Run.create(project.folder, read_settings(session), "builtin")
    panel.save_form.control("name").write("mine")
    panel.guard(panel._save)
    (own_presets_dir() / "bad.toml").write_text("[data]\nnothing = 1\n")
    panel.refresh()
    assert [value for _, value in panel.run_list.options] == [run.id] and panel.preset_list.value == "mine"
    assert "bad" in panel._broken.value and not panel.main.disabled
    panel.guard(panel._remove)
    assert panel.preset_list.value == ""


def test_memory_is_fitted_and_taken_back(session, project):
    panel = SettingsFilePanel(session)
    before = read_settings(session)
    panel.memory.value = 80
    session.training.load_settings(LoadSettings(preset="flux1_style"))
    panel.guard(panel._fit)
    assert read_kept(project).memory.blocks_to_swap is None and "Changed" in panel._told_of.value
    panel.guard(panel._take_back)
    assert read_kept(project).memory.blocks_to_swap == 18 and before.model.family == "sd15"
