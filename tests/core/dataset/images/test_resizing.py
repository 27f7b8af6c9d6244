"""Resizing and converting: exact sizes, no picture touched, nothing done twice."""

import hashlib
import threading

import numpy
import pytest
from PIL import Image

from core.base.buckets import BucketRule, Fitter
from core.base.errors import Cancelled
from core.base.progress import Progress
from core.dataset.images.resizing import ResizeSettings, make_resizer, new_size, resize_images, resized
from core.dataset.images.variants import save_variant
from core.dataset.images.working import try_on
from core.dataset.project import Project
from core.training.config.toml_text import toml_text
from tests.tiny_models import make_pictures


def settings(**values):
    return ResizeSettings.make(**values)


def names(project: Project) -> list[str]:
    return sorted(path.name for path in project.variants.iterdir() if not path.name.startswith(".")) if project.variants.is_dir() else []


@pytest.fixture
def pictures(project):
    """A large photograph as JPEG, a small one, one that is tall and partly transparent."""
    rows = numpy.linspace(0, 255, 300, dtype="uint8")
    photo = Image.fromarray(numpy.stack([numpy.tile(rows, (200, 1))] * 3, axis=2))
    photo.save(project.images / "photo.jpg", quality=95)
    photo.resize((60, 40)).save(project.images / "small.png")
    tall = photo.resize((100, 400)).convert("RGBA")
    tall.putalpha(Image.linear_gradient("L").resize((100, 400)))
    tall.save(project.images / "tall.webp", lossless=True)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in project.images.iterdir()}


@pytest.mark.parametrize(("values", "size", "expected"), [
    ({"mode": "longest", "side": 100}, (300, 200), ((100, 67), (100, 67))),
    ({"mode": "longest", "side": 100}, (60, 40), ((60, 40), (60, 40))),
    ({"mode": "longest", "side": 100, "enlarge": True}, (60, 40), ((100, 67), (100, 67))),
    ({"mode": "shortest", "side": 100}, (300, 200), ((150, 100), (150, 100))),
    ({"mode": "longest", "side": 100}, (4000, 1), ((100, 1), (100, 1))),
    ({"mode": "exact", "width": 100, "height": 100}, (300, 200), ((150, 100), (100, 100))),
    ({"mode": "exact", "width": 64, "height": 128}, (300, 200), ((192, 128), (64, 128))),
    ({"mode": "exact", "width": 100, "height": 100}, (90, 400), ((90, 400), (90, 400))),
    ({"mode": "keep"}, (300, 200), ((300, 200), (300, 200)))])
def test_the_size_is_exact(values, size, expected):
    assert new_size(size, settings(**values)) == expected


def test_a_bucket_is_the_one_that_training_takes():
    fitter = Fitter(BucketRule((512, 512), True, 256, 1024, 64))
    scaled, cut = new_size((3000, 2000), settings(mode="bucket"), fitter)
    assert cut == fitter.fit((3000, 2000)).bucket == (640, 384) and scaled[0] >= cut[0] and scaled[1] >= cut[1]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_size_the_cut_lies_inside(seed):
    dice = numpy.random.default_rng(seed)
    size = tuple(int(side) for side in dice.integers(16, 5000, 2))
    wanted = settings(mode="exact", width=int(dice.integers(16, 2000)), height=int(dice.integers(16, 2000)), enlarge=True)
    scaled, cut = new_size(size, wanted)
    assert cut == (wanted.width, wanted.height) and scaled[0] >= cut[0] and scaled[1] >= cut[1]
    assert abs(scaled[0] / scaled[1] - size[0] / size[1]) < 0.1 * size[0] / size[1] + 2 / scaled[1]


def test_versions_are_made_beside_and_no_picture_is_touched(project, pictures):
    report = resize_images(project, settings(side=100))
    assert [(one.name, one.before, one.after) for one in report.made] == [("photo_resized.jpg", (300, 200), (100, 67)),
                                                                         ("tall_resized.webp", (100, 400), (25, 100))]
    assert report.unneeded == ["small.png"] and names(project) == ["photo_resized.jpg", "tall_resized.webp"]
    assert Image.open(project.variants / "tall_resized.webp").mode == "RGBA"
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in project.images.iterdir()} == pictures
    assert report.sentence() == "2 versions made, 1 picture needed none (Its longest side has less than 100 px, and 'Enlarge too' is off)."


def test_a_second_run_does_nothing_and_other_settings_make_it_anew(project, pictures):
    resize_images(project, settings(side=100))
    before = {name: (project.variants / name).stat().st_mtime_ns for name in names(project)}
    again = resize_images(project, settings(side=100))
    assert again.made == [] and again.there == ["photo.jpg", "tall.webp"]
    assert {name: (project.variants / name).stat().st_mtime_ns for name in names(project)} == before
    other = resize_images(project, settings(side=50, images=("photo", "nobody")))
    assert [one.after for one in other.made] == [(50, 33)] and other.skipped[0].name == "nobody"
    assert (project.variants / ".replaced" / "photo_resized.jpg").is_file()


def test_a_picture_that_was_replaced_is_resized_anew(project, pictures):
    resize_images(project, settings(side=100))
    Image.new("RGB", (150, 150), "blue").save(project.images / "photo.jpg")
    report = resize_images(project, settings(side=100))
    assert [(one.name, one.after) for one in report.made] == [("photo_resized.jpg", (100, 100))]


def test_where_other_settings_want_the_picture_itself_its_version_is_put_aside(project, pictures):
    resize_images(project, settings(side=100))
    report = resize_images(project, settings(side=400))
    assert report.unneeded == ["photo.jpg", "small.png", "tall.webp"] and names(project) == []
    assert (project.variants / ".replaced" / "photo_resized.jpg").is_file()


def test_a_better_version_is_resized_and_stays_the_better_one(project, pictures):
    from core.dataset.images.saving import SaveSettings, encode

    save_variant(project, "photo", "upscaled", encode(Image.new("RGB", (600, 400), "green"), SaveSettings(), "PNG").data, ".png")
    report = resize_images(project, settings(side=300, images=("photo",)))
    assert [(one.name, one.before, one.after) for one in report.made] == [("photo_upscaled.png", (600, 400), (300, 200))]
    assert resize_images(project, settings(side=300, images=("photo",))).there == ["photo.jpg"]
    assert Image.open(project.variants / ".replaced" / "photo_upscaled.png").size == (600, 400)


def test_only_the_format_changes(project, pictures):
    report = resize_images(project, settings(mode="keep", saving={"format": "webp"}))
    assert names(project) == ["photo_resized.webp", "small_resized.webp"] and report.unneeded == ["tall.webp"]
    with Image.open(project.images / "photo.jpg") as before, Image.open(project.variants / "photo_resized.webp") as after:
        assert after.size == before.size and after.convert("RGB").tobytes() == before.convert("RGB").tobytes()


def test_another_quality_of_the_same_format_is_a_version_and_what_is_as_it_should_be_says_why(project, pictures):
    size = (project.images / "photo.jpg").stat().st_size
    report = resize_images(project, settings(mode="keep", saving={"format": "jpeg", "quality": 85}, images=("photo",)))
    assert names(project) == ["photo_resized.jpg"] and (project.variants / "photo_resized.jpg").stat().st_size < size
    assert resize_images(project, settings(mode="keep", saving={"quality": 85}, images=("photo",))).made[0].name == "photo_resized.jpg"
    lossy = {"format": "webp", "lossless": False}
    assert len(resize_images(project, settings(mode="keep", saving=lossy, images=("tall",))).made) == 1
    report = resize_images(project, settings(mode="keep"))
    assert report.made == [] and report.reasons["photo.jpg"] == ("It is a JPEG already, and keeps its size: it is written anew only for "
                                                                "another format or quality, and so keeps its camera notes.")
    assert "PNG already" in report.reasons["small.png"] and "WEBP already" in report.reasons["tall.webp"]


@pytest.mark.parametrize(("values", "reason"), [
    ({"side": 400}, "Its longest side has less than 400 px, and 'Enlarge too' is off."),
    ({"side": 300}, "Its longest side has 300 px already."),
    ({"mode": "shortest", "side": 201}, "Its shortest side has less than 201 px, and 'Enlarge too' is off."),
    ({"mode": "exact", "width": 300, "height": 200}, "It has that size already.")])
def test_a_picture_that_needs_nothing_says_why_and_how_large_it_is(project, pictures, values, reason):
    assert resize_images(project, settings(**values, images=("photo",))).reasons == {"photo.jpg": reason}
    tried = try_on(project, make_resizer(project, settings(**values)), "photo")
    assert tried.why_none() == f"It has 300 x 200 pixels. {reason}"


def test_a_report_counts_the_reasons(project, pictures):
    Image.new("RGB", (400, 10)).save(project.images / "wide.png")
    report = resize_images(project, settings(side=400))
    assert report.sentence() == ("0 versions made, 4 pictures needed none (2: Its longest side has less than 400 px, and 'Enlarge too' is "
                                 "off; 2: Its longest side has 400 px already).")


def test_what_cannot_be_read_is_left_out_with_the_reason(project, pictures):
    data = (project.images / "photo.jpg").read_bytes()
    (project.images / "cut.jpg").write_bytes(data[: len(data) // 3])
    (project.images / "no.png").write_bytes(b"no picture at all")
    report = resize_images(project, settings(side=100))
    assert {one.name for one in report.skipped} == {"cut.jpg", "no.png"} and len(report.made) == 2
    assert all(one.reason for one in report.skipped) and "2 left out" in report.sentence()


@pytest.mark.parametrize("mode", ["P", "L", "CMYK", "I;16", "LA", "1"])
def test_any_kind_of_picture_becomes_one_that_a_trainer_reads(project, mode):
    image = Image.new("L", (300, 200), 100)
    image = Image.fromarray(numpy.full((200, 300), 30000, dtype="uint16")) if mode == "I;16" else image.convert(mode)
    image.save(project.images / f"a.{'tif' if mode == 'CMYK' else 'png'}", format="TIFF" if mode == "CMYK" else "PNG")
    if mode == "CMYK":
        (project.images / "a.tif").rename(project.images / "a.png")
    report = resize_images(project, settings(side=100))
    assert [one.after for one in report.made] == [(100, 67)] and Image.open(project.variants / "a_resized.png").mode in ("RGB", "RGBA")


def test_the_edge_of_what_is_transparent_keeps_its_colour():
    image = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 32, 64))
    small = numpy.asarray(resized(image, (16, 16), (16, 16)))
    seen = small[small[..., 3] > 20]
    assert seen[:, 1].max() < 40  # no green from what is not seen


def test_a_cancel_keeps_what_is_made(project):
    make_pictures(project.images, [(300, 200)] * 40)

    class Impatient(Progress):
        def report_step(self, item):
            self.cancel()

    with pytest.raises(Cancelled):
        resize_images(project, settings(side=100), Impatient())
    made = names(project)
    assert 0 < len(made) < 40
    assert all(Image.open(project.variants / name).convert("RGB").size == (100, 67) for name in made)
    assert len(resize_images(project, settings(side=100)).made) == 40 - len(made)


def test_the_same_job_twice_at_once_makes_each_version_once(project, pictures):
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(resize_images(project, settings(side=100)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((len(report.made), len(report.there)) for report in reports) == [(0, 2), (2, 0)]
    assert not list(project.variants.glob(".replaced/*"))


def test_an_older_version_does_not_come_back_where_none_is_wanted(project, pictures):
    for side in (50, 100, 400):
        resize_images(project, settings(side=side))
    assert names(project) == []


def test_what_is_too_small_for_a_fixed_size_is_named_unless_it_may_be_enlarged(project, pictures):
    report = resize_images(project, settings(mode="exact", width=200, height=200))
    assert {one.name for one in report.skipped} == {"small.png", "tall.webp"} and "too small" in report.skipped[0].reason
    assert [one.after for one in report.made] == [(200, 200)]
    larger = resize_images(project, settings(mode="exact", width=200, height=200, enlarge=True))
    assert larger.skipped == [] and [one.after for one in larger.made] == [(200, 200)] * 3


def test_buckets_are_those_of_trainers_settings_and_follow_them(project, pictures):
    def made(resolution: int) -> list[tuple[int, int]]:
        sizes = {"resolution": resolution, "min_bucket_reso": 32, "max_bucket_reso": 256, "bucket_reso_steps": 32}
        (project.folder / "training.toml").write_text(toml_text({"data": sizes}))
        return [one.after for one in resize_images(project, settings(mode="bucket", images=("photo",))).made]

    assert made(128) == [(160, 96)]
    assert made(128) == []
    assert made(192) == [(224, 160)]


def test_each_colour_counts_by_how_much_of_it_is_seen():
    image = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 30, 64))  # the edge lies within a pixel of the small one
    small = numpy.asarray(resized(image, (16, 16), (16, 16)))
    assert 60 < small[8, 7, 3] < 200 and small[8, 7, 0] > 240 and small[8, 7, 1] < 15
