"""Boxes: overlap by counted pixels, suppression against a plain double loop."""

import numpy
import pytest

from core.dataset.images.detecting.boxes import areas, gathered, overlaps, shared, strongest, within


def some_boxes(count, seed):
    rng = numpy.random.default_rng(seed)
    begin = rng.integers(0, 30, (count, 2))
    return numpy.concatenate([begin, begin + rng.integers(0, 20, (count, 2))], axis=1).astype(float)


def pixels(box):
    canvas = numpy.zeros((60, 60), dtype=bool)
    left, top, right, bottom = box.astype(int)
    canvas[top:bottom, left:right] = True
    return canvas


def test_overlap_is_what_counting_pixels_gives():
    one, other = some_boxes(12, 1), some_boxes(9, 2)
    for row, a in enumerate(one):
        for column, b in enumerate(other):
            both, either = (pixels(a) & pixels(b)).sum(), (pixels(a) | pixels(b)).sum()
            smaller = min(pixels(a).sum(), pixels(b).sum())
            assert overlaps(one, other)[row, column] == pytest.approx(both / either if either else 0)
            assert shared(one, other)[row, column] == pytest.approx(both / smaller if smaller else 0)


def plainly(boxes, scores, same):
    kept = []
    for place in sorted(range(len(boxes)), key=lambda one: -scores[one]):
        if all(overlaps(boxes[[place]], boxes[[other]])[0, 0] <= same for other in kept):
            kept.append(place)
    return kept


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("same", [0.0, 0.3, 0.7])
def test_the_strongest_are_those_that_a_plain_loop_keeps(seed, same):
    boxes, scores = some_boxes(60, seed), numpy.random.default_rng(seed).random(60)
    assert strongest(boxes, scores, same) == plainly(boxes, scores, same)


def test_no_boxes_are_no_trouble_and_there_is_a_most():
    none = numpy.empty((0, 4))
    assert strongest(none, numpy.empty(0)) == [] and gathered(none) == [] and areas(none).tolist() == []
    apart = numpy.array([[place * 10, 0, place * 10 + 5, 5] for place in range(20)], dtype=float)
    assert strongest(apart, numpy.arange(20), most=3) == [19, 18, 17]


def test_a_box_within_another_is_the_same_thing_where_asked():
    boxes = numpy.array([[0, 0, 100, 100], [20, 20, 50, 50]], dtype=float)
    assert strongest(boxes, numpy.array([0.9, 0.8])) == [0, 1] and strongest(boxes, numpy.array([0.9, 0.8]), contained=True) == [0]


def test_heaps_are_counted_and_their_middle_is_taken():
    heap = numpy.array([[10, 10, 30, 30], [11, 10, 31, 30], [12, 10, 32, 30]], dtype=float)
    (first, votes), (second, alone) = gathered(numpy.concatenate([[[100, 100, 120, 120]], heap]))
    assert votes == 3 and first.tolist() == [11, 10, 31, 30] and alone == 1 and second.tolist() == [100, 100, 120, 120]


def test_what_lies_outside_the_picture_is_cut():
    assert within(numpy.array([[-5.0, -5, 300, 40]]), (200, 30)).tolist() == [[0, 0, 200, 30]]
