"""The gallery while models write: its selection is what they work on, what they write is seen at once, and nothing typed is lost."""

import re
import threading

import pytest
from playwright.sync_api import expect

from core.dataset.manager import DatasetManager
from tests.core.dataset.captions.captioners.chat_server import Chat
from tests.core.dataset.small_things import make_tagger, picture
from tests.e2e.lab import Browser, Lab, in_kernel, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from IPython.display import display
from core.dataset.captions.caption_texts import CaptionSettings
from core.dataset.captions.choosing import TagSettings
from widgets.dataset.describing import CaptionPanel
from widgets.dataset.gallery import GalleryPanel
from widgets.dataset.tagging import TaggingPanel
from widgets.session import Session
session = Session()
session.open(Path({folder!r}))
for name, kind, number in (("tag", TaggingPanel, 8), ("caption", CaptionPanel, 10), ("gallery", GalleryPanel, 11)):
    session.panels[name] = kind(session, number)
tag, caption, gallery = session.panels.values()
tag.form.fill(TagSettings(model_dir={model!r}, device="cpu", drop_overlap=False, trigger_word="mychar"))
caption.form.fill(CaptionSettings(captioner="server", server_url={url!r}, server_model="tiny", trigger_word="mychar"))
gallery.gallery.mode = "text"
display(tag.view, caption.view, gallery.view)
"""
COUNT = 120
SCROLLED = "() => document.querySelector('.lb-grid').scrollTop"


class Held(list):
    """Answers that are given only when the gate is open."""

    def __init__(self, *texts):
        super().__init__(texts)
        self.gate = threading.Event()

    def pop(self, place=-1):
        self.gate.wait(60)
        return super().pop(place)


@pytest.fixture
def chat():
    with Chat() as server:
        yield server


@pytest.fixture
def dataset(tmp_path, chat) -> DatasetManager:
    pytest.importorskip("onnx")
    manager = DatasetManager.create("small", tmp_path / "projects", trigger="mychar")
    for number in range(1, COUNT + 1):
        picture(manager.project.images / f"{number}.png", (255 - number, 30, 30 + number), size=(120, 90))
        if number % 3:
            (manager.project.images / f"{number}.txt").write_text(f"mychar, number {number}", encoding="utf-8")
    model = make_tagger(tmp_path / "tagger")
    write_notebook(tmp_path / "live.ipynb", CELL.format(folder=str(manager.project.folder), model=str(model), url=chat.url))
    return manager


def texts(dataset) -> dict[int, str]:
    return {int(path.stem): path.read_text(encoding="utf-8") for path in dataset.project.images.glob("*.txt")}


def opened(lab, context):
    """The page, the text box, and the word on its state."""
    page = lab.open(context, "live.ipynb")
    run_all(page)
    expect(page.get_by_test_id("gallery-count")).to_have_text(f"{COUNT} pictures")
    expect(page.get_by_test_id("caption")).to_have_value("mychar, number 1")
    return page, page.get_by_test_id("caption"), page.locator(".lb-captions-count")


def cell(page, row: int):
    return page.locator(f".lb-cell[data-row='{row}']")


@pytest.mark.parametrize(("theme", "width"), [("light", 1500), ("dark", 1500), ("light", 400)])
def test_a_tagger_works_on_the_selection_and_the_gallery_shows_each_caption_as_it_comes(tmp_path, dataset, theme, width):
    before = texts(dataset)
    environ = {"LORABOOK_PROJECTS": str(tmp_path / "projects")}
    with Lab(tmp_path, environ, theme=theme) as lab, Browser(width=width, height=1700) as context:
        page, box, state = opened(lab, context)
        tag, which = page.locator(".lb-panel-tag"), page.locator(".lb-panel-tag").get_by_label("Which images")
        in_kernel(page, "gallery.gallery.rest = 0")
        which.select_option("Selected in the gallery (0)")
        expect(tag.get_by_role("button", name="Tag the pictures")).to_be_disabled()
        page.get_by_test_id("grid").evaluate("grid => { grid.scrollTop = 100; }")
        scrolled = page.evaluate(SCROLLED)
        row = int(page.locator(".lb-cell").nth(8).get_attribute("data-row"))
        for place in (row, row + 1):
            cell(page, place).click(modifiers=["Control"])
        expect(which).to_contain_text("Selected in the gallery (2)")
        keep_picture(page, "tag", f"live_tag_{theme}_{width}")
        box.press("End")
        box.press_sequentially(", typed")
        page.get_by_test_id("grid").evaluate(f"grid => {{ grid.scrollTop = {scrolled}; }}")
        tag.get_by_role("button", name="Tag the pictures").click()
        expect(tag.get_by_role("status").first).to_contain_text("2 captions written", timeout=60_000)
        tagged = {number for number, text in texts(dataset).items() if text != before.get(number)}
        assert tagged == {row + 1, row + 2} and all("red theme" in texts(dataset)[number] for number in tagged)

        which.select_option("All")
        tag.get_by_role("button", name="Tag the pictures").click()
        expect(tag.get_by_role("status").first).to_contain_text(f"{COUNT - 2} captions written", timeout=60_000)
        expect(cell(page, 2)).to_have_attribute("aria-label", re.compile(r"3\.png, [345] tags"))
        expect(page.get_by_test_id("caption-other")).to_contain_text("On the disk it now reads:mychar, number 1, red theme")
        expect(box).to_have_value("mychar, number 1, typed")
        assert page.evaluate(SCROLLED) == scrolled
        expect(page.get_by_test_id("gallery-count")).to_have_text(f"{COUNT} pictures, 2 selected")
        keep_picture(page, "gallery", f"live_conflict_{theme}_{width}")
        page.get_by_role("button", name="Keep mine").click()
        expect(state).to_contain_text("· saved")
        assert texts(dataset)[1] == "mychar, number 1, typed"
        dataset.undo()
        assert texts(dataset)[1].startswith("mychar, number 1, red theme")
        expect(box).to_have_value(re.compile("^mychar, number 1, red theme"), timeout=15_000)
        assert overflowing(page) == [] and context.errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_one_picture_is_tagged_and_captioned_from_the_editor(tmp_path, dataset, chat, theme):
    held = chat.answers = Held("A red wall at noon.", "Another text.")
    with Lab(tmp_path, {"LORABOOK_PROJECTS": str(tmp_path / "projects")}, theme=theme) as lab, Browser(width=1500, height=1900) as context:
        page, box, state = opened(lab, context)
        told = page.get_by_test_id("ask-told")
        in_kernel(page, "gallery.gallery.rest = 0")
        box.press("End")
        box.press_sequentially(", my own words")
        page.get_by_test_id("ask-tag").click()
        expect(told).to_contain_text("The tagger wrote the caption of 1.png", timeout=60_000)
        expect(box).to_have_value(re.compile("^mychar, number 1, my own words, red theme"))
        expect(state).to_contain_text("· saved")
        keep_picture(page, "gallery", f"live_tagged_{theme}")

        page.get_by_test_id("ask-caption").click()
        expect(told).to_contain_text("The captioner looks at 1.png")
        expect(page.get_by_test_id("ask-tag")).to_be_disabled()
        box.press("End")
        box.press_sequentially(", and this")
        expect(state).to_contain_text("not saved yet")
        keep_picture(page, "gallery", f"live_asking_{theme}")
        held.gate.set()
        expect(told).to_contain_text("The captioner wrote the caption of 1.png", timeout=60_000)
        expect(page.get_by_test_id("caption-other")).to_contain_text("A red wall at noon.")
        expect(box).to_have_value(re.compile(", and this$"))
        page.get_by_role("button", name="Read again").click()
        expect(box).to_have_value("mychar, number 1, my own words, A red wall at noon.")
        expect(page.get_by_test_id("caption-mine")).to_contain_text(", and this")

        held.gate.clear()
        cell(page, 2).click()
        expect(box).to_have_value("")
        page.get_by_test_id("ask-caption").click()
        expect(told).to_contain_text("The captioner looks at 3.png")
        page.get_by_test_id("ask-cancel").click()
        held.gate.set()
        expect(page.get_by_test_id("ask-cancel")).to_be_hidden(timeout=60_000)
        assert 2 in texts(dataset) and context.errors == []
        in_kernel(page, "del session.panels['caption']")
        page.get_by_test_id("ask-caption").click()
        expect(told).to_contain_text("The Caption panel is not shown yet.")
