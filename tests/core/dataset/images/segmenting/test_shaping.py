"""Bringing masks into shape: each step against what is meant by it."""

import numpy
import pytest

from core.dataset.images.masks import empty_mask, rectangle, share
from core.dataset.images.segmenting.settings import ShapeSettings
from core.dataset.images.segmenting.shaping import filled, largest_part, shaped

SIZE = (60, 40)


def test_the_threshold_makes_it_hard_and_soft_leaves_it():
    mask = numpy.array([[0, 76, 77, 127, 128, 255]], dtype=numpy.uint8)
    assert shaped(mask, ShapeSettings()).tolist() == [[0, 0, 0, 0, 255, 255]]
    assert shaped(mask, ShapeSettings(threshold=30)).tolist() == [[0, 0, 255, 255, 255, 255]]
    soft = shaped(mask, ShapeSettings(edge="soft"))
    assert (soft == mask).all() and soft is not mask
    assert shaped(mask, ShapeSettings(edge="soft", invert=True)).tolist() == [[255, 179, 178, 128, 127, 0]]


def test_only_the_largest_part_stays_with_its_soft_edge():
    mask = numpy.maximum(rectangle(SIZE, (2.5, 2), (20, 20)), rectangle(SIZE, (40, 30), (44, 34)))
    kept = largest_part(mask)
    assert (kept[:, 30:] == 0).all() and kept[10, 2] == 128 and kept[10, 10] == 255
    diagonal = numpy.eye(6, dtype=numpy.uint8) * 255
    assert (largest_part(diagonal) == diagonal).all()
    assert not largest_part(empty_mask(SIZE)).any()
    faint_but_wide = numpy.maximum(rectangle(SIZE, (40, 30), (44, 34)), (rectangle(SIZE, (0, 0), (30, 30)) // 8))
    assert largest_part(faint_but_wide)[32, 42] == 255 and largest_part(faint_but_wide)[5, 5] == 0


def test_holes_are_filled_and_bays_are_not():
    ring = rectangle(SIZE, (10, 10), (30, 30))
    ring[15:25, 15:25] = 40
    bay = ring.copy()
    bay[18:20, 25:30] = 0
    assert share(filled(ring)) == pytest.approx(400 / 2400) and (filled(ring)[15:25, 15:25] == 255).all()
    assert (filled(bay) == bay).all()


def test_growing_and_softening_are_measured_in_pixels_or_percent():
    mask = rectangle(SIZE, (20, 10), (40, 30))
    grown = shaped(mask, ShapeSettings(grow=3))
    assert (shaped(mask, ShapeSettings(grow=5, unit="percent")) == grown).all() and grown[20, 17] == 255 and grown[20, 16] == 0
    assert shaped(mask, ShapeSettings(grow=-3))[20, 22] == 0
    assert 60 < shaped(mask, ShapeSettings(feather=10, unit="percent"))[20, 20] < 200
