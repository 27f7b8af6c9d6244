"""The monitor in a browser: charts, samples with their prompts, runs beside each other, the log by level and words."""

import re

import pytest
from playwright.sync_api import expect

from core.training.finish.kept import keep_finish
from core.training.finish.settings import FinishSettings
from core.training.manager import TrainingManager
from tests.core.training.fakes import make_project, make_settings
from tests.core.training.watched import make_watched
from tests.e2e.lab import SCREENSHOTS, Browser, Lab, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from widgets.session import Session
from widgets.training.monitor import MonitorPanel
session = Session()
session.open(Path({folder!r}))
panel = MonitorPanel(session)
panel.view
"""


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 1400), ("light", 420), ("dark", 420)])
def test_the_monitor_shows_everything_that_is_measured(tmp_path, theme, width):
    folder = tmp_path / "projects"
    folder.mkdir()
    project = make_project(folder)
    settings = make_settings(project.folder)
    first = make_watched(project, settings.with_values(network={"network_dim": 8}))
    others = settings.with_values(network={"network_dim": 32}, optimizer={"learning_rate": 5e-5})
    second = make_watched(project, others, "#1f618d", fall=0.002, seed=2)
    keep_finish(project.folder, FinishSettings(price_per_hour=0.44, reminder=True))
    name = f"{theme}_{width}"
    with Lab(tmp_path, {"LORABOOK_PROJECTS": str(folder)}, theme) as lab, Browser(width=width, height=6500) as context:
        write_notebook(lab.root / "monitor.ipynb", CELL.format(folder=str(project.folder)))
        page = lab.open(context, "monitor.ipynb")
        run_all(page)
        panel = page.locator(".lb-panel-monitor")
        expect(panel).to_contain_text("The training has ended.")
        expect(panel).to_contain_text("0.04 so far, at 0.44 an hour")
        expect(panel.get_by_test_id("chart").first).to_be_visible()
        words = panel.locator(".lb-samples-words").first
        expect(words).to_contain_text("mychar, red hair, smiling")
        keep_picture(page, "monitor", f"monitor_calm_{name}")
        panel.get_by_role("button", name="Show Gradient and layers").click()
        expect(panel).to_contain_text("lora_unet_blocks_")
        panel.get_by_role("button", name="Show GPU and disk").click()
        expect(panel.get_by_text("GPU temperature, °C")).to_be_visible()
        panel.get_by_role("button", name="Show Compare runs").click()
        expect(panel.locator(".lb-differences")).to_contain_text("LoRA: Rank")
        expect(panel.locator(".lb-compare svg[data-testid=chart]")).to_have_attribute("aria-label", re.compile(second.id))
        panel.get_by_label("Over").select_option("time")
        expect(panel.locator(".lb-compare svg[data-testid=chart]")).to_contain_text("minutes")
        panel.get_by_label("Samples of").select_option("Epoch 1")
        expect(panel.locator(f".lb-compare button[aria-label*='{first.id}, epoch 1']").first).to_be_visible()
        log = panel.locator(".lb-runlog")
        log.locator("summary").click()
        expect(log.get_by_test_id("runlog")).to_contain_text("saving checkpoint")
        log.get_by_label("Progress").uncheck()
        expect(log).to_contain_text("3 lines fit.")
        log.get_by_label("Search the whole log").fill("CHECKPOINT")
        expect(log.locator("mark")).to_have_text("checkpoint")
        expect(log).to_contain_text("1 line fits.")
        keep_picture(page, "monitor", f"monitor_all_{name}")
        assert overflowing(page, ".lb-panel-monitor, .lb-panel-monitor *", ("hidden", "auto")) == []
        assert context.errors == []


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 1400), ("light", 420), ("dark", 420)])
def test_the_report_shows_the_same_without_a_network(tmp_path, theme, width):
    project = make_project(tmp_path)
    settings = make_settings(project.folder)
    run = make_watched(project, settings.with_values(network={"network_dim": 8}))
    other = make_watched(project, settings.with_values(network={"network_dim": 32}), "#1f618d", fall=0.002, seed=2)
    report = TrainingManager(project.folder).report(run.id, [other.id])
    with Browser(width=width, height=1200) as context:
        asked = []
        page = context.new_page()
        page.emulate_media(color_scheme=theme)
        page.on("request", lambda request: asked.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
        page.goto(report.as_uri())
        for heading in ("Loss", "Learning rate", "Gradient and layers", "GPU and disk", "Compared with other runs", "Log"):
            expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth") and asked == [] and context.errors == []
        assert page.locator("svg").count() == 2 + 2 + 5 + 2
        if SCREENSHOTS:
            page.screenshot(path=f"{SCREENSHOTS}/report_{theme}_{width}.png", full_page=True)
