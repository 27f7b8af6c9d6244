"""The Check panel measures a short run: what it showed, and a spend cap that the planned training would pass, mended at one press."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from core.base.paths import DEMO_ASSETS, ROOT
from core.training.finish.kept import keep_finish
from core.training.finish.settings import FinishSettings
from core.training.fitting import fit_to_project
from core.training.kept import keep_settings
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NOTEBOOK = "Trainer.ipynb"
WIDTHS = {"light": 1400, "dark": 420}
"""Each theme at one width, so that both are looked at in half the time."""


@pytest.fixture
def manager(cats):
    """Its project has a price and a spend cap that thousands of epochs would pass."""
    settings = cats.preset("demo", propose=False).with_values(
        model={"pretrained_model_name_or_path": str(DEMO_ASSETS / "model")}, data={"batch_size": 2, "num_repeats": 2},
        schedule={"max_train_epochs": 5000}, sampling={"sample_prompts": ["mochi --s 4"], "sample_every_n_epochs": 1000})
    keep_settings(fit_to_project(settings, cats.project), cats.project)
    keep_finish(cats.project.folder, FinishSettings(price_per_hour=0.5))
    return cats


def check(page):
    return page.locator(".lb-panel-check")


def says(page, words, seconds=60):
    expect(check(page).get_by_role("status").first).to_have_text(re.compile(words), timeout=seconds * 1000)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_short_run_is_measured_and_a_training_over_the_cap_is_mended(tmp_path, projects, manager, theme):
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    shutil.copy(ROOT / NOTEBOOK, notebooks / NOTEBOOK)
    environ = {"LORABOOK_PROJECTS": str(projects), "OMP_NUM_THREADS": "1"}
    with Lab(notebooks, environ, theme=theme) as lab, Browser(width=WIDTHS[theme], height=6000) as context:
        page = lab.open(context, NOTEBOOK)
        run_all(page)
        button = check(page).get_by_role("button", name="Measure a short run", exact=True)
        expect(button).to_be_enabled()
        cap = check(page).get_by_label("Spend cap")
        cap.fill("0.02")
        cap.press("Tab")
        keep_picture(page, "check", f"measure_before_{theme}")
        button.click()
        says(page, r"^Working \d of 8: (Loading the model|Encoding|Step)", 60)
        expect(check(page).get_by_role("button", name="Cancel", exact=True)).to_be_visible()
        keep_picture(page, "check", f"measure_working_{theme}")
        says(page, "^Needs attention: Measured: the training takes about", 180)
        result = check(page).locator(".lb-measure")
        expect(result.get_by_role("row", name=re.compile("^A step"))).to_be_visible()
        expect(result).to_contain_text("more than the spend cap of 0.02")
        keep_picture(page, "check", f"measure_over_the_cap_{theme}")
        assert overflowing(page, ".lb-panel-check", allowed=()) == []
        mend = check(page).get_by_role("button", name=re.compile("^Set 'Epochs' to"))
        mend.click()
        expect(mend).to_be_hidden()
        expect(result).not_to_contain_text("spend cap of 0.02")
        keep_picture(page, "check", f"measure_mended_{theme}")
        expect(page.locator(".lb-panel-settings")).to_contain_text(re.compile(r"Time: about .* \(measured 20"))
        assert manager.settings().schedule.max_train_epochs < 5000 and manager.runs() == []
        assert context.errors == []
