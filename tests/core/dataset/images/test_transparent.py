"""Without their background: what stays, edges free of the old background, backgrounds in its place, and crops."""

import numpy
import pytest
from PIL import Image, ImageFilter

from core.dataset.images.mask_by_hand import open_drawing
from core.dataset.images.mask_edits import read_operations
from core.dataset.images.masks import empty_mask, feather, rectangle
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.subject_colours import TILE, subject_colours
from core.dataset.images.transparent import Remover, TransparentSettings, make_transparent, seen_box
from core.dataset.images.variants import read_made, save_variant
from core.dataset.images.working import keep, try_on
from core.stages import run_stage
from tests.core.dataset.curation.photographs import photographs

SIZE = (90, 60)


@pytest.fixture
def girl(project):
    picture = Image.new("RGB", SIZE, (0, 160, 0))
    picture.paste((200, 30, 30), (20, 10, 60, 50))
    picture.save(project.images / "girl.png")
    return project


def give_mask(project, mask, stem="girl", label=""):
    return save_variant(project, stem, "mask", encode(Image.fromarray(mask), SaveSettings(format="png"), "PNG").data, ".png", label)


def result(project, name="girl_transparent.png"):
    return Image.open(project.variants / name)


def make(project, **settings):
    return make_transparent(project, TransparentSettings.make(**settings))


def test_what_the_mask_leaves_out_is_transparent_and_every_other_pixel_is_as_it_was(girl):
    give_mask(girl, rectangle(SIZE, (20, 10), (60, 50)))
    report = make(girl)
    made = result(girl)
    assert [one.name for one in report.made] == ["girl_transparent.png"] and made.mode == "RGBA" and made.size == SIZE
    assert (numpy.array(made.getchannel("A")) == rectangle(SIZE, (20, 10), (60, 50))).all()
    assert made.getpixel((30, 30)) == (200, 30, 30, 255)
    assert make(girl).there == ["girl.png"]
    give_mask(girl, rectangle(SIZE, (20, 10), (40, 50)))
    assert len(make(girl).made) == 1 and result(girl).getpixel((50, 30))[3] == 0
    assert read_made(girl.variants / "girl_transparent.png").steps[-1].tool == "transparent"


def test_hard_and_soft_and_lossless_webp(girl):
    soft = feather(rectangle(SIZE, (20, 10), (60, 50)), 9)
    give_mask(girl, soft)
    make(girl, format="webp", clean=False)
    made = numpy.array(result(girl, "girl_transparent.webp"))
    assert (made[..., 3] == soft).all() and (made[..., :3] == numpy.array(Image.open(girl.images / "girl.png"))).all()
    make(girl, edge="hard", threshold=200)
    assert set(numpy.unique(numpy.array(result(girl))[..., 3])) == {0, 255} and not (girl.variants / "girl_transparent.webp").exists()
    assert (numpy.array(result(girl))[..., 3] > 0).sum() == (soft >= 200).sum()


@pytest.mark.parametrize("size", [(1, 300), (3000, 3), (401, 301)])
def test_crops_keep_what_is_seen_at_any_size(project, size):
    Image.new("RGB", size, (9, 9, 9)).save(project.images / "odd.png")
    mask = empty_mask(size)
    mask[size[1] // 2, size[0] // 2] = 255
    give_mask(project, mask, "odd")
    make(project)
    assert result(project, "odd_transparent.png").size == size
    make(project, crop=True, margin=0)
    assert result(project, "odd_transparent.png").size == (1, 1)
    make(project, crop=True, margin=1)
    assert result(project, "odd_transparent.png").size == tuple(min(side, 1 + 2 * round(max(size) / 100)) for side in size)
    assert seen_box(rectangle(SIZE, (20, 10), (60, 50)), 5.4) == (15, 5, 65, 55)


def test_a_colour_or_a_blur_takes_the_backgrounds_place(girl):
    give_mask(girl, rectangle(SIZE, (20, 10), (60, 50)))
    make(girl, background="colour", colour="#0000ff")
    made = result(girl)
    assert made.mode == "RGB" and made.getpixel((5, 5)) == (0, 0, 255) and made.getpixel((30, 30)) == (200, 30, 30)
    make(girl, background="blur", blur=10)
    wanted = Image.open(girl.images / "girl.png").filter(ImageFilter.GaussianBlur(9))
    assert result(girl).getpixel((12, 30)) == wanted.getpixel((12, 30)) and result(girl).getpixel((30, 30)) == (200, 30, 30)


def test_transparency_that_is_there_serves_too_and_its_absence_is_told(girl):
    assert "It has no mask and is nowhere transparent" in make(girl).skipped[0].reason
    assert "It has no mask" in make(girl, by="mask").skipped[0].reason
    see_through = Image.new("RGBA", SIZE, (9, 9, 9, 0))
    see_through.paste((200, 30, 30, 90), (20, 10, 60, 50))
    see_through.save(girl.images / "girl.png")
    make(girl, edge="hard", threshold=80)
    assert result(girl).getpixel((30, 30))[3] == 90 and result(girl).getpixel((5, 5))[3] == 0
    give_mask(girl, rectangle(SIZE, (0, 0), (40, 60)))
    make(girl, clean=False)
    assert [result(girl).getpixel((x, 30))[3] for x in (5, 30, 50)] == [0, 90, 0]


def test_an_empty_and_a_full_mask_are_told(girl):
    give_mask(girl, rectangle(SIZE, (0, 0), (40, 60)))
    make(girl)
    give_mask(girl, empty_mask(SIZE))
    report = make(girl)
    assert report.skipped[0].reason == "Nothing of it stays: its mask is empty." and not (girl.variants / "girl_transparent.png").exists()
    give_mask(girl, empty_mask(SIZE, 255))
    assert "nothing is taken away" in make(girl).made[0].note
    give_mask(girl, empty_mask((50, 60)))
    assert "50 x 60 pixels, its picture 90 x 60" in make(girl).skipped[0].reason


def test_parts_go_by_their_own_masks_and_a_repaint_mask_is_none(girl):
    part = Image.new("RGB", (30, 30), (1, 2, 3))
    part.save(girl.folder / "part.png")
    save_variant(girl, "girl", "part", (girl.folder / "part.png").read_bytes(), ".png", "face_focus")
    give_mask(girl, rectangle((30, 30), (0, 0), (15, 30)), label="face_focus")
    open_drawing(girl, "girl", use="repaint").save(read_operations([{"op": "clear", "whole": True}]))
    report = make(girl, parts=True)
    assert [one.name for one in report.made] == ["girl_face_focus_transparent.png"] and [one.name for one in report.skipped] == ["girl.png"]
    assert result(girl, "girl_face_focus_transparent.png").getpixel((20, 5))[3] == 0


def test_one_picture_is_tried_and_kept_and_the_command_does_the_same(girl):
    give_mask(girl, rectangle(SIZE, (20, 10), (60, 50)))
    tried = try_on(girl, Remover(TransparentSettings(crop=True, margin=0)), "girl")
    assert tried.files[0].size == (40, 40) and [path.name for path in keep(girl, tried)] == ["girl_transparent.png"]
    assert run_stage("transparent", girl.folder, {"crop": True, "margin": 0})["there"] == ["girl.png"]
    assert run_stage("mask", girl.folder, {"segmenter": "place"})["skipped"][0]["reason"].startswith("girl_mask.png was drawn by hand")


def test_the_backgrounds_colour_goes_out_of_soft_edges():
    """A photograph before a bright background: the subject's colours at the edge come back to within a few levels of what they were."""
    subject = numpy.array(photographs()["chelsea"]).astype(numpy.float32)
    height, width = subject.shape[:2]
    alpha = feather(rectangle((width, height), (100, 60), (350, 240)), 24)
    share = alpha.astype(numpy.float32)[..., None] / 255
    for ground in ((255, 255, 255), (0, 255, 0), (20, 20, 60)):
        mixed = numpy.rint(share * subject + (1 - share) * numpy.float32(ground)).astype(numpy.uint8)
        made = subject_colours(mixed, alpha)
        edge = (alpha > 60) & (alpha < 230)
        before = numpy.abs(mixed.astype(float) - subject)[edge].mean()
        after = numpy.abs(made.astype(float) - subject)[edge].mean()
        assert after < 0.3 * before and after < 10, (ground, before, after)
        assert (made[(alpha == 0) | (alpha == 255)] == mixed[(alpha == 0) | (alpha == 255)]).all()


def test_a_flat_subject_before_a_flat_background_comes_back_exactly():
    subject, ground = numpy.float32((200, 40, 90)), numpy.float32((10, 220, 250))
    alpha = feather(rectangle((200, 150), (60, 40), (140, 110)), 15)
    share = alpha.astype(numpy.float32)[..., None] / 255
    made = subject_colours(numpy.rint(share * subject + (1 - share) * ground).astype(numpy.uint8), alpha)
    edge = (alpha > 25) & (alpha < 255)
    assert numpy.abs(made[edge] - subject).max() <= 5 and numpy.abs(made[edge] - subject).mean() < 0.5


@pytest.mark.slow
def test_the_squares_in_which_a_large_picture_is_worked_on_leave_no_seam():
    generator = numpy.random.default_rng(2)
    small = Image.fromarray(generator.integers(0, 255, (20, 30, 3)).astype(numpy.uint8))
    colours = numpy.array(small.resize((TILE + 300, TILE + 200), Image.Resampling.BICUBIC))
    alpha = numpy.array(Image.fromarray(generator.integers(0, 255, (20, 30)).astype(numpy.uint8)).resize((TILE + 300, TILE + 200)))
    whole = subject_colours(colours, alpha)
    import core.dataset.images.subject_colours as room

    kept, room.TILE = room.TILE, 4 * TILE
    try:
        assert numpy.abs(subject_colours(colours, alpha).astype(int) - whole).max() <= 1
    finally:
        room.TILE = kept


def test_the_old_backgrounds_colour_goes_unless_somebody_wants_it_to_stay(girl):
    soft = feather(rectangle(SIZE, (20, 10), (60, 50)), 9)
    give_mask(girl, soft)
    green = []
    for clean in (True, False):
        make(girl, clean=clean)
        made = numpy.array(result(girl))
        green.append(made[..., 1][(made[..., 3] > 20) & (made[..., 3] < 255)].mean())
    assert green[0] < green[1] - 20
