"""Bulk by size in a real browser: the plan first, then the job, what came of each picture, and the way back."""

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.dataset.manager import DatasetManager
from tests.e2e.lab import keep_picture, overflowing, shown_panel
from tests.photographs import photo_project
from widgets.dataset.by_size import BySizePanel

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def photos(tmp_path) -> DatasetManager:
    return photo_project(tmp_path, caption="")


@pytest.mark.parametrize(("theme", "width"), [("light", 1500), ("dark", 760)])
def test_the_plan_comes_first_and_what_was_done_is_taken_back(tmp_path, photos, theme, width):
    with shown_panel(BySizePanel, photos.project.folder, tmp_path, theme, width, 1300) as page:
        panel = page.locator(".lb-panel-by-size")
        for label, value in (("Upscale below", 100), ("Shrink above", 410), ("To (px)", 400)):
            panel.get_by_label(label).first.fill(str(value))
            page.keyboard.press("Tab")
        expect(panel.get_by_role("button", name="Do what is planned")).to_be_disabled()
        panel.get_by_role("button", name="Show the plan").click()
        expect(panel.locator(".lb-status")).to_contain_text("3 pictures: 0 upscaled, 1 stays, 2 shrunk")
        expect(panel.get_by_role("rowheader", name="astronaut.png")).to_be_visible()
        keep_picture(page, "by-size", f"by-size-plan-{theme}")
        panel.get_by_role("button", name="Do what is planned").click()
        expect(panel.get_by_text("astronaut_resized.png, 400 x 400")).to_be_visible(timeout=60_000)
        keep_picture(page, "by-size", f"by-size-done-{theme}")
        with Image.open(photos.project.variants / "astronaut_resized.png") as made:
            assert made.size == (400, 400)
        panel.get_by_role("button", name="Take back what it made").click()
        expect(panel.locator(".lb-status")).to_contain_text("2 versions put aside")
        assert list(photos.project.variants.glob("*.png")) == []
        assert overflowing(page, ".lb-panel-by-size, .lb-panel-by-size > *") == [] and not page.context.errors
