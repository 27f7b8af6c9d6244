"""Versions of a picture: what their names say, which is the best, and that nothing is lost when one is replaced."""

import errno
import io
import os

import pytest
from PIL import Image

from core.base.errors import DatasetError, DiskError
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.taking_back import take_back_variant
from core.dataset.images.variants import Made, Step, Variant, best_of, file_name, list_variants, read_made, save_variant, variant_of
from core.dataset.renaming import RenameSettings, rename_images
from tests.tiny_models import make_pictures


def picture(colour="red", size=(8, 6), mode="RGB"):
    return Image.new(mode, size, colour)


def png(colour="red", description=""):
    return encode(picture(colour), SaveSettings(format="png"), "PNG", description).data


@pytest.mark.parametrize(("name", "expected"), [
    ("a_resized.png", Variant("a", "resized", "a_resized.png")),
    ("a_upscaled.webp", Variant("a", "upscaled", "a_upscaled.webp")),
    ("a_mask.png", Variant("a", "mask", "a_mask.png")),
    ("a_face_focus.png", Variant("a", "part", "a_face_focus.png", "face_focus")),
    ("a_face_focus-2_mask.png", Variant("a", "mask", "a_face_focus-2_mask.png", "face_focus-2")),
    ("a_upper_body_transparent.webp", Variant("a", "transparent", "a_upper_body_transparent.webp", "upper_body")),
    ("a_b_inpainted.jpg", Variant("a_b", "inpainted", "a_b_inpainted.jpg")),
    ("v1.0_resized.png", Variant("v1.0", "resized", "v1.0_resized.png")),
    ("other_mask.png", None), ("a.png", None), ("a_mask.txt", None), ("a_Größe.png", None), ("a_.png", None)])
def test_a_name_says_what_it_is(name, expected):
    assert variant_of(name, {"a", "a_b", "v1.0"}) == expected


def test_a_picture_called_like_a_mask_is_no_mask():
    assert variant_of("a_mask.png", {"a", "a_mask"}) is None
    assert variant_of("a_mask_mask.png", {"a", "a_mask"}) == Variant("a_mask", "mask", "a_mask_mask.png")


@pytest.mark.parametrize(("kind", "label"), [("mask", ""), ("mask", "face_focus"), ("part", "face_focus"), ("upscaled", "")])
def test_what_is_named_is_read_back(kind, label):
    name = file_name("a_b", kind, ".png", label)
    assert variant_of(name, {"a", "a_b"}) == Variant("a_b", kind, name, label)


@pytest.mark.parametrize(("kind", "label"), [("part", ""), ("part", "mask"), ("part", "../x"), ("mask", "A b")])
def test_a_label_that_cannot_be_read_back_is_refused(kind, label):
    with pytest.raises(DatasetError):
        file_name("a", kind, ".png", label)


def test_the_last_step_of_the_way_is_the_best(project):
    make_pictures(project.images, [(8, 6)] * 2)
    stem = sorted(path.stem for path in project.images.glob("*.png"))[0]
    assert list_variants(project, {stem}) == {} and best_of([]) is None
    for kind in ("upscaled", "resized", "mask", "inpainted"):
        save_variant(project, stem, kind, png(), ".png")
    found = list_variants(project, {stem})[stem]
    assert sorted(one.kind for one in found) == ["inpainted", "mask", "resized", "upscaled"]
    assert best_of(found).kind == "inpainted" and best_of([one for one in found if one.kind == "mask"]) is None


def test_what_is_replaced_stands_again_when_it_is_taken_back(project):
    first = save_variant(project, "a", "resized", png("red"), ".png")
    jpeg = encode(picture("blue"), SaveSettings(), "JPEG").data
    second = save_variant(project, "a", "resized", jpeg, ".jpg")
    assert not first.exists() and [one.name for one in list_variants(project, {"a"})["a"]] == ["a_resized.jpg"]
    back = take_back_variant(project, Variant("a", "resized", second.name))
    assert back == first and Image.open(back).getpixel((0, 0)) == (255, 0, 0) and not second.exists()
    again = take_back_variant(project, Variant("a", "resized", first.name))  # and forward
    assert again == second and second.read_bytes() == jpeg
    (project.variants / ".replaced" / "a_resized.png").unlink()
    assert take_back_variant(project, Variant("a", "resized", second.name)) is None and list_variants(project, {"a"}) == {}
    assert (project.variants / ".replaced" / "a_resized.jpg").read_bytes() == jpeg


@pytest.mark.parametrize(("suffix", "kind"), [(".png", "PNG"), (".jpg", "JPEG"), (".webp", "WEBP")])
def test_how_it_was_made_stands_in_the_file_whatever_its_format(project, suffix, kind):
    made = Made("ab" * 32, (Step("resize", {"mode": "longest", "side": 2048, "prompt": "füür 火"}), Step("upscale")))
    data = encode(picture(), SaveSettings(), kind, made.text()).data
    path = save_variant(project, "a", "resized", data, suffix)
    assert Image.open(path).format == kind and read_made(path) == made
    path.write_bytes(encode(picture(), SaveSettings(), kind, "a holiday").data)
    assert read_made(path) is None
    path.write_bytes(b"no picture")
    assert read_made(path) is None


def test_versions_go_along_when_pictures_are_renamed(project):
    make_pictures(project.images, [(8, 6)])
    stem = next(project.images.glob("*.png")).stem
    save_variant(project, stem, "resized", png(description=Made("ab", (Step("resize"),)).text()), ".png")
    rename_images(project, RenameSettings(name="mochi"))
    new = next(project.images.glob("*.png")).stem
    assert new != stem and read_made(project.variants / f"{new}_resized.png") == Made("ab", (Step("resize"),))


def test_jpeg_cannot_hold_transparency_and_webp_no_endless_side():
    see_through = Image.new("RGBA", (8, 6), (255, 0, 0, 128))
    found = encode(see_through, SaveSettings(format="jpeg"), "JPEG")
    assert found.suffix == ".png" and "transparency" in found.note and Image.open(io.BytesIO(found.data)).mode == "RGBA"
    long = encode(Image.new("RGB", (17000, 2)), SaveSettings(format="webp"), "PNG")
    assert long.suffix == ".png" and "16383" in long.note


def test_webp_without_loss_keeps_every_pixel_also_of_what_is_transparent():
    noise = Image.effect_noise((40, 30), 90).convert("RGB")
    noise.putalpha(Image.linear_gradient("L").resize((40, 30)))
    back = Image.open(io.BytesIO(encode(noise, SaveSettings(format="webp"), "PNG").data))
    assert back.mode == "RGBA" and back.tobytes() == noise.tobytes()
    lossy = encode(noise, SaveSettings(format="webp", lossless=False, quality=85), "PNG").data
    assert Image.open(io.BytesIO(lossy)).tobytes() != noise.tobytes()


def test_camera_notes_are_kept_only_when_asked_and_never_the_place(tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x8825] = "Some Camera", 6, {1: "N", 2: (1.0, 2.0, 3.0)}
    for wanted in (True, False):
        data = encode(picture(), SaveSettings(metadata=wanted), "JPEG", "", exif).data
        kept = Image.open(io.BytesIO(data)).getexif()
        assert (kept.get(0x010F) == "Some Camera") is wanted and 0x0112 not in kept and 0x8825 not in kept


def test_taking_back_copies_nothing_so_that_a_full_disk_costs_no_version(project, monkeypatch):
    make_pictures(project.images, [(8, 6)])
    stem = next(project.images.glob("*.png")).stem
    save_variant(project, stem, "upscaled", png("red"), ".png")
    save_variant(project, stem, "upscaled", png("blue"), ".png")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.dataset.images.variants.write_bytes", full)
    take_back_variant(project, Variant(stem, "upscaled", f"{stem}_upscaled.png"))
    assert Image.open(project.variants / f"{stem}_upscaled.png").getpixel((0, 0))[:3] == (255, 0, 0)
    assert Image.open(project.variants / ".replaced" / f"{stem}_upscaled.png").getpixel((0, 0))[:3] == (0, 0, 255)
    take_back_variant(project, Variant(stem, "upscaled", f"{stem}_upscaled.png"))
    assert Image.open(project.variants / f"{stem}_upscaled.png").getpixel((0, 0))[:3] == (0, 0, 255)


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_taking_back_that_fails_in_the_middle_leaves_everything_as_it_was(project, monkeypatch, failing):
    save_variant(project, "a", "upscaled", png("red"), ".png")
    save_variant(project, "a", "upscaled", png("blue"), ".png")
    move, left = os.replace, [failing]

    def broken(*places):
        left[0] -= 1
        if left[0] == 0:
            raise OSError(errno.EIO, "Input/output error")
        move(*places)

    monkeypatch.setattr("core.dataset.images.variants.os.replace", broken)
    with pytest.raises((DiskError, OSError)):
        take_back_variant(project, Variant("a", "upscaled", "a_upscaled.png"))
    assert files(project) == {"a_upscaled.png": (0, 0, 255), ".replaced/a_upscaled.png": (255, 0, 0)}


def files(project):
    """Every file of variants/, and its colour."""
    return {path.relative_to(project.variants).as_posix(): Image.open(path).convert("RGB").getpixel((0, 0))
            for path in project.variants.rglob("*") if path.is_file()}


@pytest.mark.parametrize("after", [1, 2])
def test_a_version_that_was_left_between_when_the_machine_went_down_stands_again(project, monkeypatch, after):
    save_variant(project, "a", "upscaled", png("red"), ".png")
    save_variant(project, "a", "upscaled", png("blue"), ".png")
    move, left = os.replace, [after]

    class Down(BaseException):
        pass

    def down(*places):
        if left[0] == 0:
            raise Down
        left[0] -= 1
        move(*places)

    with monkeypatch.context() as broken, pytest.raises(Down):
        broken.setattr("core.dataset.images.variants.os.replace", down)
        take_back_variant(project, Variant("a", "upscaled", "a_upscaled.png"))
    assert ".a_upscaled.png" in files(project)
    list_variants(project, {"a"})
    assert ".a_upscaled.png" in files(project), "who takes it back may be at it at this moment"
    monkeypatch.setattr("core.dataset.images.variants.AT_IT", 0.0)
    assert [one.name for one in list_variants(project, {"a"})["a"]] == ["a_upscaled.png"]
    back = {"a_upscaled.png": (255, 0, 0), ".replaced/a_upscaled.png": (0, 0, 255)}
    assert files(project) == (back if after == 2 else {name: back[other] for name, other in zip(back, reversed(back), strict=True)})
