"""Both notebooks in a real browser: what a person sees, presses and types."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.base.paths import DEMO_ASSETS, ROOT
from core.dataset.manager import DatasetManager
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.importing import import_images
from core.training.config.presets import load_preset, save_settings
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook
from widgets.dataset import PANELS as MAKER_PANELS
from widgets.training import PANELS as TRAINER_PANELS
from widgets.training.choice import settings_file

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NOTEBOOKS = {"Dataset_Maker.ipynb": MAKER_PANELS, "Trainer.ipynb": TRAINER_PANELS}


@pytest.fixture
def notebooks(tmp_path) -> Path:
    """Copies, so that nothing that the browser does can change the project's own."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in NOTEBOOKS:
        shutil.copy(ROOT / name, folder / name)
    return folder


def demo_project() -> DatasetManager:
    manager = DatasetManager.create("demo-small", trigger="mikoneko")
    import_images(manager.project, ImportSettings.make(source=str(DEMO_ASSETS / "pictures")))
    return manager


def panel(page, name):
    return page.locator(f".lb-panel-{name}")


def says(page, name, words, seconds=60):
    expect(panel(page, name).get_by_role("status").first).to_have_text(re.compile(words), timeout=seconds * 1000)


def press(page, name, words):
    panel(page, name).get_by_role("button", name=words).click()


def test_dataset_maker_from_an_empty_folder_to_the_handover(notebooks, projects):
    with Lab(notebooks, {"LORABOOK_PROJECTS": str(projects)}) as lab, Browser(height=4500) as context:
        page = lab.open(context, "Dataset_Maker.ipynb")
        run_all(page)
        says(page, "import", "^Ready as soon as a project is open")
        panel(page, "project").get_by_label("Name").fill("Cat")
        panel(page, "project").get_by_label("Trigger word").fill("mikoneko")
        press(page, "project", "Create the project")
        says(page, "project", "^Done: Cat is created")
        panel(page, "import").get_by_label("Folder or archive").fill(str(DEMO_ASSETS / "pictures"))
        press(page, "import", "Import")
        says(page, "import", "^Done: .* images imported", 120)
        expect(panel(page, "import")).to_contain_text("download_broken.png was left out")

        box, note = page.get_by_test_id("caption"), page.get_by_test_id("caption-note")
        page.get_by_test_id("as-text").click()
        expect(box).not_to_have_value("")
        first = box.input_value()
        box.press("End")
        box.press_sequentially(", hat")
        expect(panel(page, "gallery")).to_contain_text("not saved yet")
        box.press("Control+s")
        expect(note).to_have_text(re.compile("^Saved"))
        captions = [path.read_text(encoding="utf-8") for path in (projects / "Cat" / "images").glob("*.txt")]
        assert f"{first}, hat" in captions
        box.press("Control+Enter")
        expect(panel(page, "gallery").locator("figcaption")).to_contain_text("2 of")

        press(page, "check", "Check the dataset")
        says(page, "check", "^Done: ")
        press(page, "handover", "Hand over")
        says(page, "handover", "^Done: Trainer works on Cat now")
        for name in MAKER_PANELS.names():
            keep_picture(page, name, name)
        assert context.errors == []


def test_a_training_is_found_again_by_a_new_kernel_and_stopped_there(notebooks, projects):
    manager = demo_project()
    manager.hand_to_trainer()
    settings = load_preset("demo").with_values(model={"pretrained_model_name_or_path": str(DEMO_ASSETS / "model")},
                                               schedule={"max_train_steps": 4000, "max_train_epochs": None},
                                               saving={"output_name": "small"})
    save_settings(settings, settings_file(manager.project.folder))
    environ = {"LORABOOK_PROJECTS": str(projects), "OMP_NUM_THREADS": "1"}
    with Lab(notebooks, environ) as lab, Browser(height=6000) as context:
        page = lab.open(context, "Trainer.ipynb")
        run_all(page)
        expect(panel(page, "project")).to_contain_text("mikoneko")
        press(page, "train", "Start training")
        says(page, "train", "^Working", 30)
        says(page, "monitor", r"^Working \d+ of 4000", 180)
        expect(panel(page, "train").get_by_role("button", name="Put into the queue")).to_be_enabled()
        page.close()
        for session in lab.api("api/sessions"):
            lab.api(f"api/sessions/{session['id']}", "DELETE")

        page = lab.open(context, "Trainer.ipynb")
        run_all(page)
        says(page, "train", r"^Working \d+ of 4000", 30)
        expect(panel(page, "monitor").get_by_test_id("chart").first).to_be_visible(timeout=30_000)
        press(page, "train", "Stop now")
        says(page, "train", "^Done: stopped at step", 120)
        says(page, "monitor", "^Done: stopped at step", 30)
        assert list((manager.project.runs).glob("*/checkpoints/*.safetensors"))
        for name in TRAINER_PANELS.names():
            keep_picture(page, name, name)
        assert context.errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_nothing_is_cut_off_in_a_narrow_window(notebooks, projects, notebook, theme):
    demo_project().hand_to_trainer()
    (projects / ".open_project").write_text(str(projects / "demo-small"), encoding="utf-8")
    with Lab(notebooks, {"LORABOOK_PROJECTS": str(projects)}, theme=theme) as lab, Browser(width=400, height=9000) as context:
        page = lab.open(context, notebook)
        run_all(page)
        names = NOTEBOOKS[notebook].names()
        expect(panel(page, names[-1])).to_be_visible()
        assert overflowing(page, ".lb-panel", allowed=()) == []
        for name in names:
            keep_picture(page, name, name)


def test_panels_can_be_worked_by_keyboard_with_a_visible_focus(notebooks, projects):
    with Lab(notebooks, {"LORABOOK_PROJECTS": str(projects)}) as lab, Browser(height=4500) as context:
        page = lab.open(context, "Dataset_Maker.ipynb")
        run_all(page)
        panel(page, "project").get_by_label("Name").focus()
        page.keyboard.type("By keys")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        focused = page.evaluate("() => [document.activeElement.textContent, getComputedStyle(document.activeElement).outlineStyle]")
        assert focused == ["Create the project", "solid"]
        page.keyboard.press("Enter")
        says(page, "project", "^Done: By keys is created")


def test_after_a_kernel_restart_every_panel_says_that_the_cells_must_be_run_again(notebooks, projects):
    with Lab(notebooks, {"LORABOOK_PROJECTS": str(projects)}) as lab, Browser(height=2000) as context:
        page = lab.open(context, "Dataset_Maker.ipynb")
        run_all(page)
        press(page, "project", "Open the demo project")
        says(page, "project", "^Done: ")
        page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }")
        gone = "^Needs attention: The kernel was restarted or has ended"
        lines = page.locator(".lb-status-line")
        expect(lines).to_have_text([re.compile(gone)] * len(MAKER_PANELS.names()))
        keep_picture(page, "tag", "tag_kernel_gone")
        run_all(page)
        expect(lines.filter(has_text=re.compile(gone))).to_have_count(0)


CHART = """
from widgets.components.chart import Chart, Curve
from widgets.components.samples import Picture, Samples
from IPython.display import display
chart = Chart(panes=["Loss", "Learning rate"])
chart.show([Curve("loss", [1, 2, 3, 4], [0.5, 0.25, 0.2, 0.125]), Curve("rate", [1, 2, 3, 4], [1e-4] * 4, pane=1)])
samples = Samples(lambda key: open(key, "rb").read())
samples.show(["a cat"], ["Epoch 1", "Epoch 2"], [Picture(0, 0, "PICTURE", "a cat, epoch 1")])
display(chart, samples)
"""


def test_the_chart_is_read_by_arrow_keys_and_a_sample_is_shown_larger(tmp_path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    write_notebook(tmp_path / "parts.ipynb", CHART.replace("PICTURE", str(tmp_path / "red.png")))
    with Lab(tmp_path) as lab, Browser(height=1600) as context:
        page = lab.open(context, "parts.ipynb")
        run_all(page)
        page.get_by_test_id("chart").focus()
        page.keyboard.press("Home")
        expect(page.get_by_test_id("readout")).to_have_text("step 1 · loss 0.5 · rate 1e-4")
        page.keyboard.press("ArrowRight")
        expect(page.get_by_test_id("readout")).to_have_text("step 2 · loss 0.25 · rate 1e-4")
        page.get_by_role("button", name="a cat, epoch 1. Show larger.").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        assert context.errors == []
