"""How versions are written: what a file says beside the pixels, and what a format cannot hold."""

import io

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from core.dataset.images.opening import read_exif
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.variants import Made, Step


def picture():
    return Image.new("RGB", (8, 6), "red")


def file_with(exif):
    out = io.BytesIO()
    picture().save(out, "JPEG", exif=exif)
    return out.getvalue()


def notes_of(data):
    return Image.open(io.BytesIO(data)).getexif()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_camera_notes_keep_date_and_exposure_but_neither_sizes_nor_what_only_the_camera_reads(kind):
    exif = Image.Exif()
    exif[0x010F] = "Some Camera"
    exif[0x8769] = {0x9003: "2024:05:01 12:00:00", 0x829A: IFDRational(1, 250), 0xA002: 6000, 0xA003: 4000, 0x927C: b"secret",
                    0x9214: (10, 10, 4)}
    exif = read_exif(file_with(exif))
    kept = notes_of(encode(picture(), SaveSettings(metadata=True), kind, "how", exif).data)
    assert kept[0x010F] == "Some Camera" and kept[0x010E] == "how"
    assert {tag: kept.get_ifd(0x8769)[tag] for tag in (0x9003, 0x829A)} == {0x9003: "2024:05:01 12:00:00", 0x829A: pytest.approx(0.004)}
    assert not {0xA002, 0xA003, 0x927C, 0x9214} & set(kept.get_ifd(0x8769))


def test_camera_notes_that_jpeg_cannot_hold_are_left_out_and_told_and_how_it_was_made_stays():
    exif = Image.Exif()
    exif[0x010F], exif[0x9C9C] = "Some Camera", b"x" * 70_000
    found = encode(picture(), SaveSettings(format="jpeg", metadata=True), "PNG", Made("ab", (Step("resize"),)).text(), exif)
    kept = notes_of(found.data)
    assert found.suffix == ".jpg" and "camera notes" in found.note and kept.get(0x010F) is None and "resize" in kept[0x010E]
    assert encode(picture(), SaveSettings(format="png", metadata=True), "PNG", "", exif).note == ""
    long = encode(picture(), SaveSettings(format="jpeg"), "PNG", "x" * 70_000)
    assert long.suffix == ".png" and "more room than JPEG has" in long.note and len(notes_of(long.data)[0x010E]) == 70_000


def test_camera_notes_that_cannot_be_written_cost_no_version():
    exif = Image.Exif()
    exif[0x0112 + 1] = object()
    found = encode(picture(), SaveSettings(metadata=True), "JPEG", "how", exif)
    assert notes_of(found.data)[0x010E] == "how" and "camera notes" in found.note
