"""A preview is small, upright, made once, and never a traceback."""

import io
import time

import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.dataset.images import opening, previews
from core.dataset.images.previews import preview_image
from tests.core.dataset.small_things import picture


def seen(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def test_a_large_picture_is_sent_small_and_a_small_one_exact(tmp_path):
    large = picture(tmp_path / "large.jpg", size=(2400, 1200), quality=95)
    small = picture(tmp_path / "small.png", colour=(1, 2, 3), size=(64, 48))
    assert seen(preview_image(large, tmp_path / "cache")).size == (768, 384)
    exact = seen(preview_image(small, tmp_path / "cache"))
    assert exact.size == (64, 48) and exact.getpixel((5, 5)) == (1, 2, 3)


def test_a_closer_look_has_more_pixels_and_is_kept_beside_the_small_one(tmp_path, monkeypatch):
    cache, path = tmp_path / "cache", tmp_path / "large.png"
    Image.effect_noise((3000, 1500), 90).save(path)
    small, large = preview_image(path, cache), preview_image(path, cache, large=True)
    assert seen(large).size == (2048, 1024) and seen(small).size == (768, 384)
    assert (preview_image(path, cache), preview_image(path, cache, large=True)) == (small, large) and len(list(cache.iterdir())) == 2
    Image.effect_noise((1500, 1000), 90).save(path)
    assert seen(preview_image(path, cache, large=True)).size == (1500, 1000) and len(list(cache.iterdir())) == 2
    monkeypatch.setattr(previews, "MOST_LARGE", 2)
    for number in range(3):
        preview_image(picture(tmp_path / f"{number}.png"), cache, large=True)
    assert len(list(cache.glob("*-large.*"))) == 2 and len(list(cache.iterdir())) == 3


def test_a_photo_that_is_stored_lying_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = picture(tmp_path / "lying.jpg", size=(1600, 800), exif=exif)
    preview = Image.open(io.BytesIO(preview_image(path, tmp_path / "cache")))
    assert preview.size == (384, 768) and dict(preview.getexif()) == {}


def test_transparency_lies_over_white(tmp_path):
    path = picture(tmp_path / "clear.png", colour=(200, 0, 0, 0))
    assert seen(preview_image(path, tmp_path / "cache")).getpixel((3, 3)) == (255, 255, 255)


def test_the_second_look_opens_no_picture_and_a_changed_file_is_looked_at_again(tmp_path):
    path, cache = picture(tmp_path / "a.png"), tmp_path / "cache"
    first = preview_image(path, cache)
    (kept,) = cache.iterdir()
    kept.write_bytes(b"kept")
    assert preview_image(path, cache) == b"kept"
    picture(path, colour=(0, 0, 250), size=(65, 48))
    second = preview_image(path, cache)
    assert second not in (first, b"kept") and seen(second).size == (65, 48)
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize(("content", "words"), [(None, "not there"), (b"", "empty"), (b"<html>", "web page"),
                                                (b"\xff\xd8\xff\xe0 cut", "not an image|damaged")])
def test_what_cannot_be_shown_is_a_sentence_with_the_files_name(tmp_path, content, words):
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=words) as problem:
        preview_image(path, tmp_path / "cache")
    assert "a.jpg" in str(problem.value)


def test_a_cache_that_cannot_be_written_costs_no_picture(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert seen(preview_image(picture(tmp_path / "a.png"), tmp_path / "cache")).size == (64, 48)


def test_a_camera_picture_takes_no_time_that_a_person_notices(tmp_path):
    path = picture(tmp_path / "camera.jpg", size=(6000, 4000))
    preview_image(picture(tmp_path / "warm.jpg"), tmp_path / "cache")
    start = time.process_time()
    preview_image(path, tmp_path / "cache")
    assert time.process_time() - start < 1.0


def test_transparency_lies_over_white_or_over_checks(tmp_path):
    image = Image.new("RGBA", (128, 128), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (64, 0, 128, 128))
    image.save(tmp_path / "half.png")
    plain = seen(preview_image(tmp_path / "half.png", tmp_path / "cache"))
    checked = seen(preview_image(tmp_path / "half.png", tmp_path / "cache", checks=True))
    assert plain.getpixel((100, 5)) == (255, 255, 255) and plain.getpixel((5, 5)) == checked.getpixel((5, 5)) == (255, 0, 0)
    greys = {checked.getpixel((x, 5))[0] for x in range(64, 128)}
    assert greys == {previews.LIGHT_CHECK, previews.DARK_CHECK}
    assert seen(previews.preview_bytes((tmp_path / "half.png").read_bytes(), checks=True)).tobytes() == checked.tobytes()


def test_a_part_is_sent_in_its_own_sharpness(tmp_path):
    Image.effect_noise((600, 400), 90).save(tmp_path / "noise.png")
    part = seen(previews.CloseUp().part(tmp_path / "noise.png", (100, 50, 300, 150), (200, 100)))
    whole = Image.open(tmp_path / "noise.png").convert("RGB").crop((100, 50, 300, 150))
    differences = [abs(a - b) for a, b in zip(part.tobytes(), whole.tobytes(), strict=True)]
    assert part.size == (200, 100) and sum(differences) / len(differences) < 6
    assert seen(previews.CloseUp().part(tmp_path / "noise.png", (0, 0, 600, 400), (60, 40))).size == (60, 40)


def test_a_picture_that_is_looked_at_closely_is_decoded_once_until_it_changes(tmp_path, monkeypatch):
    path, decoded, box = tmp_path / "a.png", [], (0, 0, 10, 10)
    def opened(source, at_least):
        decoded.append(source)
        return opening.open_image(source, at_least=at_least)

    monkeypatch.setattr(previews, "open_image", opened)
    Image.new("RGB", (64, 64), "red").save(path)
    close_up = previews.CloseUp()
    for _ in range(3):
        close_up.part(path, box, (20, 20))
    assert decoded == [path]
    Image.new("RGB", (64, 65), "blue").save(path)
    assert seen(close_up.part(path, box, (20, 20))).getpixel((5, 5))[2] > 200 and len(decoded) == 2
    data = path.read_bytes()
    close_up.part(data, box, (20, 20))
    close_up.part(data, box, (30, 30))
    assert len(decoded) == 3
    monkeypatch.setattr(previews, "MOST_KEPT", 64 * 64)
    close_up.forget()
    close_up.part(path, box, (20, 20))
    close_up.part(path, box, (20, 20))
    assert len(decoded) == 5


def test_a_mask_is_sent_whole_or_in_part():
    import numpy

    mask = numpy.zeros((3000, 4000), numpy.uint8)
    mask[:, 2000:] = 255
    whole = Image.open(io.BytesIO(previews.preview_mask(mask)))
    assert whole.size == (2048, 1536) and whole.getpixel((10, 10)) == 0 and whole.getpixel((2000, 10)) == 255
    part = Image.open(io.BytesIO(previews.preview_mask(mask, (1990, 0, 2010, 10), (20, 10))))
    assert part.size == (20, 10) and part.getpixel((9, 5)) == 0 and part.getpixel((10, 5)) == 255
