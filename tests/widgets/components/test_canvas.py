"""The canvas's Python side: what it takes from the browser, in which order, and what it refuses."""

import pytest
import traitlets

from widgets.components.canvas import MOST_VIEWERS, Canvas
from widgets.components.canvas_deeds import Deed, Wanted

SIZE = (400, 600)


@pytest.fixture
def told() -> list[Deed]:
    return []


@pytest.fixture
def canvas(told) -> Canvas:
    made = Canvas(told.append)
    made.show(b"picture", SIZE, caption="a.png, 400 × 600")
    return made


def stroke(canvas, number=1, viewer="one", **changes):
    given = {"kind": "stroke", "op": "stroke", "points": [[1, 2], [30.5, 40]], "width": 9, "how": "add", "sheet": canvas.shown["sheet"],
             "key": f"{viewer}:{number}", **changes}
    return [number, given]


def send(canvas, *deeds, viewer="one"):
    canvas._heard(canvas, {"kind": "deeds", "viewer": viewer, "deeds": list(deeds)}, [])


def wish(canvas, number, kind, viewer="one"):
    return [number, {"kind": kind, "sheet": canvas.shown["sheet"], "key": f"{viewer}:{number}"}]


def test_a_stroke_is_told_as_an_operation_on_a_mask(canvas, told):
    send(canvas, stroke(canvas))
    assert [deed.operation for deed in told] == [{"op": "stroke", "points": [[1, 2], [30.5, 40]], "width": 9, "how": "add"}]
    assert canvas.drawn == [{**told[0].operation, "key": "one:1"}] and canvas.heard == {"one": 1} and canvas.count == 1


def test_rectangles_polygons_and_crops_carry_their_fields(canvas, told):
    sheet = {"sheet": canvas.shown["sheet"]}
    send(canvas, [1, {"kind": "rectangle", "first": [9, 9], "second": [1, 2], "how": "subtract", **sheet, "key": "one:1"}],
         [2, {"kind": "polygon", "points": [[0, 0], [9, 0], [0, 9]], "how": "intersect", **sheet, "key": "one:2"}],
         [3, {"kind": "crop", "box": [10, 20, 110, 220], **sheet}])
    assert told[0].operation == {"op": "rectangle", "first": [9, 9], "second": [1, 2], "how": "subtract"}
    assert told[1].operation == {"op": "polygon", "points": [[0, 0], [9, 0], [0, 9]], "how": "intersect"}
    assert (told[2].kind, told[2].fields, told[2].is_operation) == ("crop", {"box": [10, 20, 110, 220]}, False)


def test_what_is_told_again_is_taken_once_and_what_comes_too_early_waits_for_its_turn(canvas, told):
    first, second, third = (stroke(canvas, number) for number in (1, 2, 3))
    send(canvas, third)
    assert told == [] and canvas.heard == {}
    send(canvas, first, second, third)
    send(canvas, second, third)
    assert [deed.number for deed in told] == [1, 2, 3] and canvas.heard == {"one": 3}


def test_two_views_count_for_themselves(canvas, told):
    send(canvas, stroke(canvas, 1, "one"))
    send(canvas, stroke(canvas, 1, "two"), viewer="two")
    assert len(told) == 2 and canvas.heard == {"one": 1, "two": 1}
    for number in range(2 * MOST_VIEWERS):
        send(canvas, wish(canvas, 1, "save", f"v{number}"), viewer=f"v{number}")
    assert len(canvas.heard) == MOST_VIEWERS and f"v{2 * MOST_VIEWERS - 1}" in canvas.heard


def test_a_stroke_on_a_picture_that_is_gone_is_heard_and_not_done(canvas, told):
    late = stroke(canvas)
    canvas.show(b"other", SIZE)
    send(canvas, late)
    assert told == [] and canvas.drawn == [] and canvas.heard == {"one": 1}


def test_another_version_of_the_same_picture_keeps_mask_view_and_marks(canvas, told):
    send(canvas, stroke(canvas))
    canvas.crop, canvas.look = [1, 2, 30, 40], {"zoom": 2, "x": 5, "y": 6}
    canvas.show(b"upscaled", SIZE, before=b"picture", same=True)
    assert len(canvas.drawn) == 1 and canvas.crop == [1, 2, 30, 40] and canvas.look["zoom"] == 2 and canvas.shown["before"] == b"picture"
    send(canvas, stroke(canvas, 2))
    assert len(told) == 2
    canvas.show(b"other", SIZE)
    assert canvas.drawn == [] and canvas.crop == [] and canvas.look == {} and canvas.marked["crop"] == []
    with pytest.raises(ValueError, match="400 x 600, but is 800 x 1200"):
        canvas.show(b"larger", (800, 1200), same=True)
    with pytest.raises(ValueError, match="0 x 5"):
        canvas.show(b"", (0, 5))


def test_an_overlay_takes_the_place_of_what_is_in_it_and_of_nothing_else(canvas):
    send(canvas, stroke(canvas, 1), stroke(canvas, 2))
    number = canvas.count
    send(canvas, stroke(canvas, 3))
    canvas.show_overlay(b"mask", number, box=[0, 0, 10, 10], sharp=b"part")
    assert [one["key"] for one in canvas.drawn] == ["one:3"] and canvas.overlay["mask"] == b"mask" and canvas.overlay["sharp"] == b"part"
    canvas.show_overlay(b"mask")
    assert canvas.drawn == [] and canvas.overlay["sharp"] == b"" and canvas.overlay["count"] == 3


def test_undo_redo_and_save_come_in_their_order_among_strokes(canvas, told):
    send(canvas, stroke(canvas, 1), wish(canvas, 2, "undo"), wish(canvas, 3, "redo"), wish(canvas, 4, "save"))
    assert [deed.kind for deed in told] == ["stroke", "undo", "redo", "save"] and [deed.number for deed in told] == [1, 2, 3, 4]


@pytest.mark.parametrize("changes", [{"kind": "erase all"}, {"how": "multiply"}, {"points": []}, {"how": "intersect"},
                                     {"points": [[1, "2"]]},
                                     {"points": [[1, float("nan")]]}, {"points": None}, {"width": 0},
                                     {"width": float("inf")}, {"width": True}])
def test_what_is_no_operation_is_not_told(canvas, told, changes):
    send(canvas, stroke(canvas, **changes))
    assert told == [] and canvas.drawn == [] and canvas.heard == {"one": 1}


def test_points_are_brought_inside_the_picture(canvas, told):
    send(canvas, stroke(canvas, points=[[-5, 700], [500, -1]]))
    assert told[0].fields["points"] == [[0, 600], [400, 0]]


def test_a_locked_canvas_does_nothing_and_says_that_it_heard(canvas, told):
    canvas.locked = True
    send(canvas, stroke(canvas))
    assert told == [] and canvas.drawn == [] and canvas.heard == {"one": 1}


def test_a_deed_is_told_when_everything_about_it_is_known(canvas, told):
    seen = []
    canvas._told = lambda deed: seen.append((deed.number, canvas.count, len(canvas.drawn)))
    send(canvas, stroke(canvas))
    assert seen == [(1, 1, 1)]


def mark(canvas, **marks):
    canvas.marked = {"sheet": canvas.shown["sheet"], "points": [], "box": [], "crop": [], **marks}


def test_points_and_boxes_of_the_browser_become_traits_that_are_observed(canvas):
    seen = []
    canvas.observe(lambda change: seen.append((change["name"], change["new"])), ["points", "box", "crop"])
    mark(canvas, points=[[1.5, 2, 1], [500, 3, 0], [1, 2], "x"], box=[5, 6, 50, 60], crop=[0, 0, 9999, 10])
    assert dict(seen) == {"points": [[1.5, 2, 1], [400, 3, 0]], "box": [5, 6, 50, 60], "crop": [0, 0, 400, 10]}
    mark(canvas, box=[50, 6, 5, 60])
    assert canvas.box == [] and canvas.points == []


def test_marks_set_by_the_panel_reach_the_browser_and_those_of_a_picture_that_is_gone_do_not_come_back(canvas):
    canvas.crop = [1, 2, 30, 40]
    assert canvas.marked == {"sheet": canvas.shown["sheet"], "points": [], "box": [], "crop": [1, 2, 30, 40]}
    late = dict(canvas.marked)
    canvas.show(b"other", SIZE)
    canvas.marked = late
    assert canvas.crop == [] and canvas.marked == {"sheet": canvas.shown["sheet"], "points": [], "box": [], "crop": []}


def test_a_sharper_part_is_asked_for_once_it_is_wished_and_put_only_over_its_picture():
    asked = []
    canvas = Canvas(lambda deed: None, asked.append)
    canvas.show(b"picture", (4000, 6000))
    canvas.wanted = {"version": canvas.shown["version"], "box": [100, 200, 900, 1000], "scale": 0.5}
    assert asked == [Wanted(canvas.shown["version"], (100, 200, 900, 1000), 0.5)]
    assert asked[0].size == (400, 400) and canvas.wants == asked[0]
    canvas.show_region(asked[0], b"part", b"part before")
    assert canvas.region["picture"] == b"part" and canvas.region["box"] == [100, 200, 900, 1000]
    canvas.show(b"other", (4000, 6000))
    canvas.show_region(asked[0], b"late")
    assert canvas.region == {} and canvas.wants is None
    for version, scale in ((1, 1), (canvas.shown["version"], 7)):
        canvas.wanted = {"version": version, "box": [0, 0, 9, 9], "scale": scale}
    assert len(asked) == 1


def test_modes_and_widths_are_checked(canvas):
    with pytest.raises(traitlets.TraitError):
        canvas.mode = "spray"
    with pytest.raises(traitlets.TraitError):
        canvas.brush = 0
    canvas.show_nothing("This picture is damaged.")
    assert canvas.nothing == "This picture is damaged." and "picture" not in canvas.shown
