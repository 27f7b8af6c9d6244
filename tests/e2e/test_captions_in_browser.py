"""The caption editor in a real browser, when things happen at the wrong moment: nothing that was typed is lost."""

import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.dataset.manager import DatasetManager
from tests.e2e.lab import Browser, Lab, in_kernel, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from widgets.dataset.gallery import GalleryPanel
from widgets.session import Session
session = Session()
session.open(Path({folder!r}))
panel = GalleryPanel(session)
panel.gallery.mode, panel.gallery.rest = "text", 0
panel.view
"""


@pytest.fixture
def dataset(tmp_path) -> DatasetManager:
    manager = DatasetManager.create("small", tmp_path / "projects", trigger="mychar")
    for number in range(1, 5):
        Image.linear_gradient("L").resize((900, 700)).rotate(number * 20).save(manager.project.images / f"{number}.png")
        (manager.project.images / f"{number}.txt").write_text(f"mychar, number {number}", encoding="utf-8")
    write_notebook(tmp_path / "captions.ipynb", CELL.format(folder=str(manager.project.folder)))
    return manager


def caption(dataset: DatasetManager, number: int) -> str:
    return (dataset.project.images / f"{number}.txt").read_text(encoding="utf-8")


def write(dataset: DatasetManager, number: int, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    (dataset.project.images / f"{number}.txt").write_bytes(data)


def opened(lab, context):
    """The page, the text box and the sentence under it."""
    page = lab.open(context, "captions.ipynb")
    run_all(page)
    box, note = page.get_by_test_id("caption"), page.get_by_test_id("caption-note")
    expect(box).to_have_value("mychar, number 1")
    expect(page.locator(".lb-captions-editor figure img")).to_be_visible()
    box.press("End")
    return page, box, note


def test_what_is_typed_while_the_next_picture_is_awaited_lands_nowhere_wrong(tmp_path, dataset):
    with Lab(tmp_path) as lab, Browser() as context:
        page, box, note = opened(lab, context)
        box.press_sequentially(", hat")
        in_kernel(page, "import time; time.sleep(6)")
        box.press("Control+Enter")
        expect(box).to_have_attribute("readonly", "")
        box.press_sequentially(" too early")
        box.press("Control+Enter")
        expect(note).to_have_text(re.compile("The kernel is busy"), timeout=6000)
        expect(box).to_have_value("mychar, number 2", timeout=20_000)
        assert caption(dataset, 1) == "mychar, number 1, hat" and caption(dataset, 2) == "mychar, number 2"
        box.press_sequentially(", bow")
        expect(box).to_have_value("mychar, number 2, bow")
        expect(page.locator(".lb-captions figcaption")).to_contain_text("2 of 4")
        assert context.errors == []


def test_a_save_and_words_typed_meanwhile_and_keys_held_down_are_no_conflict(tmp_path, dataset):
    with Lab(tmp_path) as lab, Browser() as context:
        page, box, note = opened(lab, context)
        in_kernel(page, "import time; time.sleep(3)")
        box.press_sequentially(", a")
        box.press("Control+s")
        box.press_sequentially(", b")
        box.press("Control+s")
        expect(note).to_have_text("Saved 1.", timeout=20_000)
        expect(page.locator(".lb-captions-count")).to_have_text(re.compile("^4 tags .* saved$"))
        assert caption(dataset, 1) == "mychar, number 1, a, b"
        box.press_sequentially(", ")
        box.press("Control+s")
        expect(box).to_have_value("mychar, number 1, a, b,")
        expect(page.locator(".lb-captions-count")).to_have_text(re.compile("^4 tags .* saved$"))
        box.press_sequentially(" c")
        page.keyboard.down("Control")
        for _ in range(6):
            page.keyboard.down("Enter")
        page.keyboard.up("Enter")
        page.keyboard.up("Control")
        expect(box).to_have_value("mychar, number 2")
        assert caption(dataset, 1) == "mychar, number 1, a, b, c"
        page.wait_for_timeout(500)
        expect(box).to_have_value("mychar, number 2")
        expect(page.locator(".lb-panel-gallery .lb-status")).to_have_attribute("data-state", "ready")
        assert context.errors == []


def test_when_the_file_changes_while_a_person_writes_both_texts_are_seen_and_either_is_kept(tmp_path, dataset):
    with Lab(tmp_path) as lab, Browser() as context:
        page, box, note = opened(lab, context)
        other, mine = page.get_by_test_id("caption-other"), page.get_by_test_id("caption-mine")
        box.press_sequentially(", mine")
        write(dataset, 1, "by a tagger")
        box.press("Control+Enter")
        expect(note).to_have_text(re.compile("was changed by something else"))
        expect(box).to_have_value("mychar, number 1, mine")
        expect(other.locator("blockquote")).to_have_text("by a tagger")
        keep_picture(page, "gallery", "captions_conflict")
        other.get_by_role("button", name="Keep mine").click()
        expect(note).to_have_text(re.compile("^Saved 1. The other text is in the history"))
        expect(other).to_be_hidden()
        assert caption(dataset, 1) == "mychar, number 1, mine"
        assert dataset.undo().restored == 1 and caption(dataset, 1) == "by a tagger"

        in_kernel(page, "session.tell()")
        expect(box).to_have_value("by a tagger")
        box.press("End")
        box.press_sequentially(", more")
        write(dataset, 1, "by a tagger again")
        in_kernel(page, "session.tell()")
        expect(note).to_have_text(re.compile("changed on the disk while you wrote"))
        box.press_sequentially(" words")
        other.get_by_role("button", name="Read again").click()
        expect(box).to_have_value("by a tagger again")
        expect(mine.locator("blockquote")).to_have_text("by a tagger, more words")
        keep_picture(page, "gallery", "captions_read_again")
        mine.get_by_role("button", name="Put it into the box").click()
        expect(box).to_have_value("by a tagger, more words")
        box.press("Control+s")
        expect(note).to_have_text("Saved 1.")
        assert caption(dataset, 1) == "by a tagger, more words"
        assert context.errors == []


def test_what_was_done_to_a_caption_can_be_undone_after_other_pictures_and_an_emptied_one_holds_nobody(tmp_path, dataset):
    with Lab(tmp_path) as lab, Browser() as context:
        page, box, note = opened(lab, context)
        box.press_sequentially(", hat")
        box.press("Control+Enter")
        expect(box).to_have_value("mychar, number 2")
        expect(page.get_by_test_id("caption-undo")).to_be_disabled()
        box.press("Alt+ArrowLeft")
        expect(box).to_have_value("mychar, number 1, hat")
        box.press("Control+z")
        expect(box).to_have_value("mychar, number 1")
        box.press("Control+Shift+Z")
        expect(box).to_have_value("mychar, number 1, hat")

        box.fill("")
        box.press("Alt+ArrowRight")
        expect(box).to_have_value("mychar, number 2")
        expect(note).to_have_text("1.png keeps its caption: an empty one is not saved. Now 2.")
        box.fill("")
        page.locator(".lb-cell[data-row='0']").click()
        expect(box).to_have_value("mychar, number 1, hat")
        expect(note).to_have_text("2.png keeps its caption: an empty one is not saved.")
        page.get_by_test_id("caption-undo").click()
        expect(box).to_have_value("")
        page.get_by_test_id("caption-undo").click()
        expect(box).to_have_value("mychar, number 1, hat")
        assert caption(dataset, 1) == "mychar, number 1, hat" and caption(dataset, 2) == "mychar, number 2"

        page.get_by_test_id("caption-remove").click()
        expect(note).to_have_text("1.png has no caption now. Undo in the History panel brings it back.")
        expect(page.locator(".lb-captions-count")).to_contain_text("no caption yet")
        expect(page.get_by_test_id("caption-remove")).to_be_hidden()
        keep_picture(page, "gallery", "captions_removed")
        assert not (dataset.project.images / "1.txt").exists() and dataset.undo().restored == 1
        in_kernel(page, "session.tell()")
        expect(box).to_have_value("mychar, number 1, hat")

        page.wait_for_function("document.querySelector('.lb-captions figure img').naturalWidth === 768")
        page.get_by_test_id("larger").click()
        page.wait_for_function("document.querySelector('.lb-captions figure img').naturalWidth === 900", timeout=20_000)
        assert context.errors == []


def test_a_caption_that_is_no_text_and_a_broken_picture_are_no_dead_ends(tmp_path, dataset):
    (dataset.project.images / "3.png").write_bytes(b"<html>")
    write(dataset, 2, b"caf\xe9")
    with Lab(tmp_path) as lab, Browser() as context:
        page, box, _ = opened(lab, context)
        other = page.get_by_test_id("caption-other")
        box.press("Alt+ArrowRight")
        expect(other).to_contain_text("2.txt is not UTF-8")
        expect(page.locator(".lb-captions-editor figure img")).to_be_visible()
        expect(page.get_by_test_id("caption-save")).to_be_disabled()
        box.press_sequentially("x")
        expect(box).to_have_value("")
        keep_picture(page, "gallery", "captions_unread")
        write(dataset, 2, "café")
        other.get_by_role("button", name="Read again").click()
        expect(box).to_have_value("café")
        box.press("Alt+ArrowRight")
        expect(page.locator(".lb-captions-unseen")).to_contain_text("web page")
        expect(box).to_have_value("mychar, number 3")
        keep_picture(page, "gallery", "captions_broken")
        assert context.errors == []


def test_an_unsaved_text_is_laid_aside_when_another_project_is_opened(tmp_path, dataset):
    second = DatasetManager.create("second", tmp_path / "projects")
    Image.new("RGB", (64, 64), "red").save(second.project.images / "1.png")
    with Lab(tmp_path) as lab, Browser() as context:
        page, box, _ = opened(lab, context)
        box.press_sequentially(", mine")
        in_kernel(page, f"session.open(Path({str(second.project.folder)!r}))")
        expect(box).to_have_value("")
        mine = page.get_by_test_id("caption-mine")
        expect(mine).to_contain_text("Your text for 1.png, which was not saved")
        expect(mine.locator("blockquote")).to_have_text("mychar, number 1, mine")
        expect(mine.get_by_role("button", name="Put it into the box")).to_be_hidden()
        assert not (second.project.images / "1.txt").exists() and caption(dataset, 1) == "mychar, number 1"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 700, 400])
def test_the_editor_fits_its_window(tmp_path, dataset, theme, width):
    long = ", ".join(["mychar", *(f"a tag of some length {number}" for number in range(14))])
    write(dataset, 1, long)
    with Lab(tmp_path, theme=theme) as lab, Browser(width=width, height=1900) as context:
        page = lab.open(context, "captions.ipynb")
        run_all(page)
        box = page.get_by_test_id("caption")
        expect(box).to_have_value(long)
        expect(page.locator(".lb-captions-editor figure img")).to_be_visible()
        keep_picture(page, "gallery", f"captions_{theme}_{width}")
        assert overflowing(page, ".lb-captions, .lb-captions *", allowed=()) == []
        box.press("End")
        box.press_sequentially(", mine")
        write(dataset, 1, "by a tagger, " + long)
        box.press("Control+s")
        expect(page.get_by_test_id("caption-other")).to_be_visible()
        keep_picture(page, "gallery", f"captions_{theme}_{width}_conflict")
        assert overflowing(page, ".lb-captions, .lb-captions *", allowed=()) == []


SAMPLES = """
from widgets.components.samples import Picture, Samples
import time
slow = 0
samples = Samples(lambda key: time.sleep(slow) or open(key.split("|")[0], "rb").read())
def show(moment):
    samples.show(["a cat"], ["x"], [Picture(0, 0, f"{picture!r}|{moment}", "a cat")])
show(1)
samples
"""
RECORD = """() => { window.gone = []; const revoke = URL.revokeObjectURL.bind(URL);
    URL.revokeObjectURL = (address) => { window.gone.push(address); revoke(address); }; }"""


def test_a_sample_that_was_drawn_again_is_fetched_again_and_the_old_one_let_go(tmp_path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    write_notebook(tmp_path / "samples.ipynb", SAMPLES.replace("{picture!r}", str(tmp_path / "a.png")))
    with Lab(tmp_path) as lab, Browser() as context:
        page = lab.open(context, "samples.ipynb")
        run_all(page)
        page.evaluate(RECORD)
        img = page.locator(".lb-samples td img")
        expect(img).to_have_attribute("src", re.compile("^blob:"))
        first = img.get_attribute("src")
        Image.new("RGB", (48, 48), "blue").save(tmp_path / "a.png")
        in_kernel(page, "show(2)")
        page.wait_for_function("() => document.querySelector('.lb-samples td img').naturalWidth === 48")
        assert page.evaluate("() => window.gone") == [first]
        in_kernel(page, "slow = 2; show(3)")
        page.wait_for_function("() => !document.querySelector('.lb-samples td img').src")
        page.get_by_role("button", name="a cat. Show larger.").click()
        expect(page.get_by_role("dialog").get_by_role("img")).to_be_hidden()
        page.wait_for_function("() => document.querySelector('dialog img').naturalWidth === 48")
        assert "lb-small" in page.locator("dialog img").get_attribute("class")
        page.keyboard.press("Escape")
        in_kernel(page, "samples.show([], [], [])")
        expect(page.get_by_test_id("samples")).to_contain_text("No pictures yet")
        assert len(page.evaluate("() => window.gone")) == 3
        assert context.errors == []
