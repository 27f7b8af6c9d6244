"""The way through Trainer as a maker goes it: preset, model, a mistake that Check mends, training, stop, go on, report."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from core.base.paths import ROOT
from core.training.outputs import list_outputs
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NOTEBOOK = "Trainer.ipynb"
EPOCHS = 8
DEMO_MODEL = "Demo model (tiny, for trying out)"


@pytest.fixture
def manager(cats):
    """A project that Dataset_Maker has handed over; nothing is set in Trainer yet."""
    for path in sorted(cats.project.images.glob("*.png")):
        path.with_suffix(".txt").write_text("mochi, sitting", encoding="utf-8")
    return cats


def panel(page, name):
    return page.locator(f".lb-panel-{name}")


def says(page, name, words, seconds=120):
    expect(panel(page, name).get_by_role("status").first).to_have_text(re.compile(words), timeout=seconds * 1000)


def press(page, name, words):
    panel(page, name).get_by_role("button", name=words, exact=True).click()


def fill(page, field, value):
    """Find a setting by its name and write its value."""
    panel(page, "settings").get_by_label("Find a setting").fill(field)
    box = panel(page, "settings").locator(f".lb-field-{field} input").first
    box.fill(str(value))
    box.press("Tab")
    says(page, "settings", "^Done: saved")


@pytest.mark.parametrize("theme", ["dark"])
def test_from_the_preset_to_the_report_with_a_mistake_a_stop_and_going_on(tmp_path, manager, theme):
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    shutil.copy(ROOT / NOTEBOOK, notebooks / NOTEBOOK)
    environ = {"LORABOOK_PROJECTS": str(manager.project.folder.parent), "OMP_NUM_THREADS": "1"}
    with Lab(notebooks, environ, theme=theme) as lab, Browser(height=5000) as context:
        page = lab.open(context, NOTEBOOK)
        run_all(page)
        configure(page)
        mend(page, theme)
        train_stop_and_go_on(page, manager, theme)
        report(page, context, manager, theme)
        assert overflowing(page, allowed=("hidden", "auto", "scroll")) == [] and context.errors == []


def configure(page):
    """The embedded model, its preset, and another length."""
    settings = panel(page, "settings")
    settings.locator(".lb-field-pretrained_model_name_or_path select").select_option(label=DEMO_MODEL)
    says(page, "settings", "^Done: saved")
    settings.locator(".lb-field-preset select").select_option(label="Demo")
    expect(settings).to_contain_text("Teaches the embedded model one new character in minutes")
    press(page, "settings", "Use this preset")
    says(page, "settings", "the preset Demo is in use")
    fill(page, "max_train_epochs", EPOCHS)


def mend(page, theme):
    """A resolution that the model cannot take is found with its reason and mended at one press."""
    fill(page, "resolution", 72)
    press(page, "check", "Check everything")
    says(page, "check", "^Needs attention: 1 thing must be mended")
    expect(panel(page, "check")).to_contain_text("The resolution is 72 x 72, but this model takes sides that are multiples of 16.")
    keep_picture(page, "check", f"way_check_{theme}")
    panel(page, "check").get_by_role("button", name=re.compile("64")).click()
    expect(panel(page, "settings").locator(".lb-field-resolution input").first).to_have_value("64")
    press(page, "check", "Check everything")
    says(page, "check", "^Done")
    expect(panel(page, "check")).not_to_contain_text("multiples of 16")


def train_stop_and_go_on(page, manager, theme):
    """It is stopped on the way, and goes on from there to its end, in the same run."""
    press(page, "train", "Start training")
    says(page, "monitor", r"^Working [2-9]\d* of")
    press(page, "train", "Stop now")
    says(page, "train", r"^Done: stopped at step \d+")
    (run,) = manager.runs()
    stopped = manager.status(run.id).step
    assert run.state() == "cancelled" and 0 < stopped < manager.status(run.id).total
    keep_picture(page, "train", f"way_stopped_{theme}")
    panel(page, "train").get_by_role("button", name=re.compile("^Go on")).click()
    says(page, "train", r"^Done: \d+ steps\. The LoRA is", 240)
    status = manager.status(run.id)
    assert [one.id for one in manager.runs()] == [run.id] and status.state == "done" and status.step == status.total > stopped
    assert list_outputs(run.checkpoints) and any(event["event"] == "launch" and event["resumed_from"] == stopped for event in launches(run))
    says(page, "monitor", "^Done")
    expect(panel(page, "monitor").get_by_test_id("chart").first).to_be_visible()
    keep_picture(page, "train", f"way_done_{theme}")
    keep_picture(page, "monitor", f"way_monitor_{theme}")


def launches(run):
    from core.base.jobs import read_events

    return [event for event in read_events(run.folder)[0] if event.get("event") == "launch"]


def report(page, context, manager, theme):
    """The report tells of the whole run, with its samples, and needs nothing but itself."""
    press(page, "report", "Write the report")
    with context.expect_page() as opened:
        panel(page, "report").get_by_role("button", name="Open the report").click(timeout=60_000)
    read = opened.value
    read.wait_for_url(re.compile("^blob:"))
    (run,) = manager.runs()
    expect(read.locator("h1")).to_contain_text(run.output_name)
    expect(read.locator("body")).to_contain_text(str(manager.status(run.id).total))
    assert read.locator("svg").count() and read.locator("img").count()
    text = (run.folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["']https?://""", text)
    read.close()
