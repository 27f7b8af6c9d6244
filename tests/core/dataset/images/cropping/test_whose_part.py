"""Parts that a tool cuts out again: what was done to one since, or is somebody else's, stays; one that was taken away comes again."""

import numpy
import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.dataset.images.cropping.by_hand import HandCropSettings, crop_by_hand
from core.dataset.images.tool import Output, Tool
from core.dataset.images.variants import read_made
from core.dataset.images.working import keep, try_on, work_on

BOXES = {"face_focus": (0, 0, 20, 20), "upper_body": (0, 0, 30, 20)}


class Cropper(Tool):
    """Cuts out what it is told to."""

    name, verb, kind = "crop", "Cropping", "part"

    def __init__(self, *labels, by=0):
        self.labels, self.by = labels or tuple(BOXES), by

    def told(self, work):
        return {"by": self.by, "of": [label for label in BOXES if label in self.labels]}

    def prepare(self, work, decoded):
        return numpy.asarray(decoded.image) + numpy.uint8(self.by)

    def finish(self, work, prepared, result):
        return [Output(Image.fromarray(result).crop(BOXES[label]), label) for label in self.labels]


class Doubler(Tool):
    """Twice as large."""

    name, verb, kind = "upscale", "Upscaling", "upscaled"

    def told(self, work):
        return {}

    def prepare(self, work, decoded):
        return decoded.image.resize((2 * decoded.image.width, 2 * decoded.image.height))

    def finish(self, work, prepared, result):
        return [Output(prepared)]


@pytest.fixture
def girl(project):
    Image.new("RGB", (60, 40), (30, 90, 160)).save(project.images / "girl.png")
    return project


def look(project):
    """Label → size and steps."""
    found = sorted(project.variants.glob("girl_*.png"))
    return {path.stem.removeprefix("girl_"): (Image.open(path).width, [step.tool for step in read_made(path).steps]) for path in found}


def worked_on(project):
    work_on(project, Cropper())
    keep(project, try_on(project, Doubler(), "girl", "face_focus"))
    return look(project)


def test_the_same_again_leaves_what_was_done_to_a_part_since(girl):
    before = worked_on(girl)
    assert before == {"face_focus": (40, ["crop", "upscale"]), "upper_body": (30, ["crop"])}
    assert work_on(girl, Cropper()).there == ["girl.png"] and look(girl) == before
    (girl.variants / "girl_upper_body.png").unlink()
    assert work_on(girl, Cropper("face_focus")).made == [] and look(girl)["face_focus"] == before["face_focus"]


def test_other_settings_leave_it_too_and_say_so(girl):
    before = worked_on(girl)
    report = work_on(girl, Cropper(by=5))
    assert [one.name for one in report.made] == ["girl_upper_body.png"] and look(girl) == before
    assert [(one.name, one.reason) for one in report.skipped] == [(
        "girl.png (face_focus)", "girl_face_focus.png was cut by hand, brought along or worked on since, and stays. To have it cut anew, "
        "put it aside first.")]
    assert report.unneeded == []
    assert work_on(girl, Cropper("face_focus", by=6)).unneeded == [] and "face_focus" in look(girl)


def test_what_was_cut_by_hand_or_brought_along_is_nobody_elses(girl):
    crop_by_hand(girl, HandCropSettings.make(image="girl", box=(0, 0, 50, 40), label="face_focus"))
    Image.new("RGB", (33, 33)).save(girl.variants / "girl_upper_body.png")
    for tool in (Cropper(), Cropper(by=5)):
        report = work_on(girl, tool)
        assert report.made == [] and [one.name for one in report.skipped] == ["girl.png (face_focus)", "girl.png (upper_body)"]
    assert Image.open(girl.variants / "girl_face_focus.png").size == (50, 40)
    tried = try_on(girl, Cropper(), "girl")
    assert tried.files == () and "girl_face_focus.png was cut by hand" in tried.reason and keep(girl, tried) == []


def test_a_hand_does_not_cut_over_what_a_tool_made(girl):
    work_on(girl, Cropper())
    with pytest.raises(DatasetError, match=r"girl_face_focus.png was .* and stays"):
        crop_by_hand(girl, HandCropSettings.make(image="girl", box=(0, 0, 50, 40), label="face_focus"))
    assert look(girl)["face_focus"] == (20, ["crop"])


def test_a_part_that_was_taken_away_comes_again_though_others_stand(girl):
    work_on(girl, Cropper())
    (girl.variants / "girl_face_focus.png").unlink()
    assert [one.name for one in work_on(girl, Cropper()).made] == ["girl_face_focus.png", "girl_upper_body.png"]
    before = worked_on(girl)
    (girl.variants / "girl_upper_body.png").unlink()
    report = work_on(girl, Cropper())
    assert [one.name for one in report.made] == ["girl_upper_body.png"] and look(girl) == before
    assert work_on(girl, Cropper()).there == ["girl.png"]


def test_a_part_that_somebody_cuts_while_a_tool_works_stays(girl):
    tool = Cropper()
    cut = tool.finish

    def finish(*arguments):
        crop_by_hand_alone(girl)
        return cut(*arguments)

    tool.finish = finish
    report = work_on(girl, tool)
    assert report.made == [] and "changed meanwhile" in report.skipped[0].reason and look(girl) == {"face_focus": (50, ["crop-by-hand"])}


def crop_by_hand_alone(project):
    from core.dataset.images.cropping.by_hand import make_hand_cropper

    settings = HandCropSettings.make(image="girl", box=(0, 0, 50, 40), label="face_focus")
    keep(project, try_on(project, make_hand_cropper(project, settings), "girl"))
