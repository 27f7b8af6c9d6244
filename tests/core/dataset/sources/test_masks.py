"""Masks beside pictures are no pictures to learn from: they are told by their names, and come into variants/."""

import pytest

from core.dataset.manager import DatasetManager
from core.dataset.sources import SourceContent, SourceFile
from core.dataset.sources.masks import set_masks_apart
from tests.core.dataset.small_things import picture
from tests.core.dataset.sources.test_importing import bring, fingerprint, names

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def variants(project) -> list[str]:
    return sorted(path.name for path in project.variants.iterdir()) if project.variants.is_dir() else []


@pytest.mark.parametrize(("image", "mask"), [
    ("a.png", "a-masklabel.png"), ("x/a.jpg", "x/a_mask.png"), ("x/A.webp", "x/a_Mask.png"), ("a.png", "mask/a.png"),
    ("x/a.png", "x/Masks/a.png"), ("x/y/a.png", "x/masks/y/a.png"), ("x/a.png", "x/masks/a_mask.png"), ("images/a.png", "masks/a.png"),
    ("img/10_cat/a.png", "img/mask/a.png")])
def test_a_mask_comes_into_variants_under_the_name_of_its_picture(project, tmp_path, image, mask):
    source = tmp_path / "source"
    picture(source / image)
    picture(source / mask, WHITE)
    before = fingerprint(source)
    report = bring(project, source)
    name = report.imported[0].name
    assert names(project) == [name] and variants(project) == [f"{name.rpartition('.')[0]}_mask.png"]
    assert next(project.variants.iterdir()).read_bytes() == (source / mask).read_bytes() and fingerprint(source) == before
    assert report.sentence() == "1 image imported. 1 mask was brought into variants/, not among the pictures."
    assert DatasetManager.open(project.folder).opening().masks == 1


@pytest.mark.parametrize("files", [
    ("mask.png", "_mask.png", "cat_mask.png"), ("masks/1.png", "masks/2.png"), ("masks/1.png", "hats/1.png"),
    ("a_mask.png", "sub/a.png")])
def test_a_mask_without_its_picture_is_a_picture(project, tmp_path, files):
    for number, file in enumerate(files):
        picture(tmp_path / "source" / file, (number, 9, 9))
    report = bring(project, tmp_path / "source")
    assert sorted(image.source for image in report.imported) == sorted(files) and report.masks == 0 and variants(project) == []


def test_a_mask_of_what_is_itself_no_mask_stays_its_own():
    files = [SourceFile(name, None) for name in ("a_mask.png", "a_mask-masklabel.png", "masks/a_mask.png", "b.png", "b_mask.png")]
    content = SourceContent(images=files)
    set_masks_apart(content)
    assert [file.name for file in content.images] == ["a_mask.png", "b.png"]
    assert {name: [mask.name for mask in masks] for name, masks in content.masks.items()} == {
        "a_mask.png": ["a_mask-masklabel.png", "masks/a_mask.png"], "b.png": ["b_mask.png"]}
    set_masks_apart(content)
    assert len(content.images) == 2 and len(content.masks) == 2


def test_masks_that_cannot_be_brought_stay_in_the_source_with_the_reason(project, tmp_path):
    source = tmp_path / "source"
    for number, name in enumerate(("small.png", "guide.png", "jpeg.png", "torn.png")):
        picture(source / name, (number, 1, 1))
    picture(source / "turned.jpg", exif=orientation(3))
    (source / "broken.png").write_bytes(b"x")
    picture(source / "small_mask.png", WHITE, (32, 32))
    picture(source / "conditioning" / "guide.png", WHITE)
    picture(source / "masks" / "jpeg.jpg", WHITE)
    (source / "torn_mask.png").write_bytes(b"no picture")
    picture(source / "turned_mask.png", WHITE)
    picture(source / "broken_mask.png", WHITE)
    report = bring(project, source)
    reasons = {item.name: item.reason for item in report.skipped}
    assert variants(project) == [] and report.masks == 0 and report.masks_left == 6
    assert reasons["small_mask.png"] == ("It is the mask of small.png, no picture to learn from. It has 32 x 32 pixels, its picture "
                                         "64 x 48. It stays where it is.")
    assert "ControlNet" in reasons["conditioning/guide.png"] and "It is JPEG" in reasons["masks/jpeg.jpg"]
    assert "turned upright" in reasons["turned_mask.png"] and "was not taken" in reasons["broken_mask.png"] and "torn_mask.png" in reasons
    assert "6 masks stay in the source." in report.sentence() and len(report.imported) == 5


def orientation(number: int):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def test_a_mask_that_is_there_is_not_replaced_and_a_second_import_brings_nothing_twice(project, tmp_path):
    source = tmp_path / "source"
    picture(source / "a.png")
    picture(source / "a_mask.png", WHITE)
    bring(project, source)
    again = bring(project, source)
    assert (again.masks, again.masks_left, len(again.already), again.skipped) == (0, 0, 1, [])
    picture(source / "a_mask.png", BLACK)
    mine = (project.variants / "a_mask.png").read_bytes()
    again = bring(project, source)
    assert (project.variants / "a_mask.png").read_bytes() == mine and "is another one" in again.skipped[0].reason
    (project.variants / "a_mask.png").unlink()
    assert bring(project, source).masks == 1  # as after an import that was interrupted before it


def test_captions_of_masks_do_not_come_for_their_pictures(project, tmp_path):
    source = tmp_path / "source"
    picture(source / "a.png")
    picture(source / "masks" / "a.png", WHITE)
    (source / "masks" / "a.txt").write_text("white, simple background")
    report = bring(project, source)
    assert names(project) == ["a.png"] and (report.differ, report.same) == (0, 0)
    assert [(item.name, item.reason) for item in report.skipped] == [("masks/a.txt", "It is the caption of a mask.")]


def test_what_has_a_caption_of_its_own_or_colours_is_not_brought_as_a_mask(project, tmp_path):
    source = tmp_path / "source"
    for number, name in enumerate(("girl.png", "girl_mask.png", "boy.png", "boy_mask.png")):
        picture(source / name, (200, 40 * number, 10))
    (source / "girl_mask.txt").write_text("1girl, wearing a mask")
    report = bring(project, source)
    assert sorted(image.source for image in report.imported) == ["boy.png", "girl.png", "girl_mask.png"] and report.masks == 0
    assert [(item.name, "It has colours" in item.reason) for item in report.skipped] == [("boy_mask.png", True)]
