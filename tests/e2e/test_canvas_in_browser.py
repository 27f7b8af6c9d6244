"""The canvas alone on a page of a real browser: where clicks lie, what is drawn, keys, fingers, and what is told."""

import base64
import io

import pytest
from PIL import Image, ImageDraw

from tests.e2e.canvas_page import BODY, SIZE, ink, inked, open_canvas, picture, rest, told, trait
from tests.e2e.lab import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PLACES = {
    "plain": BODY,
    "scrolled": f"<div style='height: 700px'></div>{BODY}<div style='height: 3000px'></div>",
    "scaled": f"<div style='transform: scale(0.7, 0.8); transform-origin: 30px 10px'>{BODY}</div>",
    "narrow": f"<div style='width: 333.3px; margin-left: 41.7px; overflow: auto'>{BODY}</div>",
}
DOT = (2710.0, 1830.0)
"""Middle of the dot that is looked for on the screen, px of the true picture."""
SPOT = (0, 255, 0)


@pytest.fixture
def page():
    with Browser(1000, 1000) as context:
        yield context.new_page()
        assert context.errors == []


def dotted(size=SIZE, longest=2048) -> bytes:
    """A preview with one green dot of 60 px of the true picture."""
    image = Image.open(io.BytesIO(picture(size, longest))).convert("RGB")
    scale = image.width / size[0]
    ImageDraw.Draw(image).ellipse([scale * (value + way * 30) for way in (-1, 1) for value in DOT], fill=SPOT)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def seen_at(page, ratio) -> tuple[float, float]:
    """The middle of the dot in the window, px of the page."""
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    red, green, blue = shot.split()
    mask = Image.eval(green, lambda value: 255 * (value > 200))
    for other in (red, blue):
        mask = Image.composite(mask, Image.new("L", shot.size), Image.eval(other, lambda value: 255 * (value < 60)))
    left, top, right, bottom = mask.getbbox()
    return (left + right) / 2 / ratio, (top + bottom) / 2 / ratio


def stage(page):
    return page.get_by_test_id("stage").bounding_box()


def middle(page) -> tuple[float, float]:
    box = stage(page)
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, *places, steps=8):
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=steps)
    page.mouse.up()
    rest(page)


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize("place", list(PLACES))
def test_a_click_on_something_seen_is_a_click_on_its_pixel_at_any_zoom(ratio, place):
    with Browser(1000, 900, ratio=ratio) as context:
        page = context.new_page()
        open_canvas(page, PLACES[place], data=dotted(), mode="points")
        page.get_by_test_id("stage").scroll_into_view_if_needed()
        for zoom in (None, 0.3, 1, 4):
            if zoom:
                page.evaluate("([zoom, x, y]) => change({ look: { zoom, x, y } })", [zoom, DOT[0] + 7, DOT[1] - 15])
            rest(page)
            x, y = seen_at(page, ratio)
            page.mouse.click(x, y)
            rest(page)
            point = trait(page, "marked")["points"][-1]
            scale = zoom or 0.12  # a pixel of the screen, and one of the preview (the dot's edge), is the most it may be off
            assert point[:2] == pytest.approx(DOT, abs=1.5 / (scale * 0.7) + 3), (place, zoom)
            page.keyboard.press("Escape")
        page.mouse.wheel(0, -300)
        assert context.errors == []


def test_the_wheel_zooms_where_the_pointer_is_once_the_picture_was_pressed_and_scrolls_the_page_before(page):
    open_canvas(page, PLACES["scrolled"], data=dotted())
    page.mouse.move(500, 850)
    page.mouse.wheel(0, 200)
    rest(page)
    assert page.evaluate("() => scrollY") == 200 and trait(page, "look") == {"zoom": 0}
    page.evaluate("() => scrollTo(0, 600)")
    page.mouse.click(*seen_at(page, 1))
    before = seen_at(page, 1)
    for _ in range(6):
        page.mouse.wheel(0, -200)
    rest(page)
    after = seen_at(page, 1)
    assert page.evaluate("() => scrollY") == 600 and trait(page, "look")["zoom"] > 1
    assert after == pytest.approx(before, abs=4)
    page.keyboard.press("0")
    rest(page)
    assert trait(page, "look") == {"zoom": 0}


def test_a_click_after_the_line_was_drawn_and_the_page_scrolled_is_still_a_click_on_its_pixel(page):
    open_canvas(page, PLACES["scrolled"], data=dotted(), mode="points")
    page.evaluate("() => { scrollTo(0, 600); show(btoa(String.fromCharCode(...traits.shown.picture)), "
                  "{ ...traits.shown, sheet: 2, version: 2, before: traits.shown.picture }); }")
    page.get_by_test_id("split").wait_for()
    rest(page)
    x, y = middle(page)
    drag(page, (x, y), (x - 60, y))
    assert trait(page, "split") < 0.45
    page.evaluate("() => scrollTo(0, 700)")
    page.mouse.click(*seen_at(page, 1))
    rest(page)
    assert trait(page, "marked")["points"][-1][:2] == pytest.approx(DOT, abs=20)


def test_a_stroke_is_seen_at_once_and_told_once_in_few_points(page):
    open_canvas(page, mode="brush", brush=200)
    x, y = middle(page)
    page.mouse.move(x - 80, y)
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=60)
    page.wait_for_timeout(60)
    assert ink(page, x, y)[3] == 255 and told(page) == []
    page.mouse.up()
    rest(page)
    (deed,) = told(page)
    scale = 0.1153  # (720 - 28) / 6000
    assert len(deed["points"]) == 2 and deed["how"] == "add" and deed["width"] == 200
    assert deed["points"][0] == pytest.approx([2000 - 80 / scale, 3000], abs=10)
    assert deed["points"][1][0] == pytest.approx(2000 + 80 / scale, abs=10)
    assert ink(page, x, y)[3] == 255 and ink(page, x, y + 14)[3] == 0


def test_the_eraser_takes_ink_away_and_alt_turns_the_brush_round(page):
    open_canvas(page, mode="rectangle")
    x, y = middle(page)
    drag(page, (x - 100, y - 100), (x + 100, y + 100))
    page.evaluate("() => change({ mode: 'eraser', brush: 300 })")
    drag(page, (x - 50, y), (x + 50, y))
    page.evaluate("() => change({ mode: 'brush', brush: 100 })")
    page.keyboard.down("Alt")
    drag(page, (x, y + 60), (x + 5, y + 60))
    page.keyboard.up("Alt")
    assert [ink(page, x, y + down)[3] for down in (0, 60, 90)] == [0, 0, 255]
    assert [(deed["op"], deed["how"]) for deed in told(page)] == [("rectangle", "add"), ("stroke", "subtract"), ("stroke", "subtract")]


@pytest.mark.parametrize("black_and_white", [False, True])
def test_a_rectangle_and_a_polygon_can_keep_only_what_is_inside(page, black_and_white):
    open_canvas(page, mode="rectangle", black_and_white=black_and_white)
    x, y = middle(page)
    drag(page, (x - 100, y - 100), (x + 100, y + 100))
    page.get_by_test_id("how").select_option("keeps only what is inside")
    drag(page, (x - 60, y - 60), (x + 60, y + 60))
    page.evaluate("() => change({ mode: 'polygon' })")
    for place in ((x - 60, y - 60), (x + 60, y - 60), (x + 60, y + 60)):
        page.mouse.click(*place)
    page.mouse.click(x - 60, y - 60)
    rest(page)
    done = [("rectangle", "add"), ("rectangle", "intersect"), ("polygon", "intersect")]
    assert [(deed["op"], deed["how"]) for deed in told(page)] == done
    counts = [ink(page, x + right, y + down) for right, down in ((80, 0), (-30, 30), (30, -30))]
    assert [pixel[0] > 200 if black_and_white else pixel[3] == 255 for pixel in counts] == [False, False, True]


def test_points_belong_or_do_not_whatever_becomes_of_the_mask(page):
    open_canvas(page, mode="points", how="subtract")
    x, y = middle(page)
    page.mouse.click(x, y)
    page.get_by_test_id("belongs").click()
    page.mouse.click(x + 40, y)
    page.keyboard.down("Alt")
    page.mouse.click(x - 40, y)
    page.keyboard.up("Alt")
    rest(page)
    assert [point[2] for point in trait(page, "marked")["points"]] == [1, 0, 1]
    assert page.get_by_test_id("how").input_value() == "subtract"


def test_the_exact_mask_takes_the_place_of_the_stroke_and_nothing_flickers(page):
    open_canvas(page, mode="brush", brush=400)
    x, y = middle(page)
    drag(page, (x - 60, y), (x + 60, y))
    mask = Image.new("L", (400, 600))
    ImageDraw.Draw(mask).rectangle([100, 250, 300, 350], fill=255)
    out = io.BytesIO()
    mask.save(out, "PNG")
    found = page.evaluate("""async ([mask, x, y]) => {
      const bytes = Uint8Array.from(atob(mask), (one) => one.charCodeAt(0)), canvas = document.querySelector(".lb-canvas-mask");
      const box = canvas.getBoundingClientRect(), seen = [];
      const at = (across, down) => canvas.getContext("2d").getImageData(across - box.left, down - box.top, 1, 1).data[3];
      change({ overlay: { count: 1, mask: bytes, box: [], sharp: null }, drawn: [] });
      for (let frame = 0; frame < 40; frame += 1) { await new Promise(requestAnimationFrame); seen.push([at(x, y), at(x, y + 35)]); }
      return seen;
    }""", [base64.b64encode(out.getvalue()).decode(), x, y])
    assert {inside for inside, _ in found} == {255}  # covered in every frame
    assert found[0][1] == 0 and found[-1][1] == 255  # below the stroke and in the mask
    assert ink(page, x - 230, y)[3] == 0


def test_what_was_not_heard_is_told_again_and_then_once(page):
    open_canvas(page, mode="brush")
    page.evaluate("() => { answers = false; }")
    x, y = middle(page)
    drag(page, (x, y), (x + 30, y))
    page.keyboard.press("Control+z")
    page.evaluate("() => { answers = true; }")
    page.wait_for_timeout(2600)
    assert [deed["kind"] for deed in told(page)] == ["stroke", "undo"]
    page.wait_for_timeout(2500)
    assert len(told(page)) == 2


def test_a_second_view_and_one_that_is_shown_again_show_the_same(page):
    open_canvas(page, "<div id='place'></div><div id='other'></div>", mode="brush", brush=300)
    x, y = middle(page)
    drag(page, (x - 40, y), (x + 40, y))
    page.evaluate("() => change({ look: { zoom: 0.5, x: 2000, y: 3000 } })")
    page.evaluate("() => { window.leave(); document.querySelector('#place').replaceChildren(); again(document.querySelector('#other')); }")
    page.wait_for_function("() => document.querySelector('#other [data-testid=zoom-level]').textContent === '50 %'")
    rest(page)
    assert ink(page, *middle(page))[3] == 255
    page.evaluate("() => { again(document.querySelector('#place')); change({ mode: 'crop' }); }")
    rest(page)
    box = page.locator("#other").get_by_test_id("stage").bounding_box()
    page.locator("#other").get_by_test_id("stage").scroll_into_view_if_needed()
    box = page.locator("#other").get_by_test_id("stage").bounding_box()
    drag(page, (box["x"] + 400, box["y"] + 200), (box["x"] + 600, box["y"] + 400))
    labels = page.get_by_test_id("crop-size").all_inner_texts()
    assert len(labels) == 2 and labels[0] == labels[1] and " × " in labels[0]


def test_the_keyboard_draws_strokes_rectangles_polygons_and_points(page):
    open_canvas(page, mode="brush", brush=100)
    page.get_by_test_id("stage").focus()
    for key in ("ArrowRight", "Space", *["ArrowRight"] * 5, "Space"):
        page.keyboard.press(key)
    page.evaluate("() => change({ mode: 'rectangle' })")
    for key in ("Space", *["ArrowDown"] * 5, *["ArrowRight"] * 5, "Space"):
        page.keyboard.press(key)
    page.evaluate("() => change({ mode: 'polygon' })")
    for key in ("Space", *["ArrowDown"] * 9, "Space", *["ArrowLeft"] * 9, "Space", "ArrowUp", "Space", "Backspace", "Enter"):
        page.keyboard.press(key)
    page.evaluate("() => change({ mode: 'points' })")
    for key in ("Space", "Shift+ArrowRight", "Shift+Space", "b", *["ArrowUp"] * 4, *["ArrowLeft"] * 4, "b"):
        page.keyboard.press(key)
    rest(page)
    stroke, rectangle, polygon = told(page)
    assert stroke["op"] == "stroke" and stroke["points"][1][0] - stroke["points"][0][0] == pytest.approx(50 / 0.1153, rel=0.01)
    assert rectangle["second"][1] - rectangle["first"][1] == pytest.approx(50 / 0.1153, rel=0.01)
    assert len(polygon["points"]) == 3
    first, second = trait(page, "marked")["points"]
    assert (first[2], second[2]) == (1, 0) and second[0] - first[0] == pytest.approx(1)
    left, _, right, bottom = trait(page, "marked")["box"]
    assert right - left == pytest.approx(40 / 0.1153, rel=0.01) and [right, bottom] == second[:2]


def test_the_crop_box_is_drawn_moved_resized_confirmed_and_dropped(page):
    open_canvas(page, mode="crop", ratios=[["Any", 0], ["2 : 3", 2 / 3]])
    x, y = middle(page)
    drag(page, (x - 100, y - 100), (x + 100, y + 100))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Control+ArrowDown")
    page.keyboard.press("Shift+ArrowLeft")
    rest(page)
    left, top, right, bottom = trait(page, "marked")["crop"]
    assert right - left == pytest.approx(200 / 0.1153, abs=10) and all(isinstance(value, int) for value in (left, top, right, bottom))
    drag(page, (x + 100, y + 101), (x + 130, y + 101))
    assert trait(page, "marked")["crop"][2] - right == pytest.approx(30 / 0.1153, abs=10)
    drag(page, (x, y), (x - 900, y))
    assert trait(page, "marked")["crop"][0] == 0
    page.get_by_test_id("ratio").select_option("2 : 3")
    rest(page)
    left, top, right, bottom = trait(page, "marked")["crop"]
    assert (right - left) / (bottom - top) == pytest.approx(2 / 3, abs=0.002)
    page.get_by_test_id("stage").focus()
    page.keyboard.press("Enter")
    rest(page)
    assert [(deed["kind"], deed["box"]) for deed in told(page)] == [("crop", [left, top, right, bottom])]
    page.keyboard.press("Escape")
    rest(page)
    assert trait(page, "marked")["crop"] == []


def test_points_are_marked_with_both_buttons_and_a_drag_makes_a_box(page):
    open_canvas(page, mode="points")
    x, y = middle(page)
    page.mouse.click(x, y)
    page.mouse.click(x + 50, y, button="right")
    drag(page, (x + 40, y + 40), (x - 40, y - 40))
    marked = trait(page, "marked")
    assert [point[2] for point in marked["points"]] == [1, 0] and marked["points"][0][:2] == pytest.approx([2000, 3000], abs=5)
    assert marked["box"] == pytest.approx([2000 - 40 / 0.1153, 3000 - 40 / 0.1153, 2000 + 40 / 0.1153, 3000 + 40 / 0.1153], abs=10)
    page.get_by_test_id("stage").focus()
    page.keyboard.press("Backspace")
    rest(page)
    assert len(trait(page, "marked")["points"]) == 1 and told(page) == []


def test_a_sharper_part_is_asked_for_around_what_is_seen_and_forgotten_when_all_is_seen(page):
    open_canvas(page)
    page.get_by_test_id("zoom-whole").click()
    rest(page)
    wanted = trait(page, "wanted")
    left, _, right, _ = wanted["box"]
    assert wanted["scale"] == 1 and left < 2000 - 984 / 2 and right > 2000 + 984 / 2 and right - left == pytest.approx(984 * 1.5, abs=3)
    green = base64.b64encode(picture((300, 300), colour="#00ff00")).decode()
    page.evaluate("""([part, box]) => change({ region: { version: traits.shown.version, count: 1, box,
      picture: Uint8Array.from(atob(part), (one) => one.charCodeAt(0)) } })""", [green, wanted["box"]])
    rest(page)
    shot = Image.open(io.BytesIO(page.get_by_test_id("stage").screenshot())).convert("RGB")
    assert shot.getpixel((20, 20))[1] > 200 and shot.getpixel((20, 20))[0] < 60
    page.get_by_test_id("zoom-fit").click()
    rest(page)
    assert trait(page, "wanted") == {}


def test_space_and_the_middle_button_move_the_picture_in_every_mode(page):
    open_canvas(page, mode="brush")
    page.get_by_test_id("zoom-whole").click()
    rest(page)
    x, y = middle(page)
    page.mouse.move(x, y)
    page.get_by_test_id("stage").focus()
    page.keyboard.down("Space")
    drag(page, (x, y), (x + 100, y - 50))
    page.keyboard.up("Space")
    assert [trait(page, "look")[name] for name in ("x", "y")] == pytest.approx([1900, 3050], abs=1)
    page.mouse.move(x, y)
    page.mouse.down(button="middle")
    page.mouse.move(x - 100, y, steps=4)
    page.mouse.up(button="middle")
    rest(page)
    assert trait(page, "look")["x"] == pytest.approx(2000, abs=1) and told(page) == []


def test_a_locked_canvas_is_looked_at_only(page):
    open_canvas(page, mode="brush", tools=["look", "brush"], locked=True)
    x, y = middle(page)
    drag(page, (x, y), (x + 50, y))
    page.keyboard.press("Control+z")
    rest(page)
    assert told(page) == [] and page.get_by_test_id("mode-brush").is_disabled()


def test_a_damaged_preview_says_so_and_the_next_picture_is_shown(page):
    open_canvas(page)
    page.evaluate("() => show(btoa('no picture'), { width: 5, height: 5 })")
    page.get_by_text("This picture cannot be shown").wait_for()
    page.evaluate("([data]) => show(data, { width: 300, height: 200 })", [base64.b64encode(picture((300, 200))).decode()])
    page.get_by_text("This picture cannot be shown").wait_for(state="hidden")
    rest(page)
    assert trait(page, "look") == {"zoom": 0}


def fingers(session, kind, *places):
    points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_one_finger_draws_two_move_and_zoom_and_what_the_first_began_is_dropped():
    with Browser(420, 900, touch=True) as context:
        page = context.new_page()
        open_canvas(page, mode="brush", brush=300)
        touch = context.new_cdp_session(page)
        x, y = middle(page)
        before = page.get_by_test_id("zoom-level").inner_text()
        fingers(touch, "touchStart", (x - 40, y))
        fingers(touch, "touchMove", (x - 30, y))
        fingers(touch, "touchStart", (x - 30, y), (x + 40, y))
        for step in range(10):
            fingers(touch, "touchMove", (x - 30 - 5 * step, y), (x + 40 + 5 * step, y))
        fingers(touch, "touchEnd")
        rest(page)
        assert told(page) == [] and inked(page) == 0
        assert trait(page, "look")["zoom"] * 100 > 2 * float(before.split()[0])
        fingers(touch, "touchStart", (x - 40, y))
        for step in range(8):
            fingers(touch, "touchMove", (x - 40 + 10 * step, y))
        fingers(touch, "touchEnd")
        rest(page)
        assert [deed["op"] for deed in told(page)] == ["stroke"] and ink(page, x, y)[3] == 255
        assert context.errors == []
