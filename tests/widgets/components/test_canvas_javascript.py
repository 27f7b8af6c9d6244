"""The canvas's pure JavaScript, run in node: where a point lies, what a crop box becomes, what is told and told again."""

import json
import math
from functools import partial
from itertools import pairwise

import pytest

from tests.widgets.components.node import NODE, evaluated

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")
BIG, STAGE = "{width: 4000, height: 6000}", "{width: 1000, height: 700}"


@pytest.fixture
def js():
    """The value of an expression in which the module's exports are in reach as `m`."""
    return partial(evaluated, "canvas")


def test_a_point_of_the_stage_and_the_same_point_of_the_picture_are_one_at_every_zoom(js):
    found = js(f"""[0.05, 0.1, 1, 7.5, 32].map(scale => {{
      const view = m.held({{x: 1234.5, y: 4321, scale}}, {BIG}, {STAGE});
      return m.toStage(view, {STAGE}, m.toPicture(view, {STAGE}, 17, 611)); }})""")
    assert all(point == pytest.approx([17, 611], abs=1e-6) for point in found)


def test_zooming_leaves_the_picture_under_the_pointer(js):
    found = js(f"""(() => {{ let view = m.fitted({BIG}, {STAGE});
      const at = m.toPicture(view, {STAGE}, 480, 300);
      for (const scale of [0.2, 0.5, 4, 1]) view = m.zoomed(view, {BIG}, {STAGE}, scale, 480, 300);
      return [at, m.toPicture(view, {STAGE}, 480, 300)]; }})()""")
    assert found[1] == pytest.approx(found[0], abs=0.01)


def test_the_picture_never_leaves_the_stage(js):
    far = js(f"m.panned({{x: 2000, y: 3000, scale: 2}}, {BIG}, {STAGE}, 1e6, -1e6)")
    assert js(f"m.toStage({json.dumps(far)}, {STAGE}, [0, 6000])") == [500, 350]
    whole = {"x": 2000, "y": 3000, "scale": (700 - 28) / 6000}
    assert js(f"m.panned(m.fitted({BIG}, {STAGE}), {BIG}, {STAGE}, 500, 500)") == pytest.approx(whole)


@pytest.mark.parametrize("rect", [(8, 50, 1000, 700), (-300, -200.5, 500, 350), (0, 0, 1500, 700)])
def test_a_click_is_found_where_the_page_was_scrolled_or_scaled(js, rect):
    left, top, width, height = rect
    box = json.dumps({"left": left, "top": top, "width": width, "height": height})
    assert js(f"m.localPlace({box}, {STAGE}, {left + 0.25 * width}, {top + 0.5 * height})") == pytest.approx([250, 350])


def test_the_wheel_is_the_same_way_for_lines_and_pixels_and_never_jumps(js):
    assert js("[m.wheelFactor(-100, 0, false) > 1, m.wheelFactor(3, 1, false) < 1]") == [True, True]
    assert js("m.wheelFactor(-1e9, 0, false)") < 2 and js("m.wheelFactor(-1e9, 0, true)") == pytest.approx(math.exp(3))
    assert js("m.wheelFactor(100, 0, false) * m.wheelFactor(-100, 0, false)") == pytest.approx(1)


def test_a_line_keeps_only_the_points_that_matter(js):
    assert js("m.simplified([[0, 0], [1, 0.1], [2, -0.1], [3, 0], [3, 5]], 0.45)") == [[0, 0], [3, 0], [3, 5]]
    circle = "Array.from({length: 721}, (_, n) => [500 + 300 * Math.cos(n * Math.PI / 360), 500 + 300 * Math.sin(n * Math.PI / 360)])"
    kept = js(f"m.simplified({circle}, 0.45)")
    assert len(kept) < 100
    for step in range(721):  # half way between two kept points the way is never further off than the tolerance
        point = (500 + 300 * math.cos(step * math.pi / 360), 500 + 300 * math.sin(step * math.pi / 360))
        assert min(away(point, a, b) for a, b in pairwise(kept)) <= 0.46
    told = js("m.toldStroke([[1.23456, 2], [1.23456, 2]], 33.3333, 'add')")
    assert told == {"op": "stroke", "points": [[1.23, 2], [1.23, 2]], "width": 33.33, "how": "add"}


def away(point, a, b) -> float:
    (x, y), (ax, ay), (bx, by) = point, a, b
    length = (bx - ax) ** 2 + (by - ay) ** 2
    share = max(0, min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length)) if length else 0
    return math.hypot(x - ax - share * (bx - ax), y - ay - share * (by - ay))


def test_a_sharper_part_is_wished_for_only_where_the_preview_is_not_enough(js):
    seen, around = "[1000, 1000, 1400, 1400]", "[900, 900, 1500, 1500]"
    wish = js(f"m.wishFor({{}}, 3, {seen}, {around}, 4, 0.34)")
    assert wish == {"version": 3, "box": [900, 900, 1500, 1500], "scale": 1}
    assert js(f"m.wishFor({json.dumps(wish)}, 3, [950, 950, 1350, 1350], [0, 0, 9, 9], 4, 0.34)") == wish
    assert js(f"m.wishFor({json.dumps(wish)}, 3, [800, 950, 1350, 1350], [1, 1, 9, 9], 4, 0.34)")["box"] == [1, 1, 9, 9]
    assert js(f"m.wishFor({json.dumps(wish)}, 4, {seen}, {around}, 4, 0.34)")["version"] == 4
    assert js(f"[m.wishFor({json.dumps(wish)}, 3, {seen}, {around}, 0.3, 0.34), m.wishFor({{}}, 3, {seen}, {around}, 8, 1)]") == [{}, {}]


def test_a_crop_box_moves_and_stays_inside(js):
    assert js(f"m.movedBox([10, 20, 110, 220], -50, 30.4, {BIG})") == [0, 50, 100, 250]
    assert js(f"m.movedBox([10, 20, 110, 220], 9e9, 9e9, {BIG})") == [3900, 5800, 4000, 6000]
    assert js(f"m.nudgedBox([10, 20, 110, 220], 'ArrowLeft', 10, false, {BIG}, 0, 16)") == [0, 20, 100, 220]
    assert js(f"m.nudgedBox([10, 20, 110, 220], 'ArrowRight', 1, true, {BIG}, 0, 16)") == [10, 20, 111, 220]


@pytest.mark.parametrize("handle", [[-1, -1], [1, 1], [0, 1], [1, 0], [1, -1]])
@pytest.mark.parametrize("ratio", [0, 1, 2 / 3, 16 / 9])
def test_a_resized_box_keeps_its_ratio_its_least_side_and_the_picture(js, handle, ratio):
    for to in ([-500, 9000], [2000, 3000], [1001, 1001], [3999, 20]):
        left, top, right, bottom = js(f"m.resizedBox([1000, 1000, 1600, 1900], {handle}, {to}, {BIG}, {ratio}, 64)")
        assert 0 <= left < right <= 4000 and 0 <= top < bottom <= 6000
        assert right - left >= 63 and bottom - top >= 63
        if ratio:
            assert (right - left) / (bottom - top) == pytest.approx(ratio, rel=0.03)


def test_a_new_box_goes_in_the_direction_of_the_hand(js):
    assert js(f"m.drawnBox([500, 500], [100, 300], {BIG}, 0, 16)") == [100, 300, 500, 500]
    assert js(f"m.drawnBox([500, 500], [100, 300], {BIG}, 1, 16)") == [100, 100, 500, 500]
    assert js(f"m.largestBox({BIG}, 1)") == [0, 1000, 4000, 5000]
    left, top, right, bottom = js(f"m.reshapedBox([0, 0, 1000, 1000], {BIG}, 4)")
    assert (right - left) / (bottom - top) == pytest.approx(4) and right - left == 2000 and left == 0
    assert js("m.drawnBox([0, 0], [1, 1], {width: 5, height: 3}, 0, 16)") == [0, 0, 5, 3]


def test_a_box_is_taken_hold_of_at_its_corners_sides_and_inside(js):
    box = "[100, 100, 300, 400]"
    assert js(f"[[100, 100], [304, 250], [200, 250], [200, 404], [350, 450]].map(p => m.grip({box}, p, 10))") == [
        [-1, -1], [1, 0], "inside", [0, 1], None]
    assert js("m.grip([100, 100, 112, 112], [106, 106], 24)") == "inside"
    assert js("m.grip([], [1, 1], 10)") is None


def test_deeds_are_told_again_until_they_are_heard(js):
    found = js("""(() => { const sent = [], timers = [];
      const clock = {set: (act, wait) => { timers.push([act, wait]); return timers.length; }, clear: () => {}};
      const deeds = new m.Deeds((list) => sent.push(list.map(([n]) => n)), clock);
      deeds.tell({kind: 'undo'}); deeds.tell({kind: 'redo'});
      const again = () => timers.at(-1)[0]();
      again(); again(); deeds.heard(1); again(); deeds.heard(2); deeds.leave();
      return {sent, waits: timers.map(([, wait]) => wait), left: deeds.unheard.length}; })()""")
    assert found["sent"] == [[1], [2], [1, 2], [1, 2], [2]] and found["left"] == 0
    assert found["waits"][:4] == [2000, 2000, 4000, 8000]


def test_what_is_over_the_mask_is_never_drawn_twice(js):
    assert js("m.joined([{key: 'a'}, {key: 'b'}], [{key: 'b'}, {key: 'c'}]).map(one => one.key)") == ["a", "b", "c"]
    assert js("[m.sameKeys([{key: 'a'}], [{key: 'a'}]), m.sameKeys([{key: 'a'}], [])]") == [True, False]


def test_a_modifier_turns_the_way_of_a_tool_round(js):
    assert js("['add', 'subtract'].map(how => [m.wayOf(how, false), m.wayOf(how, true)])") == [["add", "subtract"], ["subtract", "add"]]
    assert js("[m.wayOf('intersect', false), m.wayOf('intersect', true)]") == ["intersect", "intersect"]


def test_keys_mean_the_same_in_every_mode(js):
    command = "[{key: 'z', ctrlKey: true}, {key: 'Z', ctrlKey: true, shiftKey: true}, {key: 'y', metaKey: true}, {key: 's', ctrlKey: true}]"
    others = "[{key: '+'}, {key: '0'}, {key: '1'}, {key: '['}, {key: 'z', ctrlKey: true, altKey: true}, {key: '+', altKey: true}]"
    assert js(f"{command}.map(m.keyWish)") == ["undo", "redo", "redo", "save"]
    assert js(f"{others}.map(m.keyWish)") == ["in", "fit", "whole", "thinner", None, None]


def test_the_brush_grows_and_shrinks_by_whole_pixels(js):
    assert js("[[1, false], [1, true], [100, true], [499, true]].map(([width, up]) => m.nextWidth(width, up, 500))") == [1, 2, 120, 500]
    assert js("[1, 7, 40, 4000].map(width => m.widthAt(m.placeOf(width, 4000), 4000))") == [1, 7, 40, 4000]


def test_the_line_between_before_and_after_runs_over_what_is_seen(js):
    assert js(f"m.splitPlace(m.fitted({BIG}, {STAGE}), {BIG}, {STAGE}, 0.5).x") == 500
    assert js(f"m.splitPlace({{x: 2000, y: 3000, scale: 4}}, {BIG}, {STAGE}, 0.25).x") == 250
    assert js("['ArrowLeft', 'ArrowRight', 'End', 'PageUp', 'x'].map(key => m.splitAfter(key, 0.5, false))") == [0.48, 0.52, 1, 0.6, None]


def test_two_fingers_move_and_zoom_at_once(js):
    found = js("m.pinched([[0, 0], [100, 0]], [[10, 0], [210, 0]])")
    assert found == {"factor": 2, "right": 60, "down": 0, "x": 110, "y": 0}


def test_every_mode_says_how_it_is_used_with_and_without_a_hand(js):
    assert "Space presses" in js("m.instructions('brush')") and "Enter confirms" in js("m.instructions('crop')")
    assert "Space presses" not in js("m.instructions('look')")


def test_zoom_is_said_in_few_figures(js):
    assert js("[0.034, 0.4, 1, 31.996].map(m.percent)") == ["3.4 %", "40 %", "100 %", "3200 %"]


def test_a_browser_that_does_not_tell_pixels_of_the_screen_has_them_worked_out(js):
    rect = "contentRect: {width: 333.3, height: 480}"
    assert js(f"m.stageOf({{{rect}}}, 1.5)") == {"width": 333.3, "height": 480, "across": 500, "down": 720}
    told = "devicePixelContentBoxSize: [{inlineSize: 501, blockSize: 721}]"
    assert js(f"m.stageOf({{{rect}, {told}}}, 1.5)")["across"] == 501
