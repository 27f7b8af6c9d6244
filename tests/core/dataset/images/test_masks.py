"""Masks: each operation against what is meant by it, pixel by pixel."""

import numpy
import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.dataset.images.masks import (
    at_place,
    combine,
    empty_mask,
    feather,
    grow,
    harden,
    invert,
    polygon,
    read_mask,
    rectangle,
    share,
    stroke,
    with_alpha,
)

SIZE = (60, 40)


def noise(seed=1):
    return numpy.random.default_rng(seed).integers(0, 256, (40, 60)).astype(numpy.uint8)


def reference_grown(mask, radius):
    """The largest value within the disc, looked for one pixel after another."""
    height, width = mask.shape
    reach = [(y, x) for y in range(-radius, radius + 1) for x in range(-radius, radius + 1) if y * y + x * x <= (radius + 0.5) ** 2]
    return numpy.array([[max(mask[y + dy, x + dx] for dy, dx in reach if 0 <= y + dy < height and 0 <= x + dx < width)
                         for x in range(width)] for y in range(height)])


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_growing_takes_the_largest_within_a_disc_also_of_grey(radius):
    mask = noise()[:14, :20]
    assert (grow(mask, radius) == reference_grown(mask, radius)).all()


@pytest.mark.parametrize("radius", [6, 7, 11, 20])
def test_hard_masks_grow_by_distances_to_the_same_pixels(radius):
    mask = numpy.where(noise(3) > 252, 255, 0).astype(numpy.uint8)
    assert (grow(mask, radius) == reference_grown(mask, radius)).all()
    grey = mask.copy()
    grey[0, 0] = 1  # a grey pixel anywhere: grown row by row
    assert (numpy.where(grow(grey, radius) == 255, 255, 0) == grow(mask, radius)).all()
    assert (grow(255 - mask, -radius) == 255 - grow(mask, radius)).all() and not grow(empty_mask(SIZE), radius).any()


@pytest.mark.parametrize("radius", [1, 3, 9])
def test_a_point_grows_to_a_disc_and_shrinks_away(radius):
    mask = empty_mask((61, 61))
    mask[30, 30] = 255
    grown = grow(mask, radius)
    assert grown.sum() // 255 == (reference_grown(mask[20:41, 20:41], radius) > 0).sum()
    assert (grow(grown, -radius) == mask).all() and not grow(mask, -1).any()


def test_the_border_is_no_edge_and_nothing_is_changed_in_place():
    full = empty_mask(SIZE, 255)
    assert (grow(full, -5) == 255).all() and (grow(full, 500) == 255).all()
    mask = noise()
    kept = mask.copy()
    for act in (lambda: grow(mask, 2), lambda: grow(mask, 0), lambda: feather(mask, 3), lambda: invert(mask), lambda: harden(mask),
                lambda: combine(mask, mask, "subtract")):
        made = act()
        made[:] = 7
        assert (mask == kept).all()


def test_threshold_and_inversion():
    mask = numpy.array([[0, 127, 128, 255]], dtype=numpy.uint8)
    assert harden(mask).tolist() == [[0, 0, 255, 255]] and harden(mask, 1).tolist() == [[0, 255, 255, 255]]
    assert invert(mask).tolist() == [[255, 128, 127, 0]]


def test_masks_are_added_subtracted_and_intersected():
    one, other = rectangle(SIZE, (0, 0), (30, 40)), rectangle(SIZE, (20, 0), (60, 40))
    assert share(combine(one, other, "add")) == 1 and share(combine(one, other, "intersect")) == pytest.approx(10 / 60)
    assert share(combine(one, other, "subtract")) == pytest.approx(20 / 60)
    with pytest.raises(DatasetError, match="60 x 40"):
        combine(one, empty_mask((40, 60)), "add")


@pytest.mark.parametrize(("place", "box"), [("top-left", (0, 0, 15, 8)), ("bottom-right", (45, 32, 60, 40)),
                                            ("center", (22.5, 16, 37.5, 24)),
                                            ("bottom", (22.5, 32, 37.5, 40)), ("right", (45, 16, 60, 24))])
def test_watermarks_stand_at_their_place(place, box):
    mask = at_place(SIZE, place, 25, 20)
    rows, columns = numpy.nonzero(mask > 127)
    assert share(mask) == pytest.approx(0.05, abs=0.003)
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == pytest.approx(box, abs=1)


def test_shapes_have_soft_slanted_edges_and_lie_where_they_were_drawn():
    triangle = polygon(SIZE, [(0, 0), (60, 0), (0, 40)])
    assert share(triangle) == pytest.approx(0.5, abs=0.01) and len(numpy.unique(triangle)) > 3
    assert triangle[2, 2] == 255 and triangle[37, 57] == 0
    assert not polygon(SIZE, [(0, 0), (10, 10)]).any()
    dot = stroke(SIZE, [(30, 20)], 20)
    assert dot.sum() / 255 == pytest.approx(numpy.pi * 100, rel=0.03) and dot[20, 30] == 255 and dot[20, 41] == 0
    line = stroke(SIZE, [(10, 20), (50, 20)], 6)
    assert line.sum() / 255 == pytest.approx(40 * 6 + numpy.pi * 9, rel=0.05)
    outside = rectangle(SIZE, (-100, -100), (1000, 1000))
    assert (outside == 255).all()


def test_a_feathered_edge_is_soft_and_keeps_the_amount():
    mask = rectangle(SIZE, (20, 10), (40, 30))
    soft = feather(mask, 6)
    assert share(soft) == pytest.approx(share(mask), rel=0.02) and 60 < soft[20, 20] < 200 and soft[20, 30] > 250


def test_a_mask_file_is_brought_to_its_pictures_size_and_a_foreign_one_refused(tmp_path):
    Image.fromarray(rectangle(SIZE, (0, 0), (30, 40))).save(tmp_path / "a_mask.png")
    assert share(read_mask(tmp_path / "a_mask.png", (120, 80))) == pytest.approx(0.5, abs=0.02)
    with pytest.raises(DatasetError, match="60 x 40 pixels, its picture 100 x 100"):
        read_mask(tmp_path / "a_mask.png", (100, 100))
    see_through = Image.new("RGBA", SIZE, (255, 255, 255, 0))
    see_through.save(tmp_path / "b_mask.png")
    assert share(read_mask(tmp_path / "b_mask.png", SIZE)) == 0


def test_transparency_is_the_mask_over_what_was_transparent_before():
    image = Image.new("RGBA", SIZE, (10, 200, 30, 100))
    made = with_alpha(image, rectangle(SIZE, (0, 0), (30, 40)))
    alpha = numpy.array(made.getchannel("A"))
    assert made.getpixel((5, 5)) == (10, 200, 30, 100) and (alpha[:, 31:] == 0).all()
    with pytest.raises(DatasetError, match="of one size"):
        with_alpha(image, empty_mask((5, 5)))
