"""The workbench in a real browser: every tab on a real photograph, what is tried is kept or dropped, and no picture is touched."""

import hashlib

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.dataset.images.bench import look_at_picture
from core.dataset.manager import DatasetManager
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook
from tests.photographs import photo_project

pytestmark = [pytest.mark.browser, pytest.mark.slow]
skimage_data = pytest.importorskip("skimage.data")
CELL = """
from pathlib import Path
from widgets.dataset.workbench import WorkbenchPanel
from widgets.session import Session
session = Session()
session.open(Path({folder!r}))
panel = WorkbenchPanel(session)
panel.view
"""


@pytest.fixture
def photos(tmp_path) -> DatasetManager:
    manager = photo_project(tmp_path)
    write_notebook(tmp_path / "bench.ipynb", CELL.format(folder=str(manager.project.folder)))
    return manager


def hashes(photos):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in photos.project.images.iterdir()}


class Bench:
    """What a person does with the panel."""

    def __init__(self, lab, context):
        self.page = lab.open(context, "bench.ipynb")
        run_all(self.page)
        expect(self.page.get_by_test_id("strip-count")).to_have_text("3 pictures")
        self.status = self.page.locator(".lb-panel-workbench .lb-status")

    def open(self, row):
        self.page.locator(f".lb-strip .lb-cell[data-row='{row}']").click()

    def button(self, words):
        return self.page.locator(".lb-panel-workbench").get_by_role("button", name=words, exact=True)


    def says(self, words):
        expect(self.status).to_contain_text(words)

    def words(self, text):
        expect(self.page.locator(".lb-bench-words")).to_contain_text(text)

    def drag(self, begin, end):
        """On the stage, in shares of its width and height from its middle."""
        box = self.page.locator(".lb-canvas-stage").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x + begin[0], y + begin[1])
        self.page.mouse.down()
        self.page.mouse.move(x + end[0], y + end[1], steps=10)
        self.page.mouse.up()

    def set(self, label, value):
        self.page.get_by_label(label).first.fill(str(value))
        self.page.keyboard.press("Tab")


def versions(photos, name="astronaut"):
    return [(version.title, version.size) for version in look_at_picture(photos.project, name).versions]


def test_a_tool_is_tried_kept_and_taken_back(tmp_path, photos):
    before = hashes(photos)
    with Lab(tmp_path) as lab, Browser(width=1500, height=1500) as context:
        bench = Bench(lab, context)
        bench.open(0)
        bench.words("astronaut.png: Picture (512 × 512)")
        bench.button("Resize").click()
        bench.set("Length", 300)
        bench.button("Try on this picture").click()
        bench.says("Tried on astronaut.png")
        bench.words("a try, not saved yet")
        expect(bench.page.get_by_role("slider", name="Before")).to_be_visible()
        keep_picture(bench.page, "workbench", "workbench-tried")
        bench.button("Discard").click()
        bench.says("Nothing was written")
        assert versions(photos) == [("Picture", (512, 512))]
        bench.button("Try on this picture").click()
        bench.says("Tried on astronaut.png")
        bench.button("Save").click()
        bench.says("saved astronaut_resized.png")
        bench.words("Resized (300 × 300)")
        expect(bench.page.locator(".lb-strip .lb-cell[data-row='0'] .lb-cell-versions")).to_have_text("Resized")
        assert versions(photos) == [("Picture", (512, 512)), ("Resized", (300, 300))]
        bench.page.locator(".lb-strip .lb-cell[data-row='1']").click(modifiers=["Control"])
        choice = bench.page.get_by_label("For many")
        expect(choice.locator("option", has_text="Selected at the left (2)")).to_have_count(1)
        choice.select_option(label="Selected at the left (2)")
        bench.button("Do it for these pictures").click()
        bench.says("1 version made, 1 there already")
        assert versions(photos, "coffee")[1][0] == "Resized" and len(versions(photos, "rocket")) == 1
        bench.button("Take back what it made").click()
        bench.says("1 version put aside")
        assert len(versions(photos, "coffee")) == 1
        bench.open(0)
        bench.words("astronaut.png: Resized")
        bench.button("View").click()
        bench.button("Take this version back").click()
        bench.says("astronaut_resized.png was put aside")
        bench.words("Picture (512 × 512)")
        assert versions(photos) == [("Picture", (512, 512))] and hashes(photos) == before
        bench.button("Bring it back").click()
        bench.says("astronaut_resized.png stands again")
        keep_picture(bench.page, "workbench", "workbench-view")
        assert not context.errors


def test_a_mask_is_drawn_undone_and_saved_then_serves_the_other_tabs(tmp_path, photos):
    before = hashes(photos)
    with Lab(tmp_path, theme="dark") as lab, Browser(width=1500, height=1500) as context:
        bench = Bench(lab, context)
        bench.open(0)
        bench.words("astronaut.png")
        bench.button("Mask").click()
        expect(bench.page.get_by_text("There is no mask yet")).to_be_visible()
        bench.drag((-60, -60), (60, 40))
        expect(bench.page.get_by_text("1 step")).to_be_visible()
        bench.drag((0, 80), (20, 120))
        expect(bench.page.get_by_text("2 steps")).to_be_visible()
        bench.button("Undo").click()
        expect(bench.page.get_by_text("1 step,")).to_be_visible()
        bench.button("Grow").click()
        expect(bench.page.get_by_text("2 steps")).to_be_visible()
        bench.button("Save").click()
        bench.says("saved astronaut_mask.png")
        keep_picture(bench.page, "workbench", "workbench-mask-dark")
        with Image.open(photos.project.variants / "astronaut_mask.png") as mask:
            assert mask.size == (512, 512) and mask.getpixel((256, 256)) == 255 and mask.getpixel((20, 20)) == 0
        bench.button("Transparent").click()
        bench.button("Try on this picture").click()
        bench.says("Tried on astronaut.png")
        bench.button("Save").click()
        bench.says("saved astronaut_transparent.png")
        assert Image.open(photos.project.variants / "astronaut_transparent.png").getpixel((20, 20))[3] == 0
        bench.button("Inpaint").click()
        expect(bench.page.get_by_text("Nothing is marked yet")).to_be_visible()
        bench.drag((-150, 150), (-120, 150))
        expect(bench.page.get_by_text("1 step")).to_be_visible()
        bench.button("Paint the region anew").click()
        bench.says("Tried on astronaut.png")
        keep_picture(bench.page, "workbench", "workbench-inpaint-dark")
        bench.button("Save").click()
        bench.says("saved astronaut_inpainted.png")
        bench.words("Repaired")
        assert hashes(photos) == before and not context.errors


def test_crops_by_hand_and_by_faces_on_a_narrow_page(tmp_path, photos):
    before = hashes(photos)
    with Lab(tmp_path) as lab, Browser(width=760, height=1500) as context:
        bench = Bench(lab, context)
        bench.open(0)
        bench.words("astronaut.png")
        bench.button("Crop").first.click()
        expect(bench.page.get_by_label("Ratio")).to_be_visible()
        bench.drag((-60, -60), (60, 40))
        expect(bench.button("Cut the box out")).to_be_enabled()
        bench.button("Cut the box out").click()
        bench.says("saved astronaut_crop.png")
        bench.set("Smallest side", 200)
        bench.button("Find faces and people").click()
        bench.says("Tried on astronaut.png")
        keep_picture(bench.page, "workbench", "workbench-crop-narrow")
        bench.button("Save").click()
        bench.says("saved astronaut_face_focus.png")
        titles = [title for title, _ in versions(photos)]
        assert "crop" in titles and "face_focus" in titles and hashes(photos) == before
        assert overflowing(bench.page, ".lb-panel-workbench, .lb-panel-workbench > *") == []
        assert not context.errors
