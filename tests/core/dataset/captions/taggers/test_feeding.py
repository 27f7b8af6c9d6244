"""What reaches the model: every image once, in order, in its own place, whatever is broken between."""

import numpy
import pytest

from core.base.errors import ModelError
from core.dataset.captions.taggers.feeding import feed
from core.dataset.items import folder_items
from tests.core.dataset.captions.taggers.test_wd import opened
from tests.core.dataset.curation.photographs import photographs
from tests.core.dataset.small_things import picture


@pytest.mark.parametrize("broken", [(), (0,), (3,), (6,), (1, 2, 5), tuple(range(7))])
@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_each_image_stands_in_its_place_of_the_batch(tmp_path, broken, batch_size):
    for number in range(7):
        picture(tmp_path / "in" / f"{number}.png", (number * 30, 0, 0), size=(20, 20))
        if number in broken:
            (tmp_path / "in" / f"{number}.png").write_bytes(b"<html>")
    seen, failed = [], []
    for whole, pixels, wrong in feed(folder_items(tmp_path / "in"), opened(tmp_path / "model"), batch_size):
        assert len(whole) == len(pixels) <= batch_size
        seen += [(item.id, float(place[0, 0, 2])) for item, place in zip(whole, pixels, strict=True)]
        failed += [(item.id, "web page" in str(error)) for item, error in wrong]
    assert seen == [(str(number), number * 30.0) for number in range(7) if number not in broken]
    assert failed == [(str(number), True) for number in broken]


def test_memory_is_bounded_however_many_images_come(tmp_path):
    made = []
    tagger = opened(tmp_path / "model")
    new_batch = tagger.new_batch
    tagger.new_batch = lambda count: made.append(new_batch(count)) or made[-1]
    for number in range(60):
        picture(tmp_path / "in" / f"{number:02}.png", size=(8, 8))
    assert sum(len(whole) for whole, _, _ in feed(folder_items(tmp_path / "in"), tagger, 4)) == 60
    assert len(made) <= 4


def test_an_error_of_the_model_ends_the_feed_at_once(tmp_path):
    for number in range(40):
        picture(tmp_path / "in" / f"{number:02}.png", size=(8, 8))
    batches = feed(folder_items(tmp_path / "in"), opened(tmp_path / "model"), 2)
    with pytest.raises(ModelError):
        for _ in batches:
            raise ModelError("It failed.")
    batches.close()


def test_a_large_jpeg_looks_as_one_that_was_decoded_whole(tmp_path):
    from PIL import Image

    (tmp_path / "in").mkdir()
    photographs()["astronaut"].resize((3000, 3000), Image.Resampling.BICUBIC).save(tmp_path / "in" / "a.jpg", quality=95)
    Image.open(tmp_path / "in" / "a.jpg").save(tmp_path / "in" / "b.png", compress_level=0)
    _, pixels, _ = next(feed(folder_items(tmp_path / "in"), opened(tmp_path / "model", size=448), 2))
    assert numpy.abs(pixels[0] - pixels[1]).mean() < 2
