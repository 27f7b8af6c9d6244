"""What somebody does to a picture's files while a tool works on it: nothing of it is overwritten, and no version says what is not so."""

import contextlib

import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.base.progress import Progress
from core.dataset.images.inpainting.painting import Inpainter
from core.dataset.images.inpainting.settings import InpaintSettings
from core.dataset.images.mask_by_hand import open_drawing
from core.dataset.images.mask_edits import read_operations
from core.dataset.images.masks import rectangle
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.segmenting.masking import Masker
from core.dataset.images.segmenting.settings import MaskSettings
from core.dataset.images.sourcing import one_unit, work_for
from core.dataset.images.transparent import Remover, TransparentSettings
from core.dataset.images.variants import read_made, save_variant
from core.dataset.images.working import work_on
from core.dataset.items import one_item

SIZE = (90, 60)
ONE, OTHER = rectangle(SIZE, (0, 0), (40, 60)), rectangle(SIZE, (50, 0), (90, 60))


@pytest.fixture
def girl(project):
    Image.effect_noise(SIZE, 60).convert("RGB").save(project.images / "girl.png")
    return project


def give_mask(project, mask, stem="girl", label=""):
    return save_variant(project, stem, "mask", encode(Image.fromarray(mask), SaveSettings(format="png"), "PNG").data, ".png", label)


def before(step, act):
    """A tool's `prepare` or `finish` before which something happens, once."""
    waiting = [act]

    def acting(*arguments):
        if waiting:
            waiting.pop()()
        return step(*arguments)

    return acting


def remover(project):
    return Remover(TransparentSettings(clean=False))


def masker(project):
    return Masker(MaskSettings.make(segmenter="place", place="top-left", width=50, height=50, existing="add"))


def inpainter(project):
    return Inpainter(InpaintSettings.make(method="smooth", grow=0, feather=0))


@pytest.mark.parametrize("moment", ["prepare", "finish"])
@pytest.mark.parametrize(("make", "label"), [(remover, ""), (masker, ""), (inpainter, "repaint")])
def test_no_version_says_that_it_was_made_of_another_mask_than_it_was(girl, make, label, moment):
    give_mask(girl, ONE, label=label)
    tool = make(girl)
    setattr(tool, moment, before(getattr(tool, moment), lambda: give_mask(girl, OTHER, label=label)))
    report = work_on(girl, tool)
    assert report.made == [] and "changed meanwhile" in report.skipped[0].reason
    assert len(work_on(girl, make(girl)).made) == 1
    assert work_on(girl, make(girl)).there == ["girl.png"]


def test_a_caption_counts_where_it_is_the_prompt(girl):
    give_mask(girl, ONE, label="repaint")
    work = work_for(one_unit(girl, "girl"), "inpaint", "inpainted")

    def reads(**settings):
        return [path.name for path in Inpainter(InpaintSettings.make(method="sd15", **settings)).reads(work)]

    assert reads() == ["girl_repaint_mask.png", "girl.txt"] and reads(prompt="a wall") == ["girl_repaint_mask.png"]
    assert reads(use_caption=False, region="place") == []


# A job that works on many pictures, while somebody goes on with one of them


class Acting(Progress):
    """Does something after so many pictures."""

    def __init__(self, act, after=1):
        super().__init__()
        self._act, self._left = act, after

    def advance(self, item="", steps=1):
        self._left -= 1
        if self._left == 0:
            self._act()


@pytest.fixture
def many(project):
    for number in range(40):
        Image.new("RGB", SIZE, (number, 90, 60)).save(project.images / f"p{number:02}.png")
    return project


def draw(project, *stems):
    for stem in stems:
        for _ in range(3):  # a mask that the job writes at the same moment is not written over either
            with contextlib.suppress(DatasetError):
                open_drawing(project, stem).save(read_operations([{"op": "rectangle", "from": [5, 5], "to": [20, 20]}]))
                break


def test_a_mask_that_is_drawn_while_a_job_makes_masks_stays(many):
    drawn = [f"p{number:02}" for number in range(1, 40)]
    report = work_on(many, Masker(MaskSettings(segmenter="place")), (), Acting(lambda: draw(many, *drawn)))
    assert {read_made(many.variants / f"{stem}_mask.png").steps[-1].tool for stem in drawn} == {"mask-by-hand"}
    reasons = [one.reason for one in report.skipped]
    assert len(report.made) + len(reasons) == 40 and any("drawn by hand" in reason for reason in reasons)


def test_what_is_cut_out_while_a_job_works_is_no_hindrance_and_a_picture_that_is_exchanged_is_worked_on_as_it_is_then(many):
    def exchange():
        Image.new("RGB", SIZE, (200, 10, 10)).save(many.images / "p39.png")
        Image.new("RGB", (4, 4)).save(many.variants / "p38_face.png")

    report = work_on(many, Masker(MaskSettings(segmenter="place", parts=True)), (), Acting(exchange), parts=True)
    assert len(report.made) == 40
    assert read_made(many.variants / "p39_mask.png").of == one_item(many, "p39").sha256


@pytest.mark.parametrize(("make", "label"), [(remover, ""), (masker, "")])
def test_a_mask_that_is_deleted_while_a_job_works_costs_one_picture_and_not_the_job(many, make, label):
    for number in range(40):
        give_mask(many, ONE, f"p{number:02}")
    tool = make(many)
    report = work_on(many, tool, (), Acting(lambda: (many.variants / "p39_mask.png").unlink()))
    assert len(report.made) + len(report.skipped) == 40 and len(report.made) >= 39


@pytest.mark.parametrize(("make", "kind"), [(remover, "transparent"), (masker, "mask")])
def test_a_mask_that_goes_at_this_very_moment_is_told_as_what_it_is(girl, make, kind):
    mask = give_mask(girl, ONE)
    work = work_for(one_unit(girl, "girl"), kind, kind)
    mask.unlink()
    with pytest.raises(DatasetError, match=r"girl_mask.png is not there \(any more\)"):
        make(girl).told(work)
