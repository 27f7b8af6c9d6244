"""Masks that a model made for drawings are kept as long as a mask or a draft names them, and no longer."""

import json
import os
import time

import pytest
from PIL import Image

from core.dataset.images.kept_masks import KEPT_AT_LEAST, prune_kept_masks
from core.dataset.images.mask_by_hand import open_drawing
from core.dataset.images.mask_edits import read_operations
from core.dataset.images.masks import rectangle
from core.dataset.images.variants import Variant, put_aside_variant
from core.dataset.rejecting import RejectSettings, reject_images
from core.models.warm import WARM
from tests.core.dataset.images.segmenting.small_sams import save_mobile_sam

SIZE = (90, 60)
SQUARE = {"op": "rectangle", "from": [10, 10], "to": [30, 30]}


def ops(*values):
    return read_operations(json.dumps(list(values)))


@pytest.fixture
def girl(project):
    for name in ("girl", "boy"):
        Image.new("RGB", SIZE, (30, 90, 160)).save(project.images / f"{name}.png")
    return project


def kept(project):
    return {path.name for path in (project.hidden / "masks").iterdir() if path.is_file() and not path.name.startswith(".")}


def grow_old(project):
    long_ago = time.time() - KEPT_AT_LEAST - 60
    for path in (project.hidden / "masks").rglob("*"):
        os.utime(path, (long_ago, long_ago))


def some(drawing, number):
    return drawing.sources.keep(rectangle(SIZE, (0, 0), (number, 20)))


def test_what_no_mask_and_no_draft_names_goes_after_a_while(girl):
    drawing = open_drawing(girl, "girl")
    used, undone = some(drawing, 10), some(drawing, 20)
    drawing.save((used,))
    other = open_drawing(girl, "boy")
    drafted = some(other, 30)
    other.keep_draft((drafted,))
    (girl.hidden / "masks" / "drafts" / "gone..learn.json").write_text('{"size": [90, 60], "of": "gone.png", "operations": []}')
    (girl.hidden / "masks" / "drafts" / "damaged..learn.json").write_text("{")
    prune_kept_masks(girl)
    assert kept(girl) == {f"{one.name}.png" for one in (used, undone, drafted)}, "it may be done again at this moment"
    grow_old(girl)
    prune_kept_masks(girl)
    assert kept(girl) == {f"{one.name}.png" for one in (used, drafted)}
    assert open_drawing(girl, "girl").begun == (used,) and open_drawing(girl, "boy").draft() == (drafted,)


def test_clicks_of_a_draft_are_kept_too(girl, tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    save_mobile_sam(tmp_path / "models" / "segmenters")
    drawing = open_drawing(girl, "girl")
    clicked = ops({"op": "segment", "model": "mobile-sam", "points": [[45, 30, True]]})
    drawing.draw(clicked)
    drawing.draw(ops({"op": "segment", "model": "mobile-sam", "points": [[20, 30, True]]}))
    drawing.keep_draft(clicked)
    grow_old(girl)
    prune_kept_masks(girl)
    assert len(kept(girl)) == 1
    WARM.unload_all()
    (tmp_path / "models" / "segmenters").rename(tmp_path / "gone")
    open_drawing(girl, "girl").draw(clicked)


def test_masks_that_were_put_aside_or_whose_picture_was_name_theirs_too_and_so_do_long_lists(girl):
    drawing = open_drawing(girl, "girl")
    strokes = [{"op": "stroke", "points": [[x, y], [y, x], [x, 30]], "width": 2.5} for x in range(0, 60, 2) for y in range(0, 60, 4)]
    first, second = some(drawing, 10), some(drawing, 20)
    drawing.save((first, *ops(*strokes)))
    drawing.save((second,))
    other = open_drawing(girl, "boy")
    third = some(other, 30)
    other.save((third,))
    put_aside_variant(girl, Variant("girl", "mask", "girl_mask.png"))
    drawing.save((some(drawing, 40),))
    reject_images(girl, RejectSettings(images=("boy",)))
    grow_old(girl)
    prune_kept_masks(girl)
    assert {f"{third.name}.png", f"{second.name}.png"} <= kept(girl) and f"{first.name}.png" not in kept(girl)
    assert not [name for name in kept(girl) if name.endswith(".json")], "of the first one nothing is left that names it"


def test_saving_sweeps_once_a_day(girl):
    drawing = open_drawing(girl, "girl")
    unused = some(drawing, 20)
    grow_old(girl)
    drawing.save(ops(SQUARE))
    assert f"{unused.name}.png" not in kept(girl)
    unused = some(drawing, 20)
    (path,) = (girl.hidden / "masks").glob(f"{unused.name}.png")
    os.utime(path, (1, 1))
    drawing.save(ops(SQUARE, SQUARE))
    assert path.exists()
