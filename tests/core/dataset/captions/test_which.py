"""Which images a tagger works on: all, those without a caption, or those that are named."""

import pytest

from core.base.errors import ConfigError, DatasetError
from core.base.progress import Progress
from core.dataset.captions.caption_texts import CaptionSettings
from core.dataset.captions.choosing import TagSettings
from core.dataset.captions.tagging import tag_images
from core.dataset.captions.which import for_one
from core.dataset.project import Project
from tests.core.dataset.small_things import picture


@pytest.fixture
def four(tmp_path):
    made = Project.create(tmp_path / "project", "Test", trigger="mika")
    for name, caption in (("a", ""), ("b", "mika, hat"), ("c", "mika"), ("d", "")):
        picture(made.images / f"{name}.png", (20, 230, 20), size=(16, 16))
        if caption:
            (made.images / f"{name}.txt").write_text(caption)
    return made


@pytest.fixture
def settings(tagger):
    return lambda **values: TagSettings.make(**{"model_dir": str(tagger), "drop_overlap": False, "device": "cpu", **values})


def texts(project) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted(project.images.glob("*.txt"))}


@pytest.mark.parametrize("existing", ["merge", "replace", "overwrite", "keep"])
def test_missing_means_no_caption_or_the_trigger_word_alone_whatever_becomes_of_captions(four, settings, existing):
    report = tag_images(four, settings(which="missing", existing=existing))
    assert texts(four) == {"a": "mika, green theme", "b": "mika, hat", "c": "mika, green theme", "d": "mika, green theme"}
    assert (report.written, report.kept) == (3, 0)
    with pytest.raises(DatasetError, match="Each of the 4 images has a caption already"):
        tag_images(four, settings(which="missing"))


def test_missing_and_names_narrow_together(four, settings):
    tag_images(four, settings(which="missing", ids=("b", "d")))
    assert set(texts(four)) == {"b", "c", "d"} and texts(four)["b"] == "mika, hat"
    with pytest.raises(DatasetError, match="The image has a caption already"):
        tag_images(four, settings(which="missing", ids=("b",)))
    with pytest.raises(DatasetError, match="no images to tag"):
        tag_images(four, settings(ids=("gone",)))


def test_a_caption_that_came_while_the_tagger_looked_is_left_alone(four, settings):
    class Meanwhile(Progress):
        def report_start(self) -> None:
            (four.images / "d.txt").write_text("written by hand")

    tag_images(four, settings(which="missing"), Meanwhile())
    assert texts(four)["d"] == "written by hand" and texts(four)["a"] == "mika, green theme"


def test_one_named_image_is_worked_on_where_captions_are_kept_and_other_choices_stay():
    one = for_one(CaptionSettings(which="missing", ids=("x", "y"), mode="short"), "b")
    assert (one.which, one.ids, one.existing, one.mode) == ("all", ("b",), "replace", "short")
    assert for_one(TagSettings(existing="overwrite"), "b").existing == "overwrite"
    with pytest.raises(ConfigError, match="Which images must be one of"):
        TagSettings.make(which="selected")
