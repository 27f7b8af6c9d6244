"""Results are held against what lies around the hole."""

import math

import numpy
import pytest
from skimage.data import astronaut

from core.dataset.images.inpainting.checking import is_black, likeness


@pytest.fixture
def photo():
    return astronaut()[:200, 150:350]


@pytest.fixture
def hole(photo):
    found = numpy.zeros(photo.shape[:2], dtype=bool)
    found[80:120, 60:140] = True
    return found


def test_what_differs_in_the_hole_alone_fits(photo, hole):
    painted = photo.copy()
    painted[hole] = 7
    found = likeness(photo, painted, hole)
    assert found.psnr == math.inf and found.moved == 0 and found.trouble(60) == ""


def test_another_picture_other_colours_and_an_unlike_texture_do_not_fit(photo, hole):
    assert "unlike the picture" in likeness(photo, photo[::-1], hole).trouble(18)
    brighter = (photo.astype(int) + 30).clip(0, 255).astype("uint8")
    assert "colours had moved" in likeness(photo, brighter, hole).trouble(10)
    flat = numpy.broadcast_to(photo.mean(axis=(0, 1)), photo.shape).astype("uint8")
    grain = numpy.random.default_rng(0).normal(0, 15, photo.shape)
    texture = (flat + grain).clip(0, 255).astype("uint8")
    assert "another picture" in likeness(texture, flat, hole).trouble(10)
    assert likeness(photo, photo[::-1], hole).trouble(0) == ""


def test_a_slight_loss_as_a_vae_has_it_fits(photo, hole):
    from PIL import Image

    blurred = numpy.array(Image.fromarray(photo).resize((120, 120)).resize((200, 200)))
    assert likeness(photo, blurred, hole).trouble(18) == ""


def test_black_is_recognised_but_not_where_it_is_black_around(photo, hole):
    painted = photo.copy()
    painted[hole] = 0
    assert is_black(photo, painted, hole) and not is_black(numpy.zeros_like(photo), painted, hole) and not is_black(photo, photo, hole)
