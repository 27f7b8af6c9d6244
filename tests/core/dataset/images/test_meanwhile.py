"""What somebody does to a picture's files while a tool works on it: nothing of it is overwritten, and no version says what is not so."""

import pytest
from PIL import Image

from core.dataset.images.inpainting.painting import Inpainter
from core.dataset.images.inpainting.settings import InpaintSettings
from core.dataset.images.masks import rectangle
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.segmenting.masking import Masker
from core.dataset.images.segmenting.settings import MaskSettings
from core.dataset.images.sourcing import one_unit, work_for
from core.dataset.images.transparent import Remover, TransparentSettings
from core.dataset.images.variants import save_variant
from core.dataset.images.working import work_on

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


def begun_on(project):
    unit = one_unit(project, "girl")
    return work_for(unit, "transparent", "transparent")


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
    def reads(**settings):
        return [path.name for path in Inpainter(InpaintSettings.make(method="sd15", **settings)).reads(begun_on(girl))]

    give_mask(girl, ONE, label="repaint")
    assert reads() == ["girl_repaint_mask.png", "girl.txt"] and reads(prompt="a wall") == ["girl_repaint_mask.png"]
    assert reads(use_caption=False, region="place") == []
