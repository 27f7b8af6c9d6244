"""What the workbench tells of a picture's versions, and taking one back."""

import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.dataset.images.bench import bring_back, look_at_picture, take_back, take_back_made
from core.dataset.images.resizing import Resizer, ResizeSettings
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.variants import save_variant
from core.dataset.images.working import work_on


@pytest.fixture
def picture(project):
    Image.new("RGB", (400, 300), "red").save(project.images / "girl.jpg")
    return project


def resize(project, side):
    work_on(project, Resizer(ResizeSettings.make(side=side)), ["girl"])


def test_the_versions_are_told_with_size_and_history(picture):
    resize(picture, 200)
    save_variant(picture, "girl", "upscaled", encode(Image.new("RGB", (800, 600)), SaveSettings(), "PNG").data, ".png")
    save_variant(picture, "girl", "mask", encode(Image.new("L", (800, 600)), SaveSettings(), "PNG").data, ".png", "face_focus")
    found = look_at_picture(picture, "girl")
    assert [version.words() for version in found.versions] == [
        "Picture (400 × 300)", "Resized (200 × 150)", "Upscaled (800 × 600, brought along)",
        "Mask (face_focus) (800 × 600, brought along)"]
    assert found.present.title == "Upscaled" and found.version("girl_resized.jpg").how == "resized"
    with pytest.raises(DatasetError, match="not there any more"):
        found.version("girl_inpainted.png")


def test_taking_back_brings_the_one_before(picture):
    resize(picture, 200)
    assert not look_at_picture(picture, "girl").versions[1].can_go_back
    save_variant(picture, "girl", "resized", encode(Image.new("RGB", (100, 75)), SaveSettings(), "PNG").data, ".png")
    assert look_at_picture(picture, "girl").versions[1].can_go_back
    assert "girl_resized.jpg as it was before stands again" in take_back(picture, "girl", "girl_resized.png")
    assert look_at_picture(picture, "girl").present.size == (200, 150)
    with pytest.raises(DatasetError, match="not there any more"):
        take_back(picture, "girl", "girl_resized.png")


def test_a_version_of_an_older_picture_and_a_broken_one_are_said(picture):
    resize(picture, 200)
    Image.new("RGB", (500, 300), "blue").save(picture.images / "girl.jpg")
    (picture.variants / "girl_upscaled.png").write_bytes(b"no picture")
    assert [version.words() for version in look_at_picture(picture, "girl").versions[1:]] == [
        "Resized (200 × 150, of an older picture)", "Upscaled (cannot be opened, brought along)"]


def test_a_version_that_was_put_aside_is_told_and_stands_again(picture):
    resize(picture, 200)
    take_back(picture, "girl", "girl_resized.jpg")
    found = look_at_picture(picture, "girl")
    assert [version.words() for version in found.aside] == ["Resized (200 × 150)"] and len(found.versions) == 1
    assert bring_back(picture, "girl", "girl_resized.jpg") == "girl_resized.jpg stands again."
    assert look_at_picture(picture, "girl").present.size == (200, 150) and look_at_picture(picture, "girl").aside == ()
    with pytest.raises(DatasetError, match="another one stands in its place"):
        bring_back(picture, "girl", "girl_resized.jpg")


def test_what_a_tool_made_is_taken_back_and_what_stood_before_stands_again(picture):
    Image.new("RGB", (400, 300), "blue").save(picture.images / "girl_2.jpg")
    resize(picture, 200)
    resize(picture, 100)
    work_on(picture, Resizer(ResizeSettings.make(side=100)), ["girl_2"])
    names = ["girl_resized.jpg", "girl_2_resized.jpg", "gone_resized.jpg"]
    assert take_back_made(picture, names, ["upscale"]) == "0 versions put aside; 2 worked on further since stay."
    assert take_back_made(picture, names, ["resize"]) == "2 versions put aside; 1 that stood before stands again."
    assert look_at_picture(picture, "girl").present.size == (200, 150) and look_at_picture(picture, "girl_2").present.kind is None
