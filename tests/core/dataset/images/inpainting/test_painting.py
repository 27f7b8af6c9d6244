"""Inpainting as a tool, by the method that needs no model: only marked pixels change, whatever the picture is."""

import numpy
import pytest
from PIL import Image
from skimage.data import astronaut, chelsea, coffee

from core.base.errors import Cancelled, DatasetError
from core.base.progress import Progress
from core.dataset.images.inpainting import PAINTERS, smooth
from core.dataset.images.inpainting.painting import Inpainter, inpaint_images, tries, without_trigger
from core.dataset.images.inpainting.settings import InpaintSettings
from core.dataset.images.masks import at_place, grow
from core.dataset.images.resizing import ResizeSettings, resize_images
from core.dataset.images.variants import read_made
from core.dataset.images.working import keep, try_on, work_on
from tests.core.dataset.images.inpainting.conftest import marked, watermarked


def settings(**values):
    return InpaintSettings.make(**values)


def version(project, name):
    return numpy.array(Image.open(project.variants / name))


def psnr(one, other, where):
    return 10 * numpy.log10(255**2 / numpy.mean((one[where].astype(float) - other[where].astype(float)) ** 2))


def test_the_methods_of_the_form_are_those_of_the_registry():
    assert InpaintSettings.model_fields["method"].annotation.__args__ == PAINTERS.names()
    assert all(PAINTERS.load(name) for name in PAINTERS.names())


@pytest.mark.parametrize(("grown", "feather"), [(0, 0), (4, 4), (9, 30)])
def test_only_marked_pixels_change(project, photo, grown, feather):
    hole = marked(project, "photo", (40, 50, 90, 61), (200, 180, 251, 233))
    report = inpaint_images(project, settings(grow=grown, feather=feather))
    made = version(project, "photo_inpainted.png")
    allowed = grow(hole.astype("uint8") * 255, grown) > 0
    changed = (made != photo).any(axis=2)
    assert report.sentence() == "1 version made." and not changed[~allowed].any() and changed[allowed].mean() > 0.8
    assert numpy.array_equal(numpy.array(Image.open(project.images / "photo.png")), photo)


@pytest.mark.parametrize(("ending", "lossy", "made_as"), [("jpg", {"quality": 90}, "png"), ("webp", {"quality": 60}, "webp")])
def test_only_marked_pixels_change_from_file_to_file_also_of_a_picture_that_was_saved_with_loss(project, ending, lossy, made_as):
    Image.fromarray(coffee()[:300, :400]).save(project.images / f"cup.{ending}", **lossy)
    before = numpy.array(Image.open(project.images / f"cup.{ending}"))
    report = inpaint_images(project, settings(region="place", saving={"lossless": False}))
    allowed = grow(at_place((400, 300), "bottom-right", 25, 8), 4) > 0
    changed = (version(project, f"cup_inpainted.{made_as}") != before).any(axis=2)
    assert not changed[~allowed].any() and changed[allowed].any() and report.made[0].note == ""
    inpaint_images(project, settings(region="place", saving={"format": "jpeg"}))
    assert (version(project, "cup_inpainted.jpg") != before).any(axis=2)[~allowed].any(), "who asks for JPEG gets it"


def test_transparency_and_hidden_colours_stay(project):
    pixels = numpy.dstack([astronaut()[:90, :131], numpy.tile(numpy.linspace(0, 255, 131).astype("uint8"), (90, 1))])
    Image.fromarray(pixels).save(project.images / "clear.png")
    hole = marked(project, "clear", (30, 20, 100, 40))
    inpaint_images(project, settings(grow=0))
    made = version(project, "clear_inpainted.png")
    assert made.shape == pixels.shape and (made[..., 3] == pixels[..., 3]).all() and (made[~hole] == pixels[~hole]).all()
    assert (made[hole][:, :3] != pixels[hole][:, :3]).any()


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "LA"])
def test_any_kind_of_picture_is_worked_on(project, mode):
    Image.fromarray(coffee()[:61, :83]).convert(mode).save(project.images / f"a.{'jpg' if mode == 'CMYK' else 'png'}")
    marked(project, "a", (10, 10, 30, 30))
    assert len(inpaint_images(project, settings()).made) == 1


@pytest.mark.parametrize("size", [(1, 200), (200, 1), (3, 3), (17, 40)])
def test_tiny_and_narrow_pictures_are_worked_on(project, size):
    Image.fromarray(coffee()[:size[1], :size[0]]).save(project.images / "a.png")
    marked(project, "a", (0, 0, max(1, size[0] // 3), max(1, size[1] // 3)))
    report = inpaint_images(project, settings(grow=0))
    assert [one.after for one in report.made] == [size]


def test_a_mask_of_the_resized_version_or_of_the_picture_is_brought_to_the_size_of_what_is_worked_on(project, photo):
    marked(project, "photo", (40, 50, 90, 61))
    resize_images(project, ResizeSettings.make(side=101))
    before = version(project, "photo_resized.png")
    inpaint_images(project, settings(grow=0, feather=0))
    made = version(project, "photo_inpainted.png")
    changed = (made != before).any(axis=2)
    rows, columns = numpy.nonzero(changed)
    assert made.shape == before.shape and (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((20, 24, 16, 36), abs=1)
    assert [step.tool for step in read_made(project.variants / "photo_inpainted.png").steps] == ["resize", "inpaint"]


def test_what_cannot_or_need_not_be_painted_is_told_why(project, photo):
    for name in ("empty", "full", "foreign", "none"):
        Image.fromarray(photo).save(project.images / f"{name}.png")
    marked(project, "empty")
    marked(project, "full", (0, 0, 251, 233))
    Image.new("L", (100, 300), 255).save(project.variants / "foreign_repaint_mask.png")
    report = inpaint_images(project, settings(images=("empty", "full", "foreign", "none")))
    assert report.reasons == {"empty.png": "empty_repaint_mask.png marks nothing.", "none.png": "Nothing is marked on it."}
    assert report.unneeded == ["empty.png", "none.png"] and report.made == []
    reasons = {one.name: one.reason for one in report.skipped}
    assert "whole picture" in reasons["full.png"] and "proportions of its picture" in reasons["foreign.png"]
    with pytest.raises(DatasetError, match="whole picture"):
        try_on(project, Inpainter(settings()), "full")
    flat = Image.new("L", (251, 233), 90)
    flat.save(project.variants / "none_repaint_mask.png")
    assert "marks nothing" in try_on(project, Inpainter(settings()), "none").reason


def test_a_watermark_at_one_place_is_taken_from_every_picture(project):
    for name, photo in (("a", astronaut()[:200, :300]), ("b", coffee()[:333, :211])):
        Image.fromarray(photo).save(project.images / f"{name}.png")
    report = inpaint_images(project, settings(region="place", place="bottom-right", width=20, height=10, grow=0))
    assert [one.name for one in report.made] == ["a_inpainted.png", "b_inpainted.png"]
    for name in "ab":
        before = numpy.array(Image.open(project.images / f"{name}.png"))
        hole = at_place(before.shape[1::-1], "bottom-right", 20, 10) > 127
        assert ((version(project, f"{name}_inpainted.png") != before).any(axis=2) <= hole).all()


def test_a_second_run_does_nothing_and_only_what_decides_makes_it_anew(project, photo):
    marked(project, "photo", (40, 50, 90, 61))
    inpaint_images(project, settings())
    for values in ({}, {"prompt": "a cat", "seed": 7, "lama_model": "other"}):  # nothing of that acts with this method
        assert inpaint_images(project, settings(**values)).there == ["photo.png"]
    first = version(project, "photo_inpainted.png")
    assert len(inpaint_images(project, settings(feather=0)).made) == 1
    assert (version(project, "photo_inpainted.png") != first).any()
    assert [step.tool for step in read_made(project.variants / "photo_inpainted.png").steps] == ["inpaint"]


def test_another_mark_goes_on_from_what_was_painted_and_no_mark_leaves_it(project, photo):
    first = marked(project, "photo", (40, 50, 90, 61))
    inpaint_images(project, settings(grow=0))
    second = marked(project, "photo", (150, 100, 180, 140))
    inpaint_images(project, settings(grow=0))
    inpaint_images(project, settings(grow=0, feather=0))  # the second one anew, not both
    made = version(project, "photo_inpainted.png")
    assert (made != photo).any(axis=2)[first].any() and (made != photo).any(axis=2)[second].any()
    assert (made[~(first | second)] == photo[~(first | second)]).all()
    assert len(read_made(project.variants / "photo_inpainted.png").steps) == 2
    (project.variants / "photo_repaint_mask.png").unlink()
    assert inpaint_images(project, settings()).unneeded == ["photo.png"] and (version(project, "photo_inpainted.png") == made).all()


def test_a_part_of_a_picture_has_a_mark_of_its_own(project, photo):
    Image.fromarray(photo[20:120, 30:150]).save(project.images.parent / "part.png")
    (project.images.parent / "part.png").rename(project.variants / "photo_face.png")
    mask = Image.new("L", (120, 100))
    mask.paste(255, (20, 20, 40, 40))
    mask.save(project.variants / "photo_face_repaint_mask.png")
    keep(project, try_on(project, Inpainter(settings(grow=0)), "photo", "face"))
    changed = (version(project, "photo_face.png") != photo[20:120, 30:150]).any(axis=2)
    assert changed[22:38, 22:38].mean() > 0.9 and changed.sum() <= 400


def test_one_result_comes_of_a_method_without_a_seed_and_it_is_kept(project, photo):
    marked(project, "photo", (40, 50, 90, 61))
    (tried,) = tries(project, settings(results=4), "photo")
    assert not (project.variants / "photo_inpainted.png").exists()
    assert [path.name for path in keep(project, tried)] == ["photo_inpainted.png"]
    assert inpaint_images(project, settings()).there == ["photo.png"]


def test_a_cancel_between_pictures_keeps_what_is_made(project):
    for number in range(12):
        Image.fromarray(coffee()[:60, number:number + 80]).save(project.images / f"{number:02d}.png")

    class Impatient(Progress):
        def report_step(self, item):
            self.cancel()

    with pytest.raises(Cancelled):
        work_on(project, Inpainter(settings(region="place")), (), Impatient())
    assert 0 < len(list(project.variants.glob("*_inpainted.png"))) < 12


@pytest.mark.parametrize(("photo_of", "opacity"), [(astronaut, 0.6), (coffee, 0.9), (chelsea, 0.4)])
def test_a_watermark_on_a_photograph_is_repaired_without_a_model(project, photo_of, opacity):
    photo = photo_of()
    spoilt, letters = watermarked(photo, opacity=opacity)
    Image.fromarray(spoilt).save(project.images / "photo.png")
    Image.fromarray(letters.astype("uint8") * 255).save(project.variants / "photo_repaint_mask.png")
    inpaint_images(project, settings(grow=1, feather=1))
    made = version(project, "photo_inpainted.png")
    assert psnr(made, photo, letters) > psnr(spoilt, photo, letters) + 8 and psnr(made, photo, letters) > 18


def test_the_trigger_word_is_left_out_of_prompts():
    assert without_trigger("mycat, red hair, smile", "mycat") == "red hair, smile"
    assert without_trigger("A photo of mycat on a sofa, mycats", "mycat") == "A photo of on a sofa, mycats"
    assert without_trigger("red hair, mycat", "mycat") == "red hair" and without_trigger("a, b", "") == "a, b"


@pytest.mark.slow
def test_a_large_picture_with_a_small_watermark_is_quick_and_keeps_its_sharpness(project):
    import time

    large = numpy.tile(coffee(), (15, 7, 1))[:6000, :4000]
    Image.fromarray(large).save(project.images / "large.png", compress_level=1)
    tool = Inpainter(settings(region="place", width=6, height=1))
    from core.dataset.images.opening import open_image
    from core.dataset.images.working import _work_for, one_unit

    work = _work_for(one_unit(project, "large"), tool)
    decoded = open_image(work.source)
    begun = time.monotonic()
    canvas = tool.prepare(work, decoded)
    with tool.ready(Progress()):
        made = tool.infer(canvas, Progress())
    assert time.monotonic() - begun < 8 and ((made != large).any(axis=2) <= canvas.hole).all()


def asked_of(monkeypatch):
    """What the method without a model is asked: pixels and hole of each piece, in order."""
    asked, fill = [], smooth.smoothly
    monkeypatch.setattr(smooth, "smoothly", lambda pixels, hole: asked.append((pixels.copy(), hole.copy())) or fill(pixels, hole))
    return asked


def test_what_looks_at_a_picture_sees_white_behind_what_is_transparent(project, monkeypatch):
    picture = Image.new("RGBA", (80, 60), (0, 0, 0, 0))
    picture.paste((200, 60, 60, 255), (0, 0, 40, 60))
    picture.save(project.images / "clear.png")
    marked(project, "clear", (30, 20, 50, 30))
    asked = asked_of(monkeypatch)
    inpaint_images(project, settings())
    pixels, _ = asked[0]
    assert (pixels[50, 70] == 255).all() and tuple(pixels[50, 5]) == (200, 60, 60)


def test_what_was_painted_is_picture_for_the_next_piece(project, monkeypatch):
    Image.fromarray(coffee()[:200, :600]).save(project.images / "wide.png")
    first, second = (10, 90, 40, 110), (500, 90, 520, 110)
    hole = marked(project, "wide", first, second)
    asked = asked_of(monkeypatch)
    inpaint_images(project, settings(grow=0, context=1024))
    assert [int(one.sum()) for _, one in asked] == [int(hole.sum()), int(hole[:, 450:].sum())]
    assert (asked[1][0][90:110, 10:40] == version(project, "wide_inpainted.png")[90:110, 10:40]).mean() > 0.5
