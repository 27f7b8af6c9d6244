"""Several runs in the Train panel: the second waits, is moved and held, and the first is stopped after its epoch."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from core.base.paths import DEMO_ASSETS, ROOT
from core.training.fitting import fit_to_project
from core.training.kept import keep_settings
from tests.core.training.fakes import wait_for
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NOTEBOOK = "Trainer.ipynb"


@pytest.fixture
def manager(cats):
    """Its project's epochs take some seconds on the embedded model."""
    settings = cats.preset("demo", propose=False).with_values(
        model={"pretrained_model_name_or_path": str(DEMO_ASSETS / "model")}, data={"num_repeats": 12},
        schedule={"max_train_epochs": 500}, saving={"output_name": "mochi"}, sampling={"sample_every_n_epochs": None})
    keep_settings(fit_to_project(settings, cats.project), cats.project)
    return cats


def train(page):
    return page.locator(".lb-panel-train")


def says(page, words, seconds=60):
    expect(train(page).get_by_role("status").first).to_have_text(re.compile(words), timeout=seconds * 1000)


def press(page, words):
    train(page).get_by_role("button", name=words, exact=True).click()


def rows(page):
    return train(page).locator(".lb-field-queue option")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_runs_are_put_into_the_queue_held_and_stopped_after_their_epoch(tmp_path, projects, manager, theme):
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    shutil.copy(ROOT / NOTEBOOK, notebooks / NOTEBOOK)
    environ = {"LORABOOK_PROJECTS": str(projects), "OMP_NUM_THREADS": "1"}
    with Lab(notebooks, environ, theme=theme) as lab, Browser(height=6000) as context:
        page = lab.open(context, NOTEBOOK)
        run_all(page)
        expect(train(page).locator(".lb-field-queue")).to_be_hidden()
        press(page, "Show Watching over the run")
        retries = train(page).get_by_label("Tries with less memory")
        retries.fill("5")
        retries.press("Tab")
        says(page, "^Done: saved")
        keep_picture(page, "train", f"train_guards_{theme}")
        press(page, "Hide Watching over the run")
        press(page, "Start training")
        says(page, r"^Working \d+ of", 120)
        press(page, "Put into the queue")
        expect(rows(page)).to_have_count(2)
        press(page, "Put into the queue")
        expect(rows(page)).to_have_text([re.compile(r"-mochi\sin\sthe\sproject\sCats:\sis\strained\snow"), re.compile(r"^1\.\s.*:\swaits"),
                                         re.compile(r"^2\.\s.*:\swaits")])
        expect(train(page).get_by_role("button", name="Earlier", exact=True)).to_be_disabled()
        press(page, "Later")
        press(page, "Hold")
        expect(rows(page).nth(2)).to_have_text(re.compile(r"^2\.\s.*:\sheld"))
        expect(train(page).get_by_role("button", name="Release", exact=True)).to_be_visible()
        keep_picture(page, "train", f"train_queue_{theme}")
        assert overflowing(page, ".lb-panel-train", allowed=()) == []
        press(page, "Take out")
        expect(rows(page)).to_have_count(2)
        press(page, "Stop after this epoch")
        says(page, "ends after this epoch. It ends when the present epoch is over; LoRA and state are saved.")
        keep_picture(page, "train", f"train_last_epoch_{theme}")
        second = manager.runs()[0]  # the one before it was taken out
        wait_for(second.has_begun, 180)
        expect(train(page).locator(".lb-field-queue")).to_be_hidden()
        press(page, "Stop now")
        says(page, "^Done: stopped at step", 180)
        keep_picture(page, "train", f"train_stopped_{theme}")
        assert [run.state() for run in manager.runs()].count("cancelled") == 3
        assert manager.runs()[-1].end()["checkpoint"] and manager.guards().memory_retries == 5
        assert context.errors == []
