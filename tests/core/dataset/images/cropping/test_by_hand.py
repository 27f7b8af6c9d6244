"""Cutting by hand: boxes held to proportions, parts that stand beside each other, a crop in the picture's place, and slips of the hand."""

import threading

import pytest
from PIL import Image
from skimage.data import coffee

from core.base.errors import DatasetError
from core.dataset.images.bench import look_at_picture, take_back
from core.dataset.images.cropping.by_hand import HandCropSettings, Ratio, crop_by_hand, make_hand_cropper, ratios_for
from core.dataset.images.cropping.planning import CropSettings
from core.dataset.images.cropping.smart import crop_images
from core.dataset.images.resizing import ResizeSettings, resize_images
from core.dataset.images.working import keep, try_on
from core.stages import run_stage
from tests.core.dataset.images.detecting.small_detectors import detectors_in, red_finder, with_red

FREE = Ratio("free", 0, 0)


def settings(*box, **values):
    return HandCropSettings.make(**{"image": "girl", "box": box or (10, 20, 110, 220), **values})


def names(project):
    return sorted(path.name for path in project.variants.iterdir() if not path.name.startswith(".")) if project.variants.is_dir() else []


@pytest.fixture
def girl(project):
    """Each pixel tells where it is."""
    picture = Image.new("RGB", (250, 240))
    picture.putdata([(x, y, 0) for y in range(240) for x in range(250)])
    picture.save(project.images / "girl.png")
    return project


def test_a_part_is_cut_to_the_pixel_and_further_ones_stand_beside_it(girl):
    assert crop_by_hand(girl, settings()).made[0].name == "girl_crop.png"
    part = Image.open(girl.variants / "girl_crop.png").convert("RGB")
    assert part.size == (100, 200) and part.getpixel((0, 0)) == (10, 20, 0) and part.getpixel((99, 199)) == (109, 219, 0)
    crop_by_hand(girl, settings(50, 50, 100, 100))
    crop_by_hand(girl, settings(0, 0, 50, 50, label="hand"))
    assert names(girl) == ["girl_crop-2.png", "girl_crop.png", "girl_hand.png"]
    assert crop_by_hand(girl, settings()).there == ["girl.png"], "the same box again is nothing new"
    crop_by_hand(girl, settings(0, 0, 60, 60, label="hand"))
    assert Image.open(girl.variants / "girl_hand.png").size == (60, 60) and len(names(girl)) == 3
    assert Image.open(girl.variants / ".replaced" / "girl_hand.png").size == (50, 50)


@pytest.mark.parametrize("becomes", ["part", "picture"])
def test_every_pixel_of_a_jpeg_stays_as_it_is(project, becomes):
    Image.fromarray(coffee()[:240, :250]).save(project.images / "girl.jpg", quality=90)
    path = project.variants / crop_by_hand(project, settings(becomes=becomes)).made[0].name
    with Image.open(project.images / "girl.jpg") as before, Image.open(path) as after:
        assert path.suffix == ".png" and after.tobytes() == before.crop((10, 20, 110, 220)).tobytes()


def test_smart_crop_never_takes_away_what_was_cut_by_hand(project, tmp_path, monkeypatch):
    red_finder(detectors_in(tmp_path, monkeypatch)("anime-face"), side=640)
    with_red((1024, 1024), (400, 150, 560, 350)).save(project.images / "girl.png")
    crop_by_hand(project, settings(0, 0, 400, 300, label="flag"))
    wanted = CropSettings.make(framings=("face_focus",), detector="anime-face")
    assert crop_images(project, wanted).made[0].name == "girl_face_focus.png"
    crop_images(project, wanted.changed(smallest=4000))
    assert names(project) == ["girl_flag.png"]


def test_in_the_pictures_place_it_stands_for_it_and_can_be_cut_further_and_taken_back(girl):
    crop_by_hand(girl, settings(10, 20, 210, 220, becomes="picture"))
    assert names(girl) == ["girl_resized.png"] and look_at_picture(girl, "girl").present.size == (200, 200)
    crop_by_hand(girl, settings(10, 10, 60, 60, becomes="picture"))
    assert Image.open(girl.variants / "girl_resized.png").convert("RGB").getpixel((0, 0)) == (20, 30, 0), "on what was shown"
    assert look_at_picture(girl, "girl").present.how == "cut out by hand, cut out by hand"
    take_back(girl, "girl", "girl_resized.png")
    assert look_at_picture(girl, "girl").present.size == (200, 200)


def test_a_part_is_cut_from_the_version_that_is_shown(girl):
    resize_images(girl, ResizeSettings.make(mode="longest", side=125))
    crop_by_hand(girl, settings(0, 0, 100, 100))
    assert Image.open(girl.variants / "girl_crop.png").size == (100, 100)
    with pytest.raises(DatasetError, match="125 x 120 pixels"):
        crop_by_hand(girl, settings(0, 0, 126, 100))


def test_what_would_not_fit_its_mask_is_refused(girl):
    Image.new("L", (250, 240), 255).save(girl.variants / "girl_mask.png")
    with pytest.raises(DatasetError, match=r"girl_mask.png would not fit"):
        crop_by_hand(girl, settings(becomes="picture"))
    assert crop_by_hand(girl, settings()).made


@pytest.mark.parametrize(("box", "why"), [
    ((0, 0, 0, 0), "does not lie in"), ((-1, 0, 50, 50), "does not lie in"), ((50, 0, 20, 50), "does not lie in"),
    ((0, 0, 251, 240), "does not lie in"), ((10, 10, 20, 200), "10 x 190 pixels")])
def test_slips_of_the_hand_are_refused(girl, box, why):
    with pytest.raises(DatasetError, match=why):
        crop_by_hand(girl, settings(*box))
    assert names(girl) == []


@pytest.mark.parametrize("label", ["Face", "a b", "mask", "../x", "upscaled"])
def test_names_that_no_part_can_have_are_refused(girl, label):
    with pytest.raises(DatasetError, match="cannot be called"):
        crop_by_hand(girl, settings(label=label))


def test_no_picture_is_refused(girl):
    for image in ("", "nobody"):
        with pytest.raises(DatasetError, match="picture"):
            crop_by_hand(girl, settings(image=image))


def test_two_at_once_lose_nothing(girl):
    boxes = [(0, 0, 100, 100), (100, 100, 200, 200), (20, 20, 200, 200)]
    work = [threading.Thread(target=crop_by_hand, args=(girl, settings(*box))) for box in boxes]
    for one in work:
        one.start()
    for one in work:
        one.join(60)
    assert names(girl) == ["girl_crop-2.png", "girl_crop-3.png", "girl_crop.png"]


def test_it_is_tried_before_it_is_kept_and_a_stage(girl):
    tried = try_on(girl, make_hand_cropper(girl, settings()), "girl")
    assert tried.files[0].size == (100, 200) and names(girl) == []
    assert [path.name for path in keep(girl, tried)] == ["girl_crop.png"]
    told = run_stage("crop-by-hand", girl.folder, {"image": "girl", "box": [0, 0, 30, 30], "label": "eye"})
    assert told["made"][0]["name"] == "girl_eye.png"


# Proportions


def test_the_training_sizes_are_among_the_proportions(project):
    ratios = ratios_for(project)
    assert [one.title for one in ratios[:4]] == ["free", "1:1", "2:3", "3:2"]
    assert Ratio("512 x 512", 512, 512, True) in ratios and Ratio("448 x 576", 448, 576, True) in ratios
