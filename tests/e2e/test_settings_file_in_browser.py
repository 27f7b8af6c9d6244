"""Settings are loaded from a file of another program, fitted to a GPU, kept as a preset and taken back, in both themes."""

import pytest
from playwright.sync_api import expect

from core.dataset.manager import DatasetManager
from core.training.kept import read_kept
from tests.core.training.importing.files import write_gui
from tests.e2e.lab import keep_picture, shown_panel
from widgets.training.settings_file import SettingsFilePanel

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 500)])
def test_settings_of_another_program_are_loaded_and_what_was_left_out_is_read(tmp_path, theme, width):
    project = DatasetManager.create("small", tmp_path / "projects", trigger="mychar").project
    file = write_gui(tmp_path / "gui.json", sdxl=True, noise_offset=0.05, stop_text_encoder_training=20, conv_dim=8)
    with shown_panel(SettingsFilePanel, project.folder, tmp_path, theme, width, 1500, LORABOOK_PROJECTS=str(tmp_path / "projects")) as page:
        panel = page.locator(".lb-panel-settings_file")
        page.get_by_label("File", exact=True).fill(str(file))
        page.get_by_role("button", name="Load these settings").click()
        expect(panel).to_contain_text("Loaded settings of kohya_ss: gui.json.")
        expect(panel).to_contain_text("the text encoder cannot be stopped on the way")
        keep_picture(page, "settings_file", f"settings_file_{theme}")
        assert read_kept(project).model.family == "sdxl"
        page.get_by_label("GPU memory").select_option("8 GB")
        page.get_by_role("button", name="Fit the settings to it").click()
        expect(panel).to_contain_text("8 GB: ")
        expect(panel).to_contain_text("stays as it is")
        keep_picture(page, "settings_file", f"settings_memory_{theme}")
        page.get_by_label("Name", exact=True).fill("my own")
        page.get_by_role("button", name="Save as a preset").click()
        expect(panel).to_contain_text("Saved as your preset 'my own'")
        page.get_by_label("Load from").select_option("A preset of your own")
        expect(page.get_by_label("Your preset")).to_have_value("my own")
        keep_picture(page, "settings_file", f"settings_presets_{theme}")
        page.get_by_role("button", name="Take back the last loading").click()
        expect(panel).to_contain_text("are back")
        assert page.context.errors == []
