"""Noise and contrast: better by measure, the same in pieces, never at the cost of transparency."""

import numpy
import pytest
from PIL import Image

from core.base.errors import Cancelled
from core.base.progress import Progress
from core.dataset.images.enhancing import cleaning
from core.dataset.images.enhancing.cleaning import denoised, evened


def photo(width=256, height=256):
    from skimage import data

    return Image.fromarray(data.astronaut()).resize((width, height), Image.Resampling.LANCZOS)


def noisy(image, level):
    chance = numpy.random.default_rng(0)
    values = numpy.asarray(image).astype(float) + chance.normal(0, level, (image.height, image.width, 3))
    return Image.fromarray(numpy.clip(values, 0, 255).astype("uint8"))


def off(one, other):
    return float(numpy.sqrt(numpy.mean((numpy.asarray(one).astype(float) - numpy.asarray(other)) ** 2)))


def test_noise_is_taken_away_and_the_picture_stays():
    clean = photo()
    before = noisy(clean, 12)
    made = denoised(before, 12)
    assert off(made, clean) < 0.65 * off(before, clean)
    assert off(denoised(clean, 2), clean) < 2.5


def test_in_pieces_it_is_the_same_as_whole(monkeypatch):
    picture = noisy(photo(220, 150), 8)
    whole = denoised(picture, 8)
    monkeypatch.setattr(cleaning, "PIECE", 64)
    assert numpy.abs(numpy.asarray(denoised(picture, 8)).astype(int) - numpy.asarray(whole)).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1), (3, 4), (700, 2)])
def test_however_thin_a_picture_is(size):
    picture = photo(*size)
    assert denoised(picture, 5).size == evened(picture, 0.01).size == size


def test_contrast_is_evened_in_the_lightness_and_colours_stay():
    from skimage.color import rgb2lab

    dull = Image.fromarray((numpy.asarray(photo()) * 0.4 + 60).astype("uint8"))
    before, after = (rgb2lab(numpy.asarray(image)) for image in (dull, evened(dull, 0.02)))
    assert after[..., 0].std() > 1.4 * before[..., 0].std()
    assert numpy.abs(after[..., 1:] - before[..., 1:]).mean() < 3


def test_transparency_stays_and_what_is_not_seen_decides_nothing():
    picture = photo()
    picture.putalpha(Image.linear_gradient("L").point(lambda value: 0 if value < 128 else value))
    garish = numpy.asarray(picture).copy()
    garish[garish[..., 3] == 0, :3] = (255, 255, 255)
    assert (numpy.asarray(denoised(picture, 5))[..., 3] == numpy.asarray(picture)[..., 3]).all()
    one, other = (numpy.asarray(evened(image, 0.02)) for image in (picture, Image.fromarray(garish)))
    seen = one[..., 3] > 0
    assert (one[..., 3] == numpy.asarray(picture)[..., 3]).all() and (one[seen] == other[seen]).all() and 0 < seen.mean() < 1


def test_a_stop_between_two_pieces():
    class Impatient(Progress):
        def report_step(self, item):
            self.cancel()

    with pytest.raises(Cancelled):
        denoised(photo(900, 500), 5, "a.png", Impatient())
