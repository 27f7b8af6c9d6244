"""Masks belong to the section of the picture that they were drawn on, wherever one is taken."""

from pathlib import Path

import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.dataset.export.checking import check_export
from core.dataset.export.exporting import export_dataset
from core.dataset.export.settings import ExportSettings
from core.dataset.images.bench import take_back
from core.dataset.images.cropping.by_hand import HandCropSettings, crop_by_hand
from core.dataset.images.framing_of import fitting_mask, misfit
from core.dataset.images.inpainting.painting import inpaint_images
from core.dataset.images.inpainting.settings import InpaintSettings
from core.dataset.images.mask_by_hand import open_drawing
from core.dataset.images.mask_edits import read_operations
from core.dataset.images.resizing import ResizeSettings, resize_images
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.segmenting.masking import mask_images
from core.dataset.images.segmenting.settings import MaskSettings
from core.dataset.images.transparent import TransparentSettings, make_transparent
from core.dataset.images.variants import save_variant
from core.dataset.items import one_item

SIZE = (400, 300)
SQUARE = read_operations([{"op": "rectangle", "from": [0, 0], "to": [20, 20]}])


@pytest.fixture
def girl(project):
    Image.new("RGB", SIZE, (200, 30, 30)).save(project.images / "girl.png")
    (project.images / "girl.txt").write_text("girl")
    return project


def cut(project, *box, becomes="part", **settings):
    crop_by_hand(project, HandCropSettings.make(image="girl", box=box, becomes=becomes, **settings))


def trimmed_masked_and_taken_back(project, use="learn"):
    """A mask of the right lower quarter, and the picture is whole again."""
    cut(project, 200, 150, 400, 300, becomes="picture")
    mask = open_drawing(project, "girl", use=use).save(SQUARE)
    take_back(project, "girl", "girl_resized.png")
    return mask


def trouble(project, mask, shown):
    return misfit(mask, shown, one_item(project, "girl"))


def test_a_mask_of_the_trimmed_picture_is_none_of_the_whole_one(girl):
    mask = trimmed_masked_and_taken_back(girl)
    picture = girl.images / "girl.png"
    assert trouble(girl, mask, picture) == "girl_mask.png was made of another section of the picture than girl.png shows."
    with pytest.raises(DatasetError, match="another section"):
        fitting_mask(mask, picture, one_item(girl, "girl"), SIZE)
    assert "another section" in make_transparent(girl, TransparentSettings()).skipped[0].reason
    report = mask_images(girl, MaskSettings(segmenter="place", existing="add"))
    assert "another section" in report.skipped[0].reason
    check = check_export(girl, ExportSettings.make(layout="onetrainer"))
    assert any("another section" in one.what and "girl_mask.png" in one.what for one in check.findings)
    assert export_dataset(girl, ExportSettings.make(layout="onetrainer")).masks == 0


def test_what_is_repaired_is_not_marked_on_another_section(girl):
    trimmed_masked_and_taken_back(girl, use="repaint")
    report = inpaint_images(girl, InpaintSettings.make(method="smooth"))
    assert "another section" in report.skipped[0].reason and not report.made


def test_a_part_cut_anew_does_not_keep_the_mask_of_another_box(girl):
    cut(girl, 0, 0, 100, 100, label="face")
    mask = open_drawing(girl, "girl", "face").save(SQUARE)
    assert trouble(girl, mask, girl.variants / "girl_face.png") == ""
    cut(girl, 200, 150, 300, 250, label="face")
    assert "another section" in trouble(girl, mask, girl.variants / "girl_face.png")
    skipped = make_transparent(girl, TransparentSettings.make(parts=True, by="mask")).skipped
    assert ["another section" in one.reason for one in skipped if one.name == "girl.png (face)"] == [True]


def test_beside_a_cut_out_everything_counts(girl):
    open_drawing(girl, "girl").save(read_operations([{"op": "rectangle", "from": [200, 150], "to": [400, 300]}]))
    make_transparent(girl, TransparentSettings.make(crop=True, margin=0))
    Image.new("RGB", SIZE).save(girl.images / "other.png")
    (girl.images / "other.txt").write_text("other")
    open_drawing(girl, "other").save(SQUARE)
    report = export_dataset(girl, ExportSettings.make(layout="onetrainer", transparent=True))
    found = {path.name: Image.open(path).getextrema() for path in Path(report.folder).rglob("*masklabel.png")}
    assert report.masks == 1 and found.get("girl-masklabel.png", (255, 255)) == (255, 255)


@pytest.mark.parametrize(("settings", "fits"), [
    ({"mode": "longest", "side": 200}, True), ({"mode": "exact", "width": 200, "height": 150}, True),
    ({"mode": "exact", "width": 200, "height": 200}, False)])
def test_another_size_is_no_other_section_unless_something_is_cut_off(girl, settings, fits):
    mask = open_drawing(girl, "girl").save(SQUARE)
    resize_images(girl, ResizeSettings.make(**settings))
    assert (trouble(girl, mask, girl.variants / "girl_resized.png") == "") is fits


def test_another_picture_under_the_same_name_has_no_mask_yet(girl):
    mask = open_drawing(girl, "girl").save(SQUARE)
    Image.new("RGB", SIZE, (0, 0, 90)).save(girl.images / "girl.png")
    assert trouble(girl, mask, girl.images / "girl.png") == "girl_mask.png was made of another picture than girl.png is now."


def test_a_file_that_does_not_say_how_it_was_made_goes_by_its_proportions(girl):
    brought = save_variant(girl, "girl", "mask", encode(Image.new("L", (200, 150), 255), SaveSettings(format="png"), "PNG").data, ".png")
    cut(girl, 0, 0, 200, 150, label="face")
    for shown in (girl.images / "girl.png", girl.variants / "girl_face.png"):
        assert trouble(girl, brought, shown) == ""
    cut(girl, 0, 0, 100, 100, label="face")
    assert trouble(girl, brought, girl.variants / "girl_face.png") == "girl_mask.png has 200 x 150 pixels, its picture 100 x 100."


def test_a_mask_that_does_not_belong_to_it_is_drawn_anew(girl):
    mask = trimmed_masked_and_taken_back(girl)
    drawing = open_drawing(girl, "girl")
    assert drawing.begun == () and "another section" in drawing.note and "begins empty" in drawing.note
    drawing.save(SQUARE)
    assert drawing.note == "" and Image.open(mask).size == SIZE and open_drawing(girl, "girl").begun == SQUARE
    resize_images(girl, ResizeSettings.make(mode="exact", width=200, height=200))
    assert open_drawing(girl, "girl").begun == () and "400 x 300" in open_drawing(girl, "girl").note
    mask.write_bytes(b"no picture")
    assert open_drawing(girl, "girl").begun == () and "begins empty" in open_drawing(girl, "girl").note
