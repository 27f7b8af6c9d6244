"""What the workbench tells of a picture's versions, and taking one back."""

import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.dataset.images.bench import look_at_picture, take_back
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
