"""Opening images that are anything but ordinary."""

import base64
import contextlib
import io
import struct
import zlib

import numpy
import pytest
from PIL import Image, ImageCms, features

from core.base.errors import DatasetError
from core.dataset.images import opening
from core.dataset.images.baking import bake
from core.dataset.images.opening import inspect_image, open_image, open_rgb
from tests.core.dataset.small_things import picture, png_bytes

HEIC = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAAAERAAAEA"
    "AQAAAAABoQABAAAAAAAAAHEAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmND"
    "AQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAA"
    "AAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAADAAAAABAAAAKAAAAAH////wAAAA"
    "Av///+gAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAHltZGF0AAAAbSgBrwng44Salv/6zf3vxFn/8Csxu+K2hR3+fIt+"
    "/0kNcJDW6T4IsITOcJjzkxX/NUSvTBO9S3Phg0S/PsXd9vz76MwYy5JJJMwr0QvQCiQRAmKmMa0SscvE8B+ZcqbU1Gx8sy5VIXDU79RV04A=")
"""A drawn picture of 48 x 40 pixels, blue on the left and red on the right, as a phone would save it."""


def upright() -> Image.Image:
    image = Image.new("RGB", (60, 40), (255, 255, 255))
    image.paste((255, 0, 0), (0, 0, 20, 20))  # red in the upper left corner
    image.paste((0, 0, 255), (40, 20, 60, 40))
    return image


def encoded(image: Image.Image, kind: str, **save) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **save)
    return buffer.getvalue()


def stored_as(orientation: int) -> bytes:
    """A JPEG whose pixels lie so that the EXIF value turns them upright."""
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    image = upright() if undo is None else upright().transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "JPEG", quality=98, exif=exif)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(orientation):
    data = stored_as(orientation)
    facts = inspect_image(data)
    assert (facts.width, facts.height, facts.orientation) == (60, 40, orientation)
    shown = numpy.asarray(open_image(data).image).astype(int)
    assert shown.shape == (40, 60, 3)
    assert abs(shown - numpy.asarray(upright()).astype(int)).mean() < 4
    baked = bake(data)
    assert (baked.data == data) == (orientation == 1)
    again = Image.open(io.BytesIO(baked.data))
    assert again.format == "JPEG" and again.size == (60, 40) and again.getexif().get(0x0112, 1) == 1


def test_a_damaged_exif_block_does_not_cost_the_picture():
    data = stored_as(6)
    start = data.index(b"Exif\0\0") + 6
    broken = data[:start + 8] + b"\xff" * 12 + data[start + 20:]
    assert open_image(broken).image.mode == "RGB"


def test_a_cut_off_file_is_damaged_and_the_global_switch_stays_off(tmp_path):
    from PIL import ImageFile

    noise = numpy.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype="uint8")
    data = encoded(Image.fromarray(noise), "PNG")
    with pytest.raises(DatasetError, match="damaged"):
        open_image(data[:len(data) // 2])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize(("content", "words"), [
    (b"<!DOCTYPE html><html></html>", "web page"), (b"", "empty"), (b"\0\0\0\x20ftypisom" + b"x" * 60, "video"),
    (b"hello", "not an image")])
def test_a_file_that_is_no_image_says_what_it_is(tmp_path, content, words):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=words):
        open_image(path)


def test_a_missing_file_is_missing_not_damaged(tmp_path):
    with pytest.raises(DatasetError, match="is not there"):
        inspect_image(tmp_path / "a.png")


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


@pytest.mark.parametrize("side", [12_000, 14_000, 40_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side):
    with pytest.raises(DatasetError, match="pixels"):
        open_image(bomb(side, side))


def test_transparency_is_laid_over_white():
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 20, 40))
    shown = open_rgb(encoded(image, "PNG"))
    assert shown.mode == "RGB" and shown.getpixel((30, 5)) == (255, 255, 255) and shown.getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["LA", "P", "RGBA"])
def test_every_kind_of_transparency_is_seen(mode):
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 20, 40))
    shown = open_rgb(encoded(image.convert(mode), "PNG"))
    assert shown.getpixel((30, 5)) == (255, 255, 255) and shown.getpixel((5, 5)) == (0, 0, 0)


def test_colours_hidden_behind_transparency_are_made_white_and_the_alpha_stays():
    image = Image.new("RGBA", (40, 40), (12, 200, 3, 0))
    image.paste((255, 0, 0, 255), (0, 0, 20, 40))
    baked = bake(encoded(image, "PNG"))
    again = Image.open(io.BytesIO(baked.data))
    assert again.mode == "RGBA" and again.getpixel((30, 5)) == (255, 255, 255, 0) and again.getpixel((5, 5)) == (255, 0, 0, 255)
    assert again.convert("RGB").getpixel((30, 5)) == (255, 255, 255)
    assert bake(baked.data).changes == ()


def test_transparency_can_be_laid_over_white_on_import():
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    assert Image.open(io.BytesIO(bake(encoded(image, "PNG"), "white").data)).mode == "RGB"


def test_cmyk_and_sixteen_bit_become_eight_bit_rgb():
    assert Image.open(io.BytesIO(bake(encoded(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG")).data)).mode == "RGB"
    grey = numpy.full((40, 40), 32768, "uint16")
    baked = bake(encoded(Image.fromarray(grey), "PNG"))
    assert Image.open(io.BytesIO(baked.data)).convert("RGB").getpixel((0, 0)) == (128, 128, 128)


def test_a_profile_that_is_not_srgb_is_converted_and_an_srgb_one_is_not():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert bake(encoded(Image.new("RGB", (40, 40)), "PNG", icc_profile=lab)).changes == ()
    other = bytearray(lab)
    start = other.index(b"s\0R\0G\0B") if b"s\0R\0G\0B" in other else other.index(b"sRGB", 128)
    other[start:start + 1] = b"x"
    image = Image.new("RGB", (40, 40), (200, 100, 50))
    baked = bake(encoded(image, "PNG", icc_profile=bytes(other)))
    assert "colours converted to sRGB" in baked.changes
    assert "icc_profile" not in Image.open(io.BytesIO(baked.data)).info


def test_a_damaged_profile_is_ignored():
    assert open_image(encoded(Image.new("RGB", (40, 40)), "PNG", icc_profile=b"nonsense" * 40)).image.mode == "RGB"


@pytest.mark.parametrize(("kind", "many"), [("GIF", "3 frames"), ("WEBP", "3 frames"), ("PNG", "3 frames"), ("TIFF", "3 pages")])
def test_of_an_animation_and_of_several_pages_the_first_is_taken_and_said_so(kind, many):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    options = {"lossless": True} if kind == "WEBP" else {}
    baked = bake(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert f"only the first of {many}" in baked.changes
    again = Image.open(io.BytesIO(baked.data))
    assert (again.format, getattr(again, "n_frames", 1), again.convert("RGB").getpixel((20, 20))) == ("PNG", 1, (250, 0, 0))


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "AVIF"])
def test_a_format_that_trainers_do_not_read_becomes_png(kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    baked = bake(encoded(Image.new("RGB", (40, 40), (200, 40, 40)), kind))
    assert (baked.suffix, baked.changes) == (".png", (f"{kind} made PNG",))
    colour = Image.open(io.BytesIO(baked.data)).getpixel((20, 20))
    assert max(abs(one - other) for one, other in zip(colour, (200, 40, 40), strict=True)) < 6


def test_a_heic_photo_is_read_where_its_package_is_there():
    pytest.importorskip("pi_heif")
    baked = bake(base64.b64decode(HEIC))
    image = Image.open(io.BytesIO(baked.data))
    assert (image.size, baked.suffix, baked.changes) == ((48, 40), ".png", ("HEIF made PNG",))
    left, right = image.getpixel((5, 5)), image.getpixel((40, 5))
    assert left[2] > 180 > left[0] and right[0] > 180 > right[2]


def test_a_heic_photo_without_its_package_says_what_to_run(monkeypatch):
    monkeypatch.setattr(opening, "HEIF_READERS", ("no_such_package",))
    monkeypatch.setattr(opening, "_learn_heif", opening._learn_heif.__wrapped__)
    kept = dict(Image.OPEN), list(Image.ID)
    Image.OPEN.pop("HEIF", None)
    Image.ID[:] = [name for name in Image.ID if name != "HEIF"]
    try:
        with pytest.raises(DatasetError, match="installer.py --with sources"):
            bake(base64.b64decode(HEIC))
    finally:
        Image.OPEN.update(kept[0])
        Image.ID[:] = kept[1]


def test_a_sliver_is_refused():
    with pytest.raises(DatasetError, match="at least 32"):
        bake(png_bytes(size=(1, 500)), min_side=32)


def test_an_ordinary_file_keeps_its_bytes_and_gets_the_ending_of_what_it_is(tmp_path):
    path = picture(tmp_path / "a.png")
    assert bake(path.read_bytes()).data == path.read_bytes()
    assert bake(encoded(upright(), "JPEG")).suffix == ".jpg"


def test_a_large_jpeg_may_be_decoded_smaller_but_never_below_what_is_needed():
    data = encoded(Image.new("RGB", (2000, 1000), (9, 9, 9)), "JPEG")
    small = open_rgb(data, at_least=450)
    assert 450 <= max(small.size) < 2000 and small.width == 2 * small.height


def test_random_damage_never_raises_anything_but_a_sentence():
    random = numpy.random.default_rng(1)
    originals = [stored_as(6), png_bytes(), encoded(upright(), "WEBP"), encoded(upright(), "GIF"), encoded(upright(), "BMP"),
                 encoded(upright(), "TIFF")]
    for data in originals:
        for _ in range(60):
            damaged = bytearray(data)
            for place in random.integers(0, len(data), 5):
                damaged[place] = random.integers(0, 256)
            with contextlib.suppress(DatasetError):
                open_image(bytes(damaged), max_pixels=10_000_000)
