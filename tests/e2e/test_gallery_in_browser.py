"""The gallery in a real browser: the virtual grid, mouse and keyboard, filter, reject, tags, autosave, undo."""

import re

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from core.dataset.manager import DatasetManager
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from widgets.dataset.gallery import GalleryPanel
from widgets.session import Session
session = Session()
session.open(Path({folder!r}))
panel = GalleryPanel(session)
panel.view
"""
NODES = "() => document.querySelectorAll('.lb-gallery *').length"
FOCUSED = "() => document.activeElement.dataset.row ?? document.activeElement.dataset.testid ?? document.activeElement.tagName"


@pytest.fixture
def dataset(tmp_path) -> DatasetManager:
    manager = DatasetManager.create("small", tmp_path / "projects", trigger="mychar")
    for number in range(1, 301):
        image = Image.new("RGB", (200, 150 + number % 90), (number * 5 % 255, 120, 255 - number * 3 % 255))
        ImageDraw.Draw(image).text((20, 20), str(number), fill="white", font_size=60)
        image.save(manager.project.images / f"{number}.png")
        tags = ["mychar", "hat" if number % 3 else "long hair", f"number {number}", "outdoors"]
        if number % 10:
            (manager.project.images / f"{number}.txt").write_text(", ".join(tags), encoding="utf-8")
    write_notebook(tmp_path / "gallery.ipynb", CELL.format(folder=str(manager.project.folder)))
    return manager


def caption(dataset: DatasetManager, number: int) -> str:
    return (dataset.project.images / f"{number}.txt").read_text(encoding="utf-8")


def opened(lab, context):
    page = lab.open(context, "gallery.ipynb")
    run_all(page)
    expect(page.get_by_test_id("gallery-count")).to_have_text("300 pictures")
    shown(page, 0)
    return page


def cell(page, row: int):
    return page.locator(f".lb-cell[data-row='{row}']")


def shown(page, row: int) -> None:
    """Wait for the thumbnail of a row."""
    expect(cell(page, row).locator("img")).to_have_attribute("src", re.compile("^blob:"), timeout=20_000)


def test_the_grid_is_worked_with_mouse_and_keys_and_draws_only_what_is_seen(tmp_path, dataset):
    with Lab(tmp_path) as lab, Browser(width=1500, height=1300) as context:
        page = opened(lab, context)
        count = page.get_by_test_id("gallery-count")
        assert page.evaluate(NODES) <= 600
        cell(page, 1).click()
        cell(page, 5).click(modifiers=["Shift"])
        expect(count).to_have_text("300 pictures, 5 selected")
        cell(page, 3).click(modifiers=["Control"])
        expect(count).to_have_text("300 pictures, 4 selected")
        page.keyboard.press("Control+a")
        expect(count).to_have_text("300 pictures, 300 selected")
        page.keyboard.press("Escape")
        expect(count).to_have_text("300 pictures")
        page.keyboard.press("End")
        shown(page, 299)
        expect(cell(page, 299)).to_be_focused()
        expect(cell(page, 299)).to_have_attribute("aria-selected", "true")
        expect(page.locator(".lb-captions figcaption")).to_contain_text("300 of 300")
        page.keyboard.press("PageUp")
        page.keyboard.press("Shift+ArrowLeft")
        expect(count).to_have_text("300 pictures, 2 selected")
        page.keyboard.press("Home")
        expect(cell(page, 0)).to_be_focused()
        page.get_by_test_id("grid").evaluate("grid => { grid.scrollTop = grid.scrollHeight; }")
        shown(page, 298)
        assert page.evaluate(FOCUSED) == "0"
        assert page.evaluate(NODES) <= 600
        page.keyboard.press("ArrowRight")
        expect(page.locator(".lb-captions figcaption")).to_contain_text("2 of 300")
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("add-tag")).to_be_focused()
        page.keyboard.press("Escape")
        expect(cell(page, 1)).to_be_focused()
        page.get_by_test_id("larger").click()
        assert page.locator(".lb-captions-editor figure img").bounding_box()["height"] > 700
        keep_picture(page, "gallery", "gallery_larger")
        page.get_by_test_id("larger").click()
        for zoom in ("0", "4"):
            page.get_by_test_id("zoom").fill(zoom)
            shown(page, 0 if zoom == "0" else 1)
            assert page.evaluate(NODES) <= 600
            keep_picture(page, "gallery", f"gallery_zoom_{zoom}")
        assert context.errors == []


def test_pictures_are_filtered_sorted_rejected_and_put_back(tmp_path, dataset):
    with Lab(tmp_path) as lab, Browser(width=1500, height=1300) as context:
        page = opened(lab, context)
        count, box = page.get_by_test_id("gallery-count"), page.get_by_test_id("filter")
        box.fill("long_hair -number_9")
        expect(count).to_have_text("89 of 300 pictures")
        shown(page, 0)
        expect(cell(page, 0).locator(".lb-cell-name")).to_have_text("3.png")
        box.fill("tags:>x")
        expect(page.get_by_test_id("gallery-trouble")).to_contain_text("needs a number")
        box.fill("untagged")
        expect(count).to_have_text("30 of 300 pictures")
        page.get_by_test_id("sort").select_option("newest")
        expect(cell(page, 0).locator(".lb-cell-name")).to_have_text("300.png")
        cell(page, 0).click()
        cell(page, 2).click(modifiers=["Shift"])
        page.get_by_test_id("reason").fill("blurred")
        keep_picture(page, "gallery", "gallery_before_reject")
        page.get_by_test_id("reject").click()
        expect(count).to_have_text(re.compile("^27 of 297 pictures"))
        expect(page.get_by_test_id("reason")).to_have_value("")
        below = page.locator(".lb-panel-gallery .lb-status-line")
        expect(below).to_contain_text("3 images rejected")
        assert below.bounding_box()["y"] < page.get_by_text("Trigger word", exact=True).first.bounding_box()["y"]
        assert sorted(path.name for path in dataset.project.rejected.iterdir()) == ["280.png", "290.png", "300.png"]
        box.fill("rejected")
        expect(count).to_have_text("3 of 300 pictures")
        shown(page, 0)
        cell(page, 0).click()
        expect(page.get_by_test_id("caption-other")).to_contain_text("This picture is rejected (blurred)")
        keep_picture(page, "gallery", "gallery_rejected")
        page.get_by_test_id("restore").click()
        expect(count).to_have_text(re.compile("^2 of 300 pictures"))
        box.fill("")
        expect(count).to_have_text(re.compile("^298 pictures"))
        cell(page, 0).click()
        page.keyboard.press("Delete")
        expect(count).to_have_text(re.compile("^297 pictures"))
        expect(cell(page, 0)).to_be_focused()
        expect(page.locator(".lb-captions figcaption")).to_contain_text("1 of 297 · 299.png")
        page.get_by_test_id("unreject").click()
        expect(count).to_have_text(re.compile("^298 pictures"))

        aside, nothing = page.get_by_test_id("show-rejected"), page.get_by_test_id("no-hits")
        expect(aside).to_have_text("Rejected (2)")
        aside.click()
        expect(count).to_have_text("2 of 300 pictures")
        expect(aside).to_have_attribute("aria-pressed", "true")
        keep_picture(page, "gallery", "gallery_rejected_shown")
        aside.click()
        expect(count).to_have_text(re.compile("^298 pictures"))
        expect(nothing).to_be_hidden()
        box.fill("tags<6")
        expect(nothing).to_contain_text("No picture fits this filter.")
        expect(nothing).to_contain_text("Did you mean tags:<6?")
        keep_picture(page, "gallery", "gallery_without_a_hit")
        page.get_by_test_id("clear-filter").click()
        expect(count).to_have_text(re.compile("^298 pictures"))
        shown(page, 0)
        assert context.errors == []


def test_tags_are_added_moved_and_taken_out_and_a_rest_saves(tmp_path, dataset):
    with Lab(tmp_path) as lab, Browser(width=1500, height=1300) as context:
        page = opened(lab, context)
        chips, add, state = page.locator(".lb-chip"), page.get_by_test_id("add-tag"), page.locator(".lb-captions-count")
        expect(chips).to_have_text(["mychar", "hat", "number 1", "outdoors"])
        add.click()
        add.press_sequentially("lon")
        offer = page.locator(".lb-offer").first
        expect(offer).to_have_text("long hair", timeout=20_000)
        keep_picture(page, "gallery", "gallery_completion")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        add.press_sequentially("bow,")
        expect(chips).to_have_text(["mychar", "hat", "number 1", "outdoors", "long hair", "bow"])
        expect(state).to_contain_text("not saved yet")
        expect(state).to_contain_text("· saved", timeout=10_000)
        assert caption(dataset, 1) == "mychar, hat, number 1, outdoors, long hair, bow"
        chips.nth(3).click()
        expect(chips).to_have_text(["mychar", "hat", "number 1", "long hair", "bow"])
        chips.nth(4).hover()
        page.mouse.down()
        at = chips.nth(1).bounding_box()
        page.mouse.move(at["x"] + 30, at["y"] + 8, steps=4)
        page.mouse.move(at["x"] + 4, at["y"] + 8, steps=4)
        page.mouse.up()
        expect(chips).to_have_text(["mychar", "bow", "hat", "number 1", "long hair"])
        chips.nth(1).focus()
        page.keyboard.press("Shift+ArrowRight")
        expect(chips).to_have_text(["mychar", "hat", "bow", "number 1", "long hair"])
        page.keyboard.press("Delete")
        expect(chips).to_have_text(["mychar", "hat", "number 1", "long hair"])
        for _ in range(4):
            page.keyboard.press("Control+z")
        expect(chips).to_have_text(["mychar", "hat", "number 1", "outdoors", "long hair", "bow"])
        page.get_by_test_id("caption-redo").click()
        expect(chips).to_have_text(["mychar", "hat", "number 1", "long hair", "bow"])
        page.get_by_test_id("as-text").click()
        box = page.get_by_test_id("caption")
        expect(box).to_have_value("mychar, hat, number 1, long hair, bow")
        box.press("End")
        box.press_sequentially(", smile")
        box.press("Control+Enter")
        expect(page.locator(".lb-captions figcaption")).to_contain_text("2 of 300")
        assert caption(dataset, 1) == "mychar, hat, number 1, long hair, bow, smile"
        expect(cell(page, 1)).to_have_attribute("aria-selected", "true")
        box.press("Control+a")
        box.press("Delete")
        expect(state).to_contain_text("empty, so it is not saved")
        page.wait_for_timeout(1500)
        assert caption(dataset, 2) == "mychar, hat, number 2, outdoors"
        box.press("Control+z")
        expect(box).to_have_value("mychar, hat, number 2, outdoors")
        assert context.errors == []


def test_the_gallery_shows_what_a_job_or_another_notebook_changes(tmp_path, dataset):
    with Lab(tmp_path) as lab, Browser(width=1500, height=1300) as context:
        page = opened(lab, context)
        expect(cell(page, 9)).to_have_attribute("aria-label", "10.png, no caption")
        dataset.save_caption("10", "mychar, by a job", "none")
        dataset.save_caption("1", "mychar, changed elsewhere", dataset.read_caption("1").revision)
        expect(cell(page, 9)).to_have_attribute("aria-label", "10.png, 2 tags", timeout=15_000)
        expect(page.locator(".lb-chip")).to_have_text(["mychar", "changed elsewhere"], timeout=15_000)
        cell(page, 0).click()
        Image.new("RGB", (64, 64), "red").save(dataset.project.images / "0.png")
        expect(page.get_by_test_id("gallery-count")).to_have_text("301 pictures, 1 selected", timeout=15_000)
        expect(page.locator(".lb-captions figcaption")).to_contain_text("2 of 301")
        expect(cell(page, 1)).to_be_focused()
        expect(cell(page, 1)).to_have_attribute("aria-selected", "true")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".lb-captions figcaption")).to_contain_text("3 of 301")
        assert context.errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1500, 900, 400])
def test_the_gallery_fits_its_window(tmp_path, dataset, theme, width):
    with Lab(tmp_path, theme=theme) as lab, Browser(width=width, height=2000) as context:
        page = opened(lab, context)
        expect(page.locator(".lb-captions-editor img")).to_be_visible()
        cell(page, 1).click()
        cell(page, 2).click(modifiers=["Shift"])
        shown(page, 2)
        page.wait_for_timeout(400)
        keep_picture(page, "gallery", f"gallery_{theme}_{width}")
        assert overflowing(page, ".lb-gallery, .lb-gallery *", allowed=()) == []
