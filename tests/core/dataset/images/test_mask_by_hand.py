"""Masks drawn by hand as versions: kept with their operations, drawn on later, and never over what was changed meanwhile."""

import json
import shutil

import numpy
import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.dataset.images.mask_by_hand import open_drawing
from core.dataset.images.mask_edits import read_operations
from core.dataset.images.masks import rectangle
from core.dataset.images.segmenting.masking import mask_images
from core.dataset.images.segmenting.settings import MaskSettings
from core.dataset.images.variants import read_made, save_variant
from core.models.warm import WARM
from tests.core.dataset.images.segmenting.small_sams import save_mobile_sam

SIZE = (90, 60)
SQUARE = {"op": "rectangle", "from": [10, 10], "to": [30, 30]}


def ops(*values):
    return read_operations(json.dumps(list(values)))


@pytest.fixture
def girl(project):
    Image.new("RGB", SIZE, (30, 90, 160)).save(project.images / "girl.png")
    return project


def test_a_mask_is_saved_with_its_operations_and_drawn_on(girl):
    drawing = open_drawing(girl, "girl")
    assert drawing.begun == () and drawing.size == SIZE and drawing.path == girl.images / "girl.png"
    path = drawing.save(ops(SQUARE))
    assert path.name == "girl_mask.png" and (numpy.array(Image.open(path)) == rectangle(SIZE, (10, 10), (30, 30))).all()
    assert [step.tool for step in read_made(path).steps] == ["mask-by-hand"]
    again = open_drawing(girl, "girl")
    assert again.begun == ops(SQUARE)
    again.save((*again.begun, *ops({"op": "invert"})))
    assert numpy.array(Image.open(path))[20, 20] == 0 and open_drawing(girl, "girl").begun[-1].op == "invert"


def test_the_bulk_stage_leaves_it_alone_and_what_is_repainted_is_another(girl):
    path = open_drawing(girl, "girl").save(ops(SQUARE))
    kept = path.read_bytes()
    report = mask_images(girl, MaskSettings(segmenter="place"))
    assert "drawn by hand" in report.skipped[0].reason and path.read_bytes() == kept
    other = open_drawing(girl, "girl", use="repaint")
    assert other.begun == () and other.save(ops({"op": "clear", "whole": True})).name == "girl_repaint_mask.png"
    assert len(mask_images(girl, MaskSettings(segmenter="place", existing="replace")).made) == 1


def test_very_many_operations_are_kept_beside(girl):
    strokes = ops(*({"op": "stroke", "points": [[x, y], [y, x], [x, 30]], "width": 2.5} for x in range(0, 60, 2) for y in range(0, 60, 4)))
    path = open_drawing(girl, "girl").save(strokes)
    assert path.stat().st_size < 40_000 and open_drawing(girl, "girl").begun == strokes


def test_a_mask_of_another_tool_or_another_size_is_the_ground_to_draw_on(girl):
    mask_images(girl, MaskSettings(segmenter="place", place="top-left", width=50, height=50))
    drawing = open_drawing(girl, "girl")
    assert [one.op for one in drawing.begun] == ["given"]
    assert (drawing.draw(drawing.begun) == rectangle(SIZE, (0, 0), (45, 30))).all()
    drawing.save((*drawing.begun, *ops(SQUARE)))
    Image.new("RGB", (180, 120), (30, 90, 160)).save(girl.folder / "large.png")
    save_variant(girl, "girl", "upscaled", (girl.folder / "large.png").read_bytes(), ".png")
    larger = open_drawing(girl, "girl")
    assert larger.size == (180, 120) and [one.op for one in larger.begun] == ["given"]
    assert larger.draw(larger.begun)[50, 80] == 255 and larger.draw(larger.begun)[100, 150] == 0


def test_nothing_is_saved_over_what_was_changed_meanwhile_nor_an_empty_mask(girl):
    drawing = open_drawing(girl, "girl")
    with pytest.raises(DatasetError, match="Nothing is drawn"):
        drawing.save(ops(SQUARE, {"op": "clear"}))
    Image.new("RGB", (180, 120)).save(girl.folder / "large.png")
    save_variant(girl, "girl", "upscaled", (girl.folder / "large.png").read_bytes(), ".png")
    with pytest.raises(DatasetError, match=r"drawn on girl.png, now there is girl_upscaled.png"):
        drawing.save(ops(SQUARE))
    with pytest.raises(DatasetError, match="no part called 'face'"):
        open_drawing(girl, "girl", "face")
    assert not list(girl.variants.glob("*_mask.png"))


def test_a_part_has_a_mask_of_its_own(girl):
    Image.new("RGB", (40, 40), (200, 90, 160)).save(girl.folder / "part.png")
    save_variant(girl, "girl", "part", (girl.folder / "part.png").read_bytes(), ".png", "face_focus")
    drawing = open_drawing(girl, "girl", "face_focus")
    assert drawing.size == (40, 40) and drawing.save(ops(SQUARE)).name == "girl_face_focus_mask.png"
    assert open_drawing(girl, "girl").begun == () and open_drawing(girl, "girl", "face_focus").begun == ops(SQUARE)


def test_a_click_is_part_of_the_list_and_its_mask_can_be_kept(girl, tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    save_mobile_sam(tmp_path / "models" / "segmenters")
    drawing = open_drawing(girl, "girl")
    clicked = ops({"op": "segment", "model": "mobile-sam", "points": [[45, 30, True]]})
    mask = drawing.draw(clicked)
    assert mask[30, 45] == 255 and mask[5, 5] == 0
    kept = drawing.sources.keep(mask)
    assert (open_drawing(girl, "girl").draw((kept,)) == mask).all()
    drawing.save((kept, *ops(SQUARE)))
    WARM.unload_all()
    assert (open_drawing(girl, "girl").draw((kept,)) == mask).all()


def test_a_click_is_answered_once_and_kept(girl, tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    save_mobile_sam(tmp_path / "models" / "segmenters")
    clicked = ops({"op": "segment", "model": "mobile-sam", "points": [[45, 30, True]]}, {"op": "invert"})
    drawing = open_drawing(girl, "girl")
    mask = drawing.draw(clicked).copy()
    WARM.unload_all()
    for model in (tmp_path / "models" / "segmenters").iterdir():
        shutil.rmtree(model) if model.is_dir() else model.unlink()
    assert (open_drawing(girl, "girl").draw(clicked) == mask).all(), "a draft is drawn again without the model"
    drawing.save(clicked)
    Image.new("RGB", SIZE, (250, 250, 0)).save(girl.folder / "other.png")
    save_variant(girl, "girl", "upscaled", (girl.folder / "other.png").read_bytes(), ".png")
    again = open_drawing(girl, "girl")
    assert [one.op for one in again.begun] == ["given", "invert"] and again.note == ""
    assert (again.draw(again.begun) == mask).all(), "also on a version that looks otherwise"


def test_where_its_steps_are_lost_a_mask_is_gone_on_with_in_one_piece(girl):
    drawing = open_drawing(girl, "girl")
    given = drawing.sources.keep(rectangle(SIZE, (0, 0), (50, 50)))
    mask = numpy.array(Image.open(drawing.save((given, *ops(SQUARE, {"op": "invert"})))))
    shutil.rmtree(girl.hidden / "masks")
    again = open_drawing(girl, "girl")
    assert [one.op for one in again.begun] == ["given"] and (again.draw(again.begun) == mask).all()
    assert again.note.startswith("How girl_mask.png was drawn is not wholly known any more")


def test_nothing_is_saved_over_another_file_of_the_same_name_and_size(girl):
    drawing = open_drawing(girl, "girl")
    Image.new("RGB", SIZE, (0, 0, 90)).save(girl.images / "girl.png")
    with pytest.raises(DatasetError, match="another file than the one that was drawn on"):
        drawing.save(ops(SQUARE))
    assert open_drawing(girl, "girl").save(ops(SQUARE)).is_file()
