"""Faces: cut out upright by their points or their box, and laid back where they were."""

import math

import numpy
import pytest
from PIL import Image

from core.dataset.images.enhancing.faces import SIDE, TEMPLATE, Place, cut_face, lay_face, place_of


def photo():
    from skimage import data

    return Image.fromarray(data.astronaut())


def turned(degrees, scale, left, top):
    a, b = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return Place(a, b, left, top)


def points_of(place):
    return [(place.a * u - place.b * v + place.left, place.b * u + place.a * v + place.top) for u, v in TEMPLATE]


@pytest.mark.parametrize("place", [turned(0, 0.3, 100, 20), turned(25, 0.5, 150, -10), turned(-80, 1.2, 30, 400)])
def test_points_that_were_turned_moved_and_scaled_are_found_again(place):
    found = place_of((0, 0, 1, 1), points_of(place))
    assert numpy.allclose([found.a, found.b, found.left, found.top], [place.a, place.b, place.left, place.top])
    assert math.isclose(found.side, SIDE * math.hypot(place.a, place.b))


def test_without_points_the_square_stands_around_the_box():
    place = place_of((100, 50, 180, 140), None)
    assert place.b == 0 and math.isclose(place.side, 1.56 * 90) and math.isclose(place.left + place.side / 2, 140)
    eyes_to_mouth = place.top + 0.596 * place.side
    assert math.isclose(eyes_to_mouth, 50 + 0.58 * 90)


@pytest.mark.parametrize("place", [turned(0, 0.4, 150, 20), turned(20, 0.35, 200, 30), turned(0, 1.0, 0, 0), turned(-15, 0.15, 100, 100)])
def test_what_is_cut_out_and_laid_back_leaves_the_picture_as_it_was(place):
    picture = photo()
    made = picture.copy()
    lay_face(made, cut_face(picture, place), place)
    error = numpy.abs(numpy.asarray(made).astype(int) - numpy.asarray(picture))
    assert error.mean() < 0.6 and numpy.percentile(error, 99.5) < 24


def test_a_restored_face_fades_out_and_leaves_the_rest_untouched():
    picture = Image.new("RGB", (400, 300), (50, 50, 50))
    made = picture.copy()
    place = turned(30, 200 / SIDE, 200, 20)
    lay_face(made, Image.new("RGB", (SIDE, SIDE), (250, 50, 50)), place)
    red = numpy.asarray(made)[..., 0].astype(int)
    x, y = place.a * 256 - place.b * 256 + place.left, place.b * 256 + place.a * 256 + place.top
    assert red[round(y), round(x)] == 250 and red[0, 0] == red[-1, -1] == red[0, -1] == 50
    assert numpy.abs(numpy.diff(red, axis=0)).max() < 40 and numpy.abs(numpy.diff(red, axis=1)).max() < 40
    half = picture.copy()
    lay_face(half, Image.new("RGB", (SIDE, SIDE), (250, 50, 50)), place, 0.5)
    assert abs(half.getpixel((round(x), round(y)))[0] - 150) <= 1


@pytest.mark.parametrize("place", [turned(0, 0.5, -100, -120), turned(10, 0.5, 350, 200), turned(0, 0.5, 5000, 0),
                                   turned(0, 0.001, 10, 10)])
def test_at_the_edge_and_beyond_it(place):
    picture = photo().crop((0, 0, 400, 300))
    made = picture.copy()
    lay_face(made, cut_face(picture, place), place)
    assert made.size == picture.size and numpy.abs(numpy.asarray(made).astype(int) - numpy.asarray(picture)).mean() < 1


def test_in_an_enlarged_picture_a_face_is_laid_where_it_is_then():
    place = turned(0, 0.25, 40, 30).scaled(2, 2)
    assert (place.a, place.left, place.top) == (0.5, 80, 60)
