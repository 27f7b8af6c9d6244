"""All settings in a browser: found by words, compared with the preset, greyed with the reason, folders added, findings mended."""

import pytest
from playwright.sync_api import expect

from tests.core.training.test_base_models import SDXL, write_header
from tests.e2e.lab import Browser, Lab, keep_picture, run_all, write_notebook
from tests.photographs import photo_project

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from IPython.display import display
from widgets.session import Session
from widgets.training.check import TrainingCheckPanel
from widgets.training.settings import SettingsPanel
session = Session()
session.open(Path({folder!r}))
panel, check = SettingsPanel(session), TrainingCheckPanel(session, 2)
display(panel.view, check.view)
"""


@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 500)])
def test_settings_are_found_compared_greyed_and_mended(tmp_path, monkeypatch, theme, width):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    write_header(tmp_path / "models" / "noob.safetensors", (*SDXL, "v_pred"))
    project = photo_project(tmp_path, ("astronaut", "coffee"), family="sdxl").project
    with Lab(tmp_path, theme=theme) as lab, Browser(width=width, height=1500) as context:
        write_notebook(lab.root / "settings.ipynb", CELL.format(folder=str(project.folder)))
        page = lab.open(context, "settings.ipynb")
        run_all(page)
        panel = page.locator(".lb-panel-settings")
        find = panel.get_by_label("Find a setting")
        find.fill("noise_offset")
        expect(panel.locator(".lb-field-noise_offset input")).to_be_visible()
        expect(panel.locator(".lb-field-noise_offset_random_strength input")).to_be_disabled()
        expect(panel.locator(".lb-field-noise_offset_random_strength")).to_contain_text(
            "Not used: it acts only where 'Noise offset' is set.")
        expect(panel.locator(".lb-field-network_dim")).to_be_hidden()
        keep_picture(page, "settings", f"settings_found_{theme}")
        panel.locator(".lb-field-noise_offset input").fill("0.05")
        panel.locator(".lb-field-noise_offset input").press("Tab")
        expect(panel.locator(".lb-field-noise_offset_random_strength input")).to_be_enabled()
        find.fill("")
        panel.get_by_role("button", name="Only what differs from the preset (1)").click()
        expect(panel).to_contain_text("Noise offset: the preset has nothing.")
        expect(panel.locator(".lb-field-noise_offset input")).to_be_visible()
        panel.get_by_role("button", name="Only what differs from the preset (1)").click()
        panel.get_by_role("button", name="Show LoRA").click()
        panel.locator(".lb-section-network").get_by_role("button", name="Show more settings").click()
        expect(panel.locator(".lb-field-network_type select")).to_be_visible()
        keep_picture(page, "settings", f"settings_network_{theme}")
        panel.get_by_role("button", name="Show Dataset").click()
        panel.get_by_role("button", name="Add a folder").click()
        expect(panel.locator(".lb-folder")).to_have_count(2)
        keep_picture(page, "settings", f"settings_folders_{theme}")
        panel.locator(".lb-field-pretrained_model_name_or_path select").select_option(label="noob.safetensors")
        expect(panel).to_contain_text("predicts v, but v-prediction (v_parameterization) is off")
        keep_picture(page, "settings", f"settings_model_{theme}")
        assert context.errors == []


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 420)])
def test_several_gpus_are_chosen_and_what_each_takes_is_shown(tmp_path, monkeypatch, theme, width):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    project = photo_project(tmp_path, ("astronaut", "coffee"), family="sdxl").project
    with Lab(tmp_path, theme=theme) as lab, Browser(width=width, height=1500) as context:
        write_notebook(lab.root / "settings.ipynb", CELL.format(folder=str(project.folder)))
        page = lab.open(context, "settings.ipynb")
        run_all(page)
        panel = page.locator(".lb-panel-settings")
        panel.get_by_label("Find a setting").fill("machine")
        machines = panel.locator(".lb-field-num_machines")
        expect(machines.locator("input")).to_be_disabled()
        expect(machines).to_contain_text("Not used: it acts only where 'GPUs that train together' is more than 1.")
        panel.get_by_label("Find a setting").fill("GPUs that train together")
        panel.locator(".lb-field-num_processes input").fill("2")
        panel.locator(".lb-field-num_processes input").press("Tab")
        expect(panel).to_contain_text("Each of 2 GPUs takes about")
        expect(panel).to_contain_text("(effective batch)")
        panel.get_by_label("Find a setting").fill("machine")
        expect(machines.locator("input")).to_be_enabled()
        keep_picture(page, "settings", f"settings_machines_{theme}")
        check = page.locator(".lb-panel-check")
        check.get_by_role("button", name="Check everything").click()
        expect(check).to_contain_text("2 GPUs are to train together, but the built-in trainer trains on one.")
        assert context.errors == []
