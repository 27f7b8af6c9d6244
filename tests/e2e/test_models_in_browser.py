"""A model is fetched in the browser: chosen, told, on its way, cancelled, gone on with, offered in the settings; its token stays unseen."""

import re

import pytest
from playwright.sync_api import expect

from core.dataset.manager import DatasetManager
from tests.core.models.fake_sites import SDXL, Blob, Sites, weights
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from widgets.session import Session
from widgets.training.models import ModelsPanel
from widgets.training.settings import SettingsPanel
session = Session()
session.open(Path({folder!r}))
models, settings = ModelsPanel(session, 2), SettingsPanel(session, 3)
models.view
"""
STATE = """async () => JSON.stringify(await Promise.all([...document.querySelectorAll('input')].map(field => field.value)))"""


@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 520)])
def test_a_model_comes_is_cancelled_goes_on_and_is_offered(tmp_path, theme, width):
    manager = DatasetManager.create("small", tmp_path / "projects", family="sdxl")
    with Sites() as sites:
        sites.login.add("7")
        blob = sites.versions["7"] = Blob(weights(SDXL, 60_000_000), "ponyTest_v6.safetensors", per_second=1_500_000)
        environ = {"LORABOOK_MODELS": str(tmp_path / "models"), "HF_ENDPOINT": sites.hub.address, "CIVITAI_ENDPOINT": sites.civitai.address,
                   "HF_TOKEN_PATH": str(tmp_path / "none"), "HF_TOKEN": "", "CIVITAI_API_TOKEN": ""}
        with Lab(tmp_path, environ, theme=theme) as lab, Browser(width=width, height=1500) as context:
            write_notebook(lab.root / "models.ipynb", CELL.format(folder=str(manager.project.folder)), "settings.view")
            page = lab.open(context, "models.ipynb")
            run_all(page)
            panel = page.locator(".lb-panel-models")
            status = panel.get_by_role("status").first
            panel.get_by_label("Named model").select_option(label="FLUX.1 dev (23.8 GB)")
            expect(panel).to_contain_text("FLUX.1 [dev] Non-Commercial License")
            expect(panel.get_by_label("Address")).to_be_hidden()
            keep_picture(page, "models", f"models_named_{theme}")
            panel.get_by_label("Named model").select_option(label="another one, by its address")
            address = panel.get_by_label("Address")
            address.fill(f"{sites.civitai.address}/api/download/models/7?type=Model")
            panel.get_by_role("button", name="Get the model").click()
            expect(status).to_have_text(re.compile("^Needs attention: Civitai gives ponyTest_v6.safetensors only to those who log in"))
            keep_picture(page, "models", f"models_login_{theme}")
            token = panel.get_by_label("Token")
            assert token.get_attribute("type") == "password"
            token.fill("civ_good")
            panel.get_by_role("button", name="Get the model").click()
            expect(status).to_have_text(re.compile(r"Working [1-9]\d* of 58: Downloading ponyTest_v6.safetensors \(MiB\), [\d.]+ MiB/s"))
            expect(token).to_have_value("")
            assert "civ_good" not in page.evaluate(STATE)
            keep_picture(page, "models", f"models_working_{theme}")
            panel.get_by_role("button", name="Cancel").click()
            expect(status).to_have_text(re.compile("^Done: cancelled after"))
            assert (tmp_path / "models/ponyTest_v6.safetensors.part").is_file()
            blob.per_second = 0
            panel.get_by_role("button", name="Get the model").click()
            expect(status).to_have_text(re.compile("^Done: ponyTest_v6.safetensors .* a base model of the family Stable Diffusion XL"))
            expect(panel).to_contain_text("Choose it in the panel Model and settings.")
            keep_picture(page, "models", f"models_done_{theme}")
            expect(page.locator(".lb-panel-settings").get_by_role("option", name="ponyTest_v6.safetensors").first).to_be_attached()
            assert overflowing(page, ".lb-panel-models, .lb-panel-models *") == [] and context.errors == []
            lab.api("api/kernels")
        assert (tmp_path / "models/ponyTest_v6.safetensors").read_bytes() == blob.data
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix in (".json", ".jsonl", ".txt", ".ipynb", ".toml")]
    assert kept and not any("civ_good" in path.read_text("utf-8", "replace") for path in kept)
