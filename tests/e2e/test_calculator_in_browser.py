"""The calculator in a real browser: it counts with each key, a way to a target is pressed, and the settings take it."""

import re

import pytest
from playwright.sync_api import expect

from core.dataset.manager import DatasetManager
from core.training.kept import read_kept
from tests.e2e.lab import keep_picture, overflowing, shown_panel
from tests.tiny_models import make_pictures
from widgets.training.calculator import CalculatorPanel

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 420), ("dark", 1400), ("light", 420)])
def test_numbers_are_tried_and_taken(tmp_path, theme, width):
    project = DatasetManager.create("small", tmp_path / "projects", trigger="mychar").project
    make_pictures(project.images, [(512, 512)] * 12 + [(640, 512)] * 5 + [(512, 768)] * 3)
    with shown_panel(CalculatorPanel, project.folder, tmp_path, theme, width, 1900, LORABOOK_PROJECTS=str(tmp_path / "projects")) as page:
        panel, status = page.locator(".lb-panel-calculator"), page.locator(".lb-panel-calculator .lb-status")
        expect(status).to_contain_text("Preview: 1,000 steps in 10 epochs")
        expect(panel.get_by_role("definition").filter(has_text="30 ÷ 2 + 120 ÷ 2 + 50 ÷ 2 = 15 + 60 + 25")).to_be_visible()
        keep_picture(page, "calculator", f"calculator-own-{theme}-{width}")
        page.get_by_label("Epochs", exact=True).press_sequentially("12")
        expect(status).to_contain_text("Preview: 1,200 steps in 12 epochs")  # the field was not left
        page.get_by_label("Epochs", exact=True).fill("")
        page.get_by_role("button", name=re.compile("Show more settings")).click()
        page.get_by_label("Seconds of a step").press_sequentially("1.5")
        page.get_by_label("Price of an hour").press_sequentially("0.4")
        expect(status).to_contain_text("about 25 min, about 0.17")
        page.get_by_label("Work back from").select_option("hours")
        expect(page.get_by_label("How much")).to_be_visible()
        page.get_by_label("How much").press_sequentially("0.25")
        way = panel.get_by_role("button", name=re.compile("^6 epochs"))
        expect(way).to_be_visible()
        keep_picture(page, "calculator", f"calculator-back-{theme}-{width}")
        way.click()
        expect(page.get_by_label("Epochs", exact=True)).to_have_value("6")
        expect(status).to_contain_text("Preview: 600 steps in 6 epochs")
        page.get_by_role("button", name="Take into the settings").click()
        expect(status).to_have_text("Done: Taken into the settings: Epochs 10 → 6.")
        expect(page.get_by_label("Epochs", exact=True)).to_have_attribute("placeholder", "6")
        keep_picture(page, "calculator", f"calculator-taken-{theme}-{width}")
        assert read_kept(project).schedule.max_train_epochs == 6
        page.get_by_label("Pictures", exact=True).press_sequentially("40")
        page.get_by_label("Repeats", exact=True).press_sequentially("10")
        page.get_by_label("Epochs", exact=True).press_sequentially("8")
        expect(status).to_contain_text("With your project's own 20 pictures these numbers give 800 steps in 8 epochs")
        keep_picture(page, "calculator", f"calculator-typed-{theme}-{width}")
        page.get_by_role("button", name="Take into the settings").click()
        expect(status).to_contain_text("Epochs 6 → 8. With your project's own 20 pictures these numbers give 800 steps in 8 epochs")
        page.get_by_role("button", name="Take back", exact=True).click()
        expect(status).to_have_text("Done: The former numbers are back: Epochs 8 → 6.")
        assert read_kept(project).schedule.max_train_epochs == 6
        assert overflowing(page, ".lb-panel-calculator, .lb-panel-calculator > *") == []
        assert page.context.errors == []
