"""What every tool shares: which version is worked on, what is done already, what is written, and that a model is opened once."""

import contextlib
import threading
from dataclasses import replace

import numpy
import pytest
from PIL import Image

from core.base.errors import Cancelled, DatasetError, DiskError, ModelError
from core.dataset.images.saving import SaveSettings
from core.dataset.images.tool import NothingFound, NotNeeded, Output, Tool
from core.dataset.images.variants import Step, read_made, save_variant, versions_of
from core.dataset.images.working import keep, try_on, work_on


class Painter(Tool):
    """Adds to every pixel; each tool of a test says of itself what it is."""

    verb = "Painting"

    def __init__(self, name="upscale", kind="upscaled", by=1, scale=1):
        self.name, self.kind, self.by, self.scale, self.opened, self.inferred = name, kind, by, scale, 0, []

    def told(self, work):
        return {"by": self.by, "scale": self.scale}

    @contextlib.contextmanager
    def ready(self, progress):
        self.opened += 1
        yield

    def prepare(self, work, decoded):
        return numpy.asarray(decoded.image.convert("RGB")) if self.by else None

    def infer(self, prepared, progress):
        self.inferred.append(int(prepared[0, 0, 0]))
        if prepared[0, 0, 0] == 66:
            raise ModelError("The model failed on one picture.")
        return prepared + numpy.uint8(self.by)

    def finish(self, work, prepared, result):
        image = Image.fromarray(result)
        return [Output(image.resize((image.width * self.scale, image.height * self.scale)))]


class Cropper(Painter):
    def __init__(self, labels, by=1):
        super().__init__("crop", "part", by)
        self.labels = labels

    def finish(self, work, prepared, result):
        return [Output(Image.fromarray(result[:4]), label) for label in self.labels]


class Mender(Painter):
    """Goes on where another spot was mended last."""

    def __init__(self, spot, by=1):
        super().__init__("mend", "inpainted", by)
        self.spot = spot

    def told(self, work):
        return {"spot": self.spot, **super().told(work)}

    def anew(self, unit, step):
        return step.settings["spot"] == self.spot

    def prepare(self, work, decoded):
        if not self.by:
            raise NotNeeded("There is no spot.")
        return super().prepare(work, decoded)


@pytest.fixture
def pictures(project):
    for number, level in enumerate((10, 20, 30), 1):
        Image.new("RGB", (8, 6), (level,) * 3).save(project.images / f"{number}.png")
    return project


def level(project, name):
    return Image.open(project.variants / name).convert("RGB").getpixel((0, 0))[0]


def steps(project, name):
    return [step.tool for step in read_made(project.variants / name).steps]


def test_each_tool_works_on_what_the_one_before_made(pictures):
    for name, kind in (("resize", "resized"), ("upscale", "upscaled"), ("inpaint", "inpainted")):
        report = work_on(pictures, Painter(name, kind))
        assert [one.name for one in report.made] == [f"{number}_{kind}.png" for number in (1, 2, 3)]
    assert level(pictures, "1_inpainted.png") == 13 and steps(pictures, "1_inpainted.png") == ["resize", "upscale", "inpaint"]


def test_a_second_run_opens_no_model_and_does_nothing(pictures):
    work_on(pictures, Painter())
    again = Painter()
    assert work_on(pictures, again).there == ["1.png", "2.png", "3.png"] and again.opened == 0 and again.inferred == []
    once = Painter(by=5)
    work_on(pictures, once)
    assert once.opened == 1


def test_other_settings_begin_where_this_tool_began(pictures):
    work_on(pictures, Painter("resize", "resized"))
    work_on(pictures, Painter(by=10))
    work_on(pictures, Painter(by=20))
    assert level(pictures, "1_upscaled.png") == 31 and steps(pictures, "1_upscaled.png") == ["resize", "upscale"]


def test_two_tools_of_one_kind_follow_each_other(pictures):
    work_on(pictures, Painter("upscale", by=10))
    work_on(pictures, Painter("enhance", by=5))
    assert level(pictures, "1_upscaled.png") == 25 and steps(pictures, "1_upscaled.png") == ["upscale", "enhance"]
    assert work_on(pictures, Painter("upscale", by=10)).there == ["1.png", "2.png", "3.png"]
    work_on(pictures, Painter("enhance", by=7))
    assert level(pictures, "1_upscaled.png") == 27  # of what was upscaled, not of what was enhanced


def test_a_better_version_is_replaced_by_itself_and_comes_back_when_nothing_is_wanted(pictures):
    work_on(pictures, Painter("upscale", by=10))
    work_on(pictures, Painter("resize", "resized", by=1))
    assert level(pictures, "1_upscaled.png") == 21
    work_on(pictures, Painter("resize", "resized", by=2))
    assert level(pictures, "1_upscaled.png") == 22
    work_on(pictures, Painter("resize", "resized", by=0))
    assert level(pictures, "1_upscaled.png") == 20 and steps(pictures, "1_upscaled.png") == ["upscale"]


def test_a_version_of_an_older_picture_is_no_ground_to_build_on(pictures):
    work_on(pictures, Painter("upscale"))
    Image.new("RGB", (8, 6), (90,) * 3).save(pictures.images / "1.png")
    report = work_on(pictures, Painter("resize", "resized"), ["1"])
    assert "older picture" in report.skipped[0].reason and report.made == []
    work_on(pictures, Painter("upscale"), ["1"])
    assert level(pictures, "1_upscaled.png") == 91


def test_a_version_that_was_brought_along_is_worked_on_and_kept(pictures):
    own = Image.new("RGB", (8, 6), (200,) * 3)
    own.save(pictures.images.parent / "own.png")
    save_variant(pictures, "1", "upscaled", (pictures.images.parent / "own.png").read_bytes(), ".png")
    work_on(pictures, Painter("resize", "resized"), ["1"])
    work_on(pictures, Painter("resize", "resized", by=3), ["1"])
    assert level(pictures, "1_upscaled.png") == 203
    assert read_made(pictures.variants / "1_upscaled.png").steps[0] == Step("file", {"name": "1_upscaled.png"})


def test_parts_have_labels_and_what_is_no_longer_found_is_put_aside(pictures):
    work_on(pictures, Cropper(["face", "body"]), ["1"])
    assert sorted(path.name for path in pictures.variants.glob("*.png")) == ["1_body.png", "1_face.png"]
    assert work_on(pictures, Cropper(["face", "body"]), ["1"]).there == ["1.png"]
    work_on(pictures, Cropper(["face"], by=9), ["1"])
    assert [path.name for path in pictures.variants.glob("*.png")] == ["1_face.png"] and level(pictures, "1_face.png") == 19
    report = work_on(pictures, Painter("mask", "mask"), ["1"], parts=True)
    assert [one.name for one in report.made] == ["1_mask.png", "1_face_mask.png"]
    assert steps(pictures, "1_face_mask.png") == ["crop", "mask"] and steps(pictures, "1_mask.png") == ["mask"]
    work_on(pictures, Painter("resize", "resized"), ["1"])
    assert len(work_on(pictures, Painter("mask", "mask"), ["1"], parts=True).made) == 1  # the whole one is of another version now


def test_a_picture_on_which_the_model_fails_is_left_out_with_the_reason(pictures):
    Image.new("RGB", (8, 6), (66,) * 3).save(pictures.images / "2.png")
    report = work_on(pictures, Painter())
    assert [one.name for one in report.skipped] == ["2.png"] and "failed" in report.skipped[0].reason
    assert len(report.made) == 2


def test_a_model_that_cannot_be_opened_ends_the_work_and_a_full_disk_too(pictures, monkeypatch):
    class NoModel(Painter):
        def ready(self, progress):
            raise ModelError("No such model.")

    with pytest.raises(ModelError):
        work_on(pictures, NoModel())

    def full(*arguments):
        raise DiskError("No space.")

    monkeypatch.setattr("core.dataset.images.writing.save_variant", full)
    with pytest.raises(DiskError):
        work_on(pictures, Painter())


def test_a_cancel_while_the_model_works_ends_it(pictures):
    class Stopped(Painter):
        def infer(self, prepared, progress):
            raise Cancelled()

    with pytest.raises(Cancelled):
        work_on(pictures, Stopped())
    assert not list(pictures.variants.glob("*.png"))


def test_one_picture_is_tried_before_it_is_kept(pictures):
    tried = try_on(pictures, Painter(scale=2), "1")
    assert not list(pictures.variants.glob("*.png")) and tried.before == (8, 6) and tried.files[0].size == (16, 12)
    assert [path.name for path in keep(pictures, tried)] == ["1_upscaled.png"]
    assert work_on(pictures, Painter(scale=2), ["1"]).there == ["1.png"]
    tried = try_on(pictures, Painter(by=7), "1")
    Image.new("RGB", (8, 6), "red").save(pictures.images / "1.png")
    with pytest.raises(DatasetError, match="changed meanwhile"):
        keep(pictures, tried)
    with pytest.raises(DatasetError, match="no part called"):
        try_on(pictures, Painter(), "1", "face")


def test_the_format_is_the_tools_and_camera_notes_are_kept_where_they_are_wanted(pictures):
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    Image.new("RGB", (8, 6), "red").save(pictures.images / "1.png", exif=exif)
    tool = Painter()
    tool.saving = SaveSettings(format="webp", metadata=True)
    work_on(pictures, tool, ["1"])
    with Image.open(pictures.variants / "1_upscaled.webp") as image:
        assert image.getexif()[0x010F] == "Camera"


class Blackener(Painter):
    """A model that is broken."""

    def finish(self, work, prepared, result):
        return [Output(Image.fromarray(result // 255))]


def test_a_version_that_is_all_of_one_colour_though_its_picture_is_not_is_told(pictures):
    Image.linear_gradient("L").save(pictures.images / "1.png")
    report = work_on(pictures, Blackener())
    assert [one.note for one in report.made] == ["it is all of one colour: look at it", "", ""]
    assert report.sentence() == "3 versions made, 1 of them all of one colour: look at it."
    assert report.as_dict()["doubtful"] == [{"name": "1_upscaled.png", "reason": "it is all of one colour: look at it"}]
    mask = try_on(pictures, Blackener("mask", "mask"), "1")
    assert mask.files[0].encoded.note == "", "a mask may be"


def test_a_tool_that_goes_on_builds_upon_what_it_made_and_does_its_last_step_anew(pictures):
    for spot, by in (("a", 5), ("b", 7), ("b", 8), ("b", 9)):
        work_on(pictures, Mender(spot, by), ["1"])
    assert level(pictures, "1_inpainted.png") == 24 and steps(pictures, "1_inpainted.png") == ["mend", "mend"]
    assert work_on(pictures, Mender("a", 5), ["1"]).there == ["1.png"]
    report = work_on(pictures, Mender("c", 0))
    assert report.reasons == {f"{number}.png": "There is no spot." for number in (1, 2, 3)} and report.unneeded == list(report.reasons)
    assert level(pictures, "1_inpainted.png") == 24  # stays: it was ground to build on
    assert try_on(pictures, Mender("c", 0), "1").reason == "There is no spot."
    work_on(pictures, Mender("b", 0), ["1"])
    assert level(pictures, "1_inpainted.png") == 15 and steps(pictures, "1_inpainted.png") == ["mend"]


def test_a_part_is_worked_on_in_its_own_place(pictures):
    work_on(pictures, Cropper(["face"]), ["1"])
    for by in (5, 7):
        keep(pictures, try_on(pictures, Mender("a", by), "1", "face"))
    assert level(pictures, "1_face.png") == 18 and steps(pictures, "1_face.png") == ["crop", "mend"]
    assert sorted(path.name for path in pictures.variants.glob("*.png")) == ["1_face.png"]


class Seeker(Painter):
    """Writes beside a picture, under a label of its own, while it finds something."""

    def __init__(self, finds=True, wanted="repaint", by=1):
        super().__init__("mask", "mask", by)
        self.finds, self.wanted = finds, wanted

    def label(self, unit):
        return "_".join(word for word in (unit.label, self.wanted) if word)

    def finish(self, work, prepared, result):
        if not self.finds:
            raise NothingFound("Nothing was found.")
        return [Output(Image.fromarray(result))]


def test_what_is_written_under_a_label_of_its_own_is_found_again_and_leaves_the_others_alone(pictures):
    work_on(pictures, Seeker(wanted=""), ["1"])
    work_on(pictures, Seeker(), ["1"])
    assert sorted(path.name for path in pictures.variants.glob("*.png")) == ["1_mask.png", "1_repaint_mask.png"]
    assert work_on(pictures, Seeker(), ["1"]).there == ["1.png"] and work_on(pictures, Seeker(wanted=""), ["1"]).there == ["1.png"]
    assert len(work_on(pictures, Seeker(by=2), ["1"]).made) == 1 and level(pictures, "1_mask.png") == 11


def test_where_nothing_is_found_the_reason_is_told_and_what_was_found_earlier_is_put_aside(pictures):
    work_on(pictures, Seeker())
    report = work_on(pictures, Seeker(finds=False, by=3), ["1"])
    assert [(one.name, one.reason) for one in report.skipped] == [("1.png", "Nothing was found.")]
    assert not (pictures.variants / "1_repaint_mask.png").exists() and (pictures.variants / "2_repaint_mask.png").exists()
    with pytest.raises(NothingFound):
        try_on(pictures, Seeker(finds=False), "2")
    assert (pictures.variants / "2_repaint_mask.png").exists()


def test_what_was_tried_is_not_kept_over_what_somebody_else_made_meanwhile(pictures):
    work_on(pictures, Painter("upscale", by=10), ["1"])
    tried = try_on(pictures, Painter("enhance", by=5), "1")
    work_on(pictures, Painter("upscale", by=20), ["1"])
    with pytest.raises(DatasetError, match="changed meanwhile"):
        keep(pictures, tried)
    assert level(pictures, "1_upscaled.png") == 30
    tried = try_on(pictures, Painter("resize", "resized"), "2")
    work_on(pictures, Painter("inpaint", "inpainted"), ["2"])
    with pytest.raises(DatasetError, match="changed meanwhile"):
        keep(pictures, tried)


def test_one_picture_is_kept_while_a_job_works_on_others(pictures):
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Painter):
        def infer(self, prepared, progress):
            begun.set()
            go_on.wait(20)
            return super().infer(prepared, progress)

    job = threading.Thread(target=work_on, args=(pictures, Slow("upscale"), ["2", "3"]))
    job.start()
    begun.wait(20)
    assert [path.name for path in keep(pictures, try_on(pictures, Painter("resize", "resized"), "1"))] == ["1_resized.png"]
    keep(pictures, try_on(pictures, Painter("inpaint", "inpainted"), "2"))
    go_on.set()
    job.join()
    assert level(pictures, "2_inpainted.png") == 21 and not (pictures.variants / "2_upscaled.png").exists()
    assert (pictures.variants / "3_upscaled.png").exists()


def test_a_picture_whose_name_begins_like_another_ones_keeps_its_own_versions(pictures):
    Image.new("RGB", (8, 6), (50,) * 3).save(pictures.images / "1_2.png")
    work_on(pictures, Painter("upscale"))
    assert [one.name for one in versions_of(pictures, "1")] == ["1_upscaled.png"]
    assert [one.name for one in versions_of(pictures, "1_2")] == ["1_2_upscaled.png"]
    with pytest.raises(DatasetError, match="version of the picture '1_2'"):
        keep(pictures, try_on(pictures, Cropper(["2"]), "1"))
    Image.new("RGB", (8, 6), (50,) * 3).save(pictures.images / "3_inpainted.png")
    with pytest.raises(DatasetError, match="'3_inpainted'"):
        keep(pictures, try_on(pictures, Painter("inpaint", "inpainted"), "3"))


def test_what_was_tried_of_another_picture_is_not_kept(pictures):
    tried = try_on(pictures, Painter(), "1")
    unit = tried.work.unit
    other = replace(tried, work=replace(tried.work, unit=replace(unit, item=replace(unit.item, sha256="0" * 64))))
    with pytest.raises(DatasetError, match="changed meanwhile"):
        keep(pictures, other)
    assert keep(pictures, tried)
