"""The pictures of a page: named after what they are, of every kind that Pillow opens, and too large or broken ones in words."""

import pytest
from PIL import Image

from core.base.errors import ConfigError
from core.utilities.publishing.checking import check_publish
from core.utilities.publishing.sample import copy_with_text, read_text_of, size_of
from tests.core.utilities.publishing.conftest import publish, settings


@pytest.mark.parametrize(("name", "mode", "kind", "wanted"), [
    ("b.png", "RGB", "WEBP", "01.webp"), ("b.jpg", "RGBA", "PNG", "01.png"), ("c.webp", "RGB", "JPEG", "01.jpg"),
    ("a.bmp", "RGB", "BMP", "01.jpg"), ("a.png", "RGBA", "TIFF", "01.jpg"), ("b.png", "P", "GIF", "01.jpg"),
    ("c.jpg", "CMYK", "TIFF", "01.jpg"), ("d.png", "I;16", "TIFF", "01.jpg")])
def test_a_sample_is_named_after_what_it_is(mika, tmp_path, name, mode, kind, wanted):
    Image.new(mode, (64, 64)).save(tmp_path / name, kind)
    publish(mika, to="folder", samples=(f"{tmp_path / name} | a cat",))
    copies = list((mika.parent / "mika-civitai" / "images").iterdir())
    assert [path.name for path in copies] == [wanted]
    assert Image.open(copies[0]).format == {"webp": "WEBP", "png": "PNG", "jpg": "JPEG"}[wanted[3:]]


def test_what_is_seen_through_stays_so_in_a_png_and_is_white_in_a_jpeg(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "a.tiff")
    copy_with_text(tmp_path / "a.tiff", tmp_path / "a.jpg", "", 100)
    assert min(Image.open(tmp_path / "a.jpg").getpixel((4, 4))) > 250
    Image.new("P", (8, 8), 0).save(tmp_path / "p.png", transparency=0)
    copy_with_text(tmp_path / "p.png", tmp_path / "q.png", "", 100)
    assert Image.open(tmp_path / "q.png").convert("RGBA").getpixel((4, 4))[3] == 0


@pytest.mark.parametrize("content", ["large", "broken"])
def test_a_picture_that_cannot_be_opened_is_a_sentence_wherever_it_is_read(mika, tmp_path, monkeypatch, content):
    path = tmp_path / "a.png"
    Image.new("RGB", (300, 300)).save(path)
    if content == "large":
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    else:
        path.write_bytes(path.read_bytes()[:30])
    words = "too large to be opened" if content == "large" else "cannot be opened"
    for read in (size_of, read_text_of, lambda one: copy_with_text(one, tmp_path / "b.png", "", 100),
                 lambda one: check_publish(settings(mika, samples=(str(one),)))):
        with pytest.raises(ConfigError, match=words):
            read(path)
