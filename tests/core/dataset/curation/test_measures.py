"""Measures of real photographs and of pictures whose right answer is known."""

import numpy
import pytest
from PIL import Image, ImageFilter

from core.dataset.curation.measures import LONGEST, measure
from tests.core.dataset.curation.photographs import photographs


def test_a_blurred_photograph_is_less_sharp_and_size_hardly_matters():
    photo = photographs()["coffee"]
    sharp, blurred = measure(photo).sharpness, measure(photo.filter(ImageFilter.GaussianBlur(3))).sharpness
    assert blurred < sharp / 10
    large = photo.resize((2 * LONGEST, LONGEST))
    halved = large.resize((LONGEST, LONGEST // 2), Image.Resampling.BOX)
    assert measure(large).sharpness == pytest.approx(measure(halved).sharpness, rel=0.05)


def test_a_portrait_before_a_blurred_background_is_sharp():
    photo = photographs()["astronaut"]
    background = photo.filter(ImageFilter.GaussianBlur(8))
    left, top = photo.width // 3, photo.height // 3
    background.paste(photo.crop((left, top, 2 * left, 2 * top)), (left, top))
    assert measure(background).sharpness > 5 * measure(photo.filter(ImageFilter.GaussianBlur(8))).sharpness


def test_flat_and_colourless_pictures_are_known():
    flat = measure(Image.new("RGB", (200, 100), (90, 90, 90)))
    assert (flat.flat, flat.colour, flat.sharpness, flat.bars) == (1.0, 0.0, 0.0, 0.0)
    photo = measure(photographs()["astronaut"])
    assert photo.flat < 0.3 and photo.colour > 20
    assert measure(photographs()["astronaut"].convert("L").convert("RGB")).colour == 0


@pytest.mark.parametrize(("size", "place", "share"), [((600, 500), (0, 50), 0.2), ((700, 400), (50, 0), 1 / 7),
                                                     ((700, 500), (50, 50), 0.314)])
def test_letterbox_pillarbox_and_frame_are_measured(size, place, share):
    framed = Image.new("RGB", size, (8, 8, 8))
    framed.paste(photographs()["coffee"].resize((600, 400)), place)
    assert measure(framed).bars == pytest.approx(share, abs=0.01)


def test_a_sky_that_fades_is_no_bar():
    rows = numpy.linspace(250, 60, 400, dtype=numpy.uint8)[:, None, None]
    assert measure(Image.fromarray(numpy.broadcast_to(rows, (400, 300, 3)).copy())).bars == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 1), (3, 3)])
def test_the_smallest_pictures_are_measured_too(size):
    assert all(numpy.isfinite(value) for value in measure(Image.new("RGB", size, (200, 10, 10))))
