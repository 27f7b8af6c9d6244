"""Masks drawn by operations: each pixel against the shapes, one more stroke on a large picture, and bad lists in words."""

import json
import time

import numpy
import pytest

from core.base.errors import ConfigError, DatasetError
from core.dataset.images.mask_edits import Drawing, as_values, digest_of, draw, read_operations
from core.dataset.images.mask_operations import Sources
from core.dataset.images.masks import at_place, combine, empty_mask, feather, grow, harden, invert, polygon, rectangle, stroke

SIZE = (120, 80)


def ops(*values):
    return read_operations(json.dumps(list(values)))


RECTANGLE = {"op": "rectangle", "from": [10, 10], "to": [60.5, 50]}
STROKE = {"op": "stroke", "points": [[20, 20], [90, 60]], "width": 12}
TRIANGLE = {"op": "polygon", "points": [[0, 0], [119, 10], [50, 79]]}


@pytest.mark.parametrize(("operation", "wanted"), [
    (RECTANGLE, rectangle(SIZE, (10, 10), (60.5, 50))), (STROKE, stroke(SIZE, [(20, 20), (90, 60)], 12)),
    (TRIANGLE, polygon(SIZE, [(0, 0), (119, 10), (50, 79)])),
    ({"op": "place", "place": "top-right", "width": 30, "height": 25}, at_place(SIZE, "top-right", 30, 25)),
    ({"op": "rectangle", "from": [500, 500], "to": [900, 900]}, empty_mask(SIZE)),
    ({"op": "stroke", "points": [[-30, 40]], "width": 20}, empty_mask(SIZE)),
    ({"op": "stroke", "points": [[-5, 40]], "width": 40}, stroke(SIZE, [(-5, 40)], 40))])
def test_each_shape_is_drawn_as_if_over_the_whole_picture(operation, wanted):
    assert (draw(SIZE, ops(operation)) == wanted).all()
    half = {"op": "rectangle", "from": [0, 0], "to": [60, 80]}
    other = rectangle(SIZE, (0, 0), (60, 80))
    for how in ("add", "subtract", "intersect"):
        assert (draw(SIZE, ops(half, {**operation, "how": how})) == combine(other, wanted, how)).all(), how


def test_changes_work_on_the_whole_mask_in_their_order():
    mask = rectangle(SIZE, (10, 10), (60.5, 50))
    for change, act in (({"op": "invert"}, invert), ({"op": "grow", "pixels": 5}, lambda m: grow(m, 5)),
                        ({"op": "grow", "pixels": -3}, lambda m: grow(m, -3)),
                        ({"op": "feather", "pixels": 7.5}, lambda m: feather(m, 7.5)),
                        ({"op": "threshold", "value": 200}, lambda m: harden(m, 200)), ({"op": "clear"}, lambda m: empty_mask(SIZE)),
                        ({"op": "clear", "whole": True}, lambda m: empty_mask(SIZE, 255))):
        assert (draw(SIZE, ops(RECTANGLE, change)) == act(mask)).all(), change
    ring = draw(SIZE, ops(RECTANGLE, {"op": "rectangle", "from": [20, 20], "to": [30, 30], "how": "subtract"}, {"op": "fill"}))
    assert (ring == mask).all()


class Two(Sources):
    """A mask that is kept, and a model that finds the square around the first point."""

    def given(self, name, size):
        return rectangle(size, (0, 0), (20, 20)) if name == "0123456789abcdef" else super().given(name, size)

    def segment(self, model, prompt, size):
        x, y, _ = prompt.points[0]
        return rectangle(size, (x - 5, y - 5), (x + 5, y + 5))


def test_masks_of_models_stand_in_the_list():
    clicked = {"op": "segment", "model": "mobile-sam", "points": [[50, 40, True], [10, 10, False]], "box": [40, 30, 60, 50]}
    made = draw(SIZE, ops({"op": "given", "name": "0123456789abcdef"}, clicked), Two())
    assert made.sum() / 255 == 400 + 100
    with pytest.raises(DatasetError, match="'fedcba9876543210' is not kept"):
        draw(SIZE, ops({"op": "given", "name": "fedcba9876543210"}), Two())
    with pytest.raises(DatasetError, match="No picture is shown"):
        draw(SIZE, ops(clicked))


def test_undo_leaves_out_the_last_and_what_is_drawn_step_by_step_is_the_same():
    generator, operations, drawing = numpy.random.default_rng(5), [], Drawing(SIZE)
    for number in range(14):
        x, y = generator.integers(0, 120, 2).tolist()
        operations.append([{"op": "stroke", "points": [[x, y], [y, x]], "width": 9, "how": ("add", "subtract")[number % 3 == 2]},
                           {"op": "rectangle", "from": [x, y], "to": [x + 30, y + 20]}, {"op": "invert"},
                           {"op": "feather", "pixels": 2}][number % 4])
        assert (drawing.draw(ops(*operations)) == draw(SIZE, ops(*operations))).all()
    while operations:
        operations.pop()
        assert (drawing.draw(ops(*operations)) == draw(SIZE, ops(*operations))).all()
    assert not drawing.draw(()).any()


def test_a_list_is_written_and_read_again():
    operations = ops(RECTANGLE, STROKE, TRIANGLE, {"op": "segment", "model": "sam2.1-tiny", "points": [[1, 2, True]]})
    assert read_operations(as_values(operations)) == operations and json.loads(json.dumps(as_values(operations)))[0] == {
        "op": "rectangle", "how": "add", "from": [10, 10], "to": [60.5, 50]}
    assert digest_of(operations) != digest_of(operations[:-1]) and len(digest_of(operations)) == 16


@pytest.mark.parametrize(("bad", "words"), [
    ([{"op": "spray"}], "Operation 1 is called 'spray'. Known: 'stroke', 'rectangle'"),
    ([RECTANGLE, {"points": []}], "Operation 2 is called None"),
    ([RECTANGLE, {"op": "stroke", "points": [], "width": 3}], r"Operation 2 \(stroke\): points is \[\]: "),
    ([{"op": "stroke", "points": [[1, 2]], "width": 0}], r"Operation 1 \(stroke\): width is 0: input should be greater than 0"),
    ([{"op": "stroke", "points": [[1, float("inf")]], "width": 3}], r"Operation 1 \(stroke\): points.0.1 is inf"),
    ([{"op": "rectangle", "from": [1, 2]}], r"Operation 1 \(rectangle\): to is .+: field required"),
    ([{"op": "invert", "colour": "red"}], r"Operation 1 \(invert\): colour is 'red': extra"),
    ([{"op": "given", "name": "../../x"}], r"Operation 1 \(given\): name is '../../x'"),
    ([{"op": "grow", "pixels": 9999}], r"Operation 1 \(grow\): pixels is 9999"),
    (["invert"], "Operation 1"), ({"op": "invert"}, "The list of operations"), ([{"op": "invert"}] * 5001, "The list of operations")])
def test_a_wrong_list_is_refused_with_the_place(bad, words):
    with pytest.raises(ConfigError, match=words):
        read_operations(json.dumps(bad))
    with pytest.raises(ConfigError, match="The list of operations"):
        read_operations("[{")


@pytest.mark.slow
def test_one_more_stroke_on_a_large_picture_is_quick():
    """Measured on two cores: 0.03 s; without what is kept it grows with every operation."""
    size = (4000, 6000)
    drawing, operations = Drawing(size), [{"op": "stroke", "points": [[x, 50], [4000 - x, 5900]], "width": 80} for x in range(0, 4000, 400)]
    drawing.draw(ops(*operations))
    took = []
    for number in range(5):
        operations.append({"op": "stroke", "points": [[1000 + 9 * step, 2000 + 300 * number + step] for step in range(60)], "width": 60})
        begun = time.perf_counter()
        drawing.draw(ops(*operations))
        took.append(time.perf_counter() - begun)
    assert sorted(took)[2] < 0.3, took
