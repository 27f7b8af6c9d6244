"""The report opens from its panel in a tab of its own, and is downloaded under the run's name."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.base.paths import ROOT
from core.dataset.manager import DatasetManager
from core.training.config import TrainingSettings
from core.training.run import Run
from tests.e2e.lab import Browser, Lab, run_all

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_report_is_opened_and_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path / "projects"))
    manager = DatasetManager.create("Cat", trigger="mychar")
    project = manager.project
    Image.new("RGB", (64, 64), "red").save(project.images / "1.png")
    settings = TrainingSettings().with_values(data={"subsets": [{"image_dir": str(project.images)}]})
    run = Run.create(project.folder, settings, "builtin")
    run.note("start", total_steps=4, epochs=2, images=1, batches=2, buckets=1)
    manager.hand_to_trainer()
    shutil.copy(ROOT / "Trainer.ipynb", tmp_path / "Trainer.ipynb")
    with Lab(tmp_path, {"LORABOOK_PROJECTS": str(tmp_path / "projects")}) as lab, Browser(height=6000) as context:
        page = lab.open(context, "Trainer.ipynb")
        run_all(page)
        panel = page.locator(".lb-panel-report")
        expect(panel.get_by_role("button", name="Open the report")).to_be_hidden()
        panel.get_by_role("button", name="Write the report").click()
        expect(panel.get_by_role("button", name="Open the report")).to_be_visible(timeout=60_000)
        with context.expect_page() as opened:
            panel.get_by_role("button", name="Open the report").click()
        opened.value.wait_for_url(re.compile("^blob:"))
        expect(opened.value.locator("h1")).to_contain_text(run.output_name)
        with page.expect_download() as saved:
            panel.get_by_role("button", name=f"Download {run.id}.html").click()
        assert saved.value.suggested_filename == f"{run.id}.html"
        assert Path(saved.value.path()).read_bytes() == (run.folder / "report.html").read_bytes()
        assert context.errors == []
