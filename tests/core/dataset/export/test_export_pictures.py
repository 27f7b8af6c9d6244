"""The pictures of an export: upright, over white, without Lorabook's notes, and otherwise the very pixels and bytes."""

import io
from pathlib import Path

import numpy
import pytest
from PIL import Image, PngImagePlugin

from core.base.errors import DatasetError
from core.dataset.export.stripping import strip
from core.dataset.images.variants import read_made, save_variant
from tests.core.dataset.export.exports import caption, drawn, export, fill, note_of, settings
from tests.core.dataset.small_things import picture, png_bytes

FOLDER = "img/50_mychar"


@pytest.fixture
def filled(project):
    fill(project)
    return project


def pixels(path) -> numpy.ndarray:
    with Image.open(path) as image:
        return numpy.asarray(image.convert("RGB"))


def test_lying_becomes_upright_and_transparent_becomes_white(filled):
    root = Path(export(filled).folder) / FOLDER
    with Image.open(root / "lying.jpg") as upright:
        assert upright.size == (64, 96) and not upright.getexif()
    assert abs(pixels(root / "lying.jpg").astype(int) - numpy.rot90(pixels(filled.images / "lying.jpg"), -1)).mean() < 2
    assert (pixels(root / "clear.png") == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_as_it_is_shown(filled, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    path = drawn(filled.images / "turn.png", (24, 16), seed=9, exif=exif.tobytes())
    caption(filled, "turn", "mychar")
    with Image.open(path) as source:
        shown = numpy.asarray(ImageOps.exif_transpose(source))
    assert (pixels(Path(export(filled).folder) / "img" / "40_mychar" / "turn.png") == shown).all()


@pytest.mark.parametrize(("kind", "save"), [("png", {}), ("jpeg", {"quality": 92}), ("webp", {"lossless": True}),
                                            ("webp", {"quality": 90})])
def test_lorabooks_note_is_taken_out_without_a_pixel_changed(filled, kind, save):
    exif = Image.Exif()
    exif[0x010E], exif[0x010F] = note_of(filled, "girl", "resize"), "Camera"
    buffer = io.BytesIO()
    Image.open(filled.images / "girl.png").save(buffer, kind, exif=exif.tobytes(), **save)
    suffix = {"jpeg": ".jpg"}.get(kind, f".{kind}")
    made = save_variant(filled, "girl", "inpainted", buffer.getvalue(), suffix)
    assert read_made(made) is not None
    exported = Path(export(filled).folder) / FOLDER / f"girl{suffix}"
    assert (pixels(exported) == pixels(made)).all() and b"lorabook" not in exported.read_bytes()
    with Image.open(exported) as image:
        image.load()
        assert image.format == kind.upper() and not image.getexif()
    data = exported.read_bytes()
    assert kind != "webp" or (int.from_bytes(data[4:8], "little") == len(data) - 8 and not (data[12:16] == b"VP8X" and data[20] & 8))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_camera_notes_stay_unless_they_are_to_go(filled, kind):
    exif = Image.Exif()
    exif[0x010F] = "SECRETCAMERA"
    exif.get_ifd(0x8825)[1] = "N"
    notes = PngImagePlugin.PngInfo()
    notes.add_text("parameters", "SECRETPROMPT")
    suffix = {"jpeg": ".jpg"}.get(kind, f".{kind}")
    more = {"pnginfo": notes} if kind == "png" else {"comment": b"SECRETPROMPT"} if kind == "jpeg" else {"xmp": b"<x>SECRETPROMPT</x>"}
    source = drawn(filled.images / f"noted{suffix}", seed=12, exif=exif.tobytes(), **more)
    caption(filled, "noted", "mychar")
    place = Path(export(filled).folder) / "img" / "40_mychar" / f"noted{suffix}"
    assert place.read_bytes() == source.read_bytes() and b"SECRETPROMPT" in source.read_bytes()
    export(filled, strip_notes=True)
    assert b"SECRET" not in place.read_bytes() and (pixels(place) == pixels(source)).all()


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"\x89PNG\r\n\x1a\n\0\0", b"BM",
                                  b"\xff\xd8\x00\x00\x00", b"\xff\xd8\xff\xe1\xff\xff"])
def test_files_that_are_not_built_as_they_should_be_do_no_harm(data):
    bare = strip(data, everything=True)
    assert bare is None or len(bare) <= len(data)


def test_a_file_that_was_cut_off_is_not_made_worse():
    whole = png_bytes(size=(64, 64))
    for length in range(len(whole)):
        bare = strip(whole[:length])
        assert bare is None or whole.startswith(bare[:length])


def test_odd_pictures_come_out_as_8_bit_srgb(filled):
    sixteen = numpy.linspace(0, 65535, 64 * 64, dtype="uint16").reshape(64, 64)
    Image.fromarray(sixteen).save(filled.images / "sixteen.png")
    Image.new("CMYK", (64, 64), (0, 128, 255, 10)).save(filled.images / "cmyk.jpg")
    drawn(filled.images / "moving.webp", (64, 64), save_all=True, append_images=[Image.new("RGB", (64, 64))])
    palette = Image.new("P", (64, 64), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.save(filled.images / "palette.png", transparency=1)
    picture(filled.images / "line.png", size=(300, 1))
    for name in ("sixteen", "cmyk", "moving", "palette", "line"):
        caption(filled, name, "mychar")
    report = export(filled, layout="onetrainer", anyway=True)
    root = Path(report.folder) / "images"
    for name in ("sixteen.png", "cmyk.jpg", "moving.png", "palette.png"):
        with Image.open(root / name) as image:
            assert image.mode == "RGB" and getattr(image, "n_frames", 1) == 1, name
    assert (pixels(root / "palette.png") == 255).all() and (root / "line.png").exists()


def test_a_damaged_version_is_named_and_stops_unless_told_otherwise(filled):
    path = filled.variants / "girl_upscaled.png"
    path.write_bytes(b"<html>no picture</html>")
    with pytest.raises(DatasetError, match="Nothing was exported. Pictures that cannot be opened: girl_upscaled.png"):
        export(filled)
    report = export(filled, anyway=True)
    assert [one.name for one in report.skipped] == ["girl_upscaled.png"] and report.pictures == 3


def test_a_mask_of_other_proportions_is_left_out(filled):
    Image.new("L", (50, 50), 255).save(filled.variants / "girl_mask.png")
    report = export(filled, layout="onetrainer")
    assert report.masks == 0 and not list(Path(report.folder).rglob("*masklabel*"))


def test_a_mask_follows_its_picture_pixel_by_pixel(filled):
    root = Path(export(filled, masks="alpha", versions="none").folder) / FOLDER
    with Image.open(root / "girl.png") as made, Image.open(filled.images / "girl.png") as source, \
            Image.open(filled.variants / "girl_mask.png") as mask:
        assert made.getchannel("A").tobytes() == mask.tobytes() and made.convert("RGB").tobytes() == source.tobytes()
    assert settings(masks="alpha").masks == "alpha"
