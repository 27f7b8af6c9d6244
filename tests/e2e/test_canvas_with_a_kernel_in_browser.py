"""The canvas in JupyterLab with a kernel that makes the mask, in both themes and on a narrow screen."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.canvas_page import inked
from tests.e2e.lab import SCREENSHOTS, Browser, Lab, in_kernel, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
import io, json
from pathlib import Path
from IPython.display import display
from PIL import Image
from skimage import data
from core.base.files import write_bytes
from core.dataset.images.masks import combine, empty_mask, polygon, rectangle, stroke
from widgets.components.canvas import Canvas
from widgets.kernel_loop import KernelLoop
from widgets.style import stylesheet
import ipywidgets as ipw

whole = Image.fromarray(data.astronaut()).resize((4000, 4000)).crop((600, 0, 3200, 3900))
SIZE, told, steps, undone = whole.size, [], [], []

def file(image, kind="JPEG", longest=2048):
    image = image.copy()
    image.thumbnail((longest, longest))
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()

def drawn(step):
    if step["op"] == "rectangle":
        return rectangle(SIZE, step["first"], step["second"])
    return polygon(SIZE, step["points"]) if step["op"] == "polygon" else stroke(SIZE, step["points"], step["width"])

def heard(deed):
    told.append([deed.kind, deed.number])
    if deed.is_operation:
        steps.append(deed.operation)
    elif deed.kind == "undo" and steps:
        undone.append(steps.pop())
    elif deed.kind == "redo" and undone:
        steps.append(undone.pop())
    mask = empty_mask(SIZE)
    for step in steps:
        mask = combine(mask, drawn(step), step["how"])
    canvas.show_overlay(file(Image.fromarray(mask), "PNG"), deed.number)
    canvas.can_undo, canvas.can_redo = bool(steps), bool(undone)
    write_bytes(Path({file!r}), json.dumps([told, int((mask > 127).sum()), canvas.crop, canvas.points]).encode())

def sharper(wanted):
    left, top, right, bottom = wanted.box
    part = whole.crop(wanted.box).resize(wanted.size)
    canvas.show_region(wanted, file(part, longest=4096), file(part.convert("L"), longest=4096) if canvas.shown["before"] else b"")

canvas = Canvas(heard, sharper, KernelLoop().soon, mode="brush", brush=220, ratios=[["Any", 0], ["1 : 1", 1], ["832 : 1216", 832 / 1216]],
                tools=["look", "brush", "eraser", "rectangle", "polygon", "points", "crop"])
canvas.show(file(whole), SIZE, caption=f"astronaut.png, {{SIZE[0]}} × {{SIZE[1]}} pixels")
def panel():
    return ipw.VBox([stylesheet(), canvas]).add_class("lb-panel")
display(panel())
"""


def keep(page, name):
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.locator(".lb-panel").first.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"))


def places(page):
    """Places of the window by shares of the stage."""
    stage = page.get_by_test_id("stage").first
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    return lambda across, down: (box["x"] + across * box["width"], box["y"] + down * box["height"])


def drag(page, *line):
    page.mouse.move(*line[0])
    page.mouse.down()
    for place in line[1:]:
        page.mouse.move(*place, steps=10)
    page.mouse.up()


def known(file, kinds):
    """Wait until the kernel was told of so many deeds. Returns: what it wrote then."""
    page, path = file
    for _ in range(100):
        found = json.loads(path.read_text()) if path.exists() else [[]]
        if [kind for kind, _ in found[0]] == kinds:
            return found
        page.wait_for_timeout(100)
    raise AssertionError(path.read_text() if path.exists() else "nothing was told")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 420])
def test_masks_points_crop_and_before_and_after(tmp_path, theme, width):
    told = tmp_path / "told.json"
    write_notebook(tmp_path / "canvas.ipynb", CELL.format(file=str(told)))
    with Lab(tmp_path, theme=theme) as lab, Browser(width, 1150) as context:
        page = lab.open(context, "canvas.ipynb")
        run_all(page)
        expect(page.get_by_test_id("zoom-level")).not_to_be_empty()
        at, shot = places(page), f"canvas_{{}}_{theme}_{width}"
        drag(page, at(0.42, 0.3), at(0.58, 0.35), at(0.5, 0.5))
        page.mouse.move(*at(0.4, 0.6))
        known((page, told), ["stroke"])
        page.wait_for_timeout(600)
        keep(page, shot.format("brush"))
        drawn = json.loads(told.read_text())[1]
        assert drawn > 200_000 and page.evaluate("() => document.querySelector('.lb-canvas-mask').getContext('2d') !== null")
        page.get_by_test_id("mode-eraser").click()
        drag(page, at(0.45, 0.4), at(0.55, 0.4))
        erased = known((page, told), ["stroke", "stroke"])[1]
        assert erased < drawn
        page.keyboard.press("Control+z")
        assert known((page, told), ["stroke", "stroke", "undo"])[1] == drawn
        page.get_by_test_id("canvas-redo").click()
        assert known((page, told), ["stroke", "stroke", "undo", "redo"])[1] == erased
        page.get_by_test_id("black-and-white").click()
        page.wait_for_timeout(500)
        keep(page, shot.format("grey"))
        page.get_by_test_id("black-and-white").click()

        page.get_by_test_id("mode-points").click()
        page.mouse.click(*at(0.5, 0.4))
        page.mouse.click(*at(0.6, 0.7), button="right")
        expect(page.locator(".lm-Menu")).to_have_count(0)  # JupyterLab's own menu stays shut
        drag(page, at(0.4, 0.2), at(0.62, 0.6))
        expect(page.get_by_test_id("clear-points")).to_be_enabled()
        page.wait_for_timeout(500)
        keep(page, shot.format("points"))
        in_kernel(page, f"write_bytes(Path({str(tmp_path / 'box.json')!r}), json.dumps([canvas.points, canvas.box]).encode())")
        page.wait_for_timeout(500)
        points, box = json.loads((tmp_path / "box.json").read_text())
        assert [point[2] for point in points] == [1, 0] and box[0] < points[0][0] < box[2]
        page.get_by_test_id("mode-crop").click()
        page.get_by_test_id("ratio").select_option("832 : 1216")
        drag(page, at(0.4, 0.15), at(0.6, 0.8))
        page.wait_for_timeout(300)
        keep(page, shot.format("crop"))
        page.get_by_test_id("stage").press("Enter")
        left, top, right, bottom = known((page, told), ["stroke", "stroke", "undo", "redo", "crop"])[2]
        assert (right - left) / (bottom - top) == pytest.approx(832 / 1216, abs=0.003)

        page.get_by_test_id("mode-look").click()
        in_kernel(page, "canvas.show(file(whole), SIZE, caption=canvas.shown['caption'], before=file(whole.convert('L')), same=True)")
        expect(page.get_by_test_id("split")).to_be_visible()
        drag(page, at(0.5, 0.5), at(0.55, 0.5))
        page.get_by_test_id("split").press("PageDown")
        page.get_by_test_id("zoom-whole").click()
        page.wait_for_timeout(1500)
        keep(page, shot.format("before"))
        assert page.get_by_test_id("split").get_attribute("aria-valuetext").endswith("After")
        assert overflowing(page, ".lb-canvas, .lb-canvas *", allowed=("hidden", "visible")) == []
        assert context.errors == []


def test_a_view_that_is_shown_again_and_a_second_one_show_the_same(tmp_path):
    told = tmp_path / "told.json"
    write_notebook(tmp_path / "canvas.ipynb", CELL.format(file=str(told)), "display(panel())")
    with Lab(tmp_path) as lab, Browser(1400, 1900) as context:
        page = lab.open(context, "canvas.ipynb")
        run_all(page)
        expect(page.get_by_test_id("zoom-level")).to_have_count(2)
        expect(page.get_by_test_id("zoom-level").last).not_to_be_empty()
        at = places(page)
        drag(page, at(0.42, 0.3), at(0.58, 0.35))
        known((page, told), ["stroke"])
        page.get_by_test_id("zoom-whole").first.click()
        expect(page.get_by_test_id("zoom-level").last).to_have_text("100 %")
        page.get_by_test_id("zoom-fit").first.click()
        page.wait_for_timeout(800)
        assert inked(page, 0) == inked(page, 1) > 1000
        page.evaluate("""async () => { const app = window.jupyterapp; app.shell.currentWidget.content.activeCellIndex = 1;
          await app.commands.execute('notebook:clear-cell-output'); await app.commands.execute('notebook:run-cell'); }""")
        expect(page.get_by_test_id("zoom-level")).to_have_count(2)
        page.wait_for_timeout(1500)
        assert inked(page, 1) == inked(page, 0)
        assert context.errors == []
