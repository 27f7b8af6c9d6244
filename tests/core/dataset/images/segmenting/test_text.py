"""Words to masks: what is found is cut out, and what is not found is told."""

import numpy
import pytest
from PIL import Image

from core.base.errors import ConfigError, ModelError
from core.base.progress import SILENT
from core.dataset.images.segmenting import SEGMENTERS
from core.dataset.images.segmenting.masking import mask_images
from core.dataset.images.segmenting.sam import Prompt, device_of, vision_files
from core.dataset.images.segmenting.settings import SAMS, WORD_FINDERS, MaskSettings
from core.dataset.images.segmenting.text import FINDERS, TextSegmenter, asked, find_boxes
from core.models.warm import WARM
from tests.core.dataset.curation.photographs import photographs
from tests.core.dataset.images.segmenting.small_sams import save_grounding_dino, save_sam2


@pytest.fixture
def pictures(project, tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    folder = tmp_path / "models" / "segmenters"
    save_grounding_dino(folder / "grounding-dino-tiny")
    save_sam2(folder / "sam2.1-tiny")
    photographs()["chelsea"].save(project.images / "cat.png")
    yield project
    WARM.unload_all()


def words(**settings):
    return MaskSettings.make(**{"segmenter": "text", "words": "Watermark, red cat", "device": "cpu", **settings})


def test_words_are_asked_for_as_the_model_was_taught():
    assert asked("Watermark, red cat.") == "watermark. red cat."
    with pytest.raises(ConfigError, match="No words say what to find"):
        asked(" , .")


@pytest.mark.slow
def test_every_find_is_cut_out_and_the_mask_is_of_the_pictures_size(pictures, tmp_path):
    from core.dataset.images.segmenting.clicking import ClickSettings, open_clicker
    from core.dataset.images.segmenting.text import _open_finder

    report = mask_images(pictures, words(certainty=0.0001))
    assert [(one.name, one.after) for one in report.made] == [("cat_mask.png", (451, 300))]
    picture = Image.open(pictures.images / "cat.png").convert("RGB")
    boxes = find_boxes(_open_finder(vision_files(FINDERS["grounding-dino-tiny"], SILENT), "cpu"), picture, "watermark. red cat.", 0.0001)
    assert 0 < len(boxes) <= 5 and all(0 <= left < right <= 451 and 0 <= top < bottom <= 300 for left, top, right, bottom in boxes)
    with open_clicker(ClickSettings(model="sam2.1-tiny", device="cpu")) as clicker:
        seen = clicker.sam.look(picture, picture.size)
        wanted = numpy.maximum.reduce([clicker.sam.answer(seen, Prompt((), box)).mask(picture.size) for box in boxes])
    assert (numpy.array(Image.open(pictures.variants / "cat_mask.png")) == wanted).all()
    assert mask_images(pictures, words(certainty=0.0001)).there == ["cat.png"]


@pytest.mark.slow
def test_what_is_not_found_is_told(pictures):
    report = mask_images(pictures, words(certainty=0.9999))
    assert report.made == [] and report.skipped[0].reason == "Nothing was found."


@pytest.mark.slow
def test_another_kind_of_model_is_refused(pictures, tmp_path):
    save_sam2(tmp_path / "models" / "segmenters" / "grounding-dino-base", video=False)
    with pytest.raises(ModelError, match="could not be opened"):
        mask_images(pictures, words(detector="grounding-dino-base"))


def test_the_choices_of_the_form_are_those_that_are_known():
    from core.dataset.images.segmenting.sam import SAMS as KNOWN

    assert tuple(FINDERS) == WORD_FINDERS and set(SAMS) == {name for name in KNOWN.names() if name.startswith("sam2")}
    assert all(len(entry.options["revision"]) == 40 for entry in FINDERS.values())


@pytest.mark.slow
def test_a_failure_lets_go_of_both_models(pictures):
    segmenter = TextSegmenter(SEGMENTERS.entry("text"), words())
    with pytest.raises(ModelError, match="There is no room"), segmenter.ready(SILENT):
        raise ModelError("There is no room.")
    with pytest.raises(RuntimeError, match="not ready"):
        segmenter.infer(Image.new("RGB", (60, 40)), SILENT)
    assert segmenter._detector is None


@pytest.mark.slow
def test_both_models_are_open_once_on_each_device_however_they_were_asked_for(pictures):
    if device_of("sam2.1-tiny", "auto") == "cuda":
        pytest.skip("Here \"auto\" is the GPU.")
    for device in ("auto", "cpu"):
        with TextSegmenter(SEGMENTERS.entry("text"), words(device=device)).ready(SILENT):
            assert len(WARM.list()) == 2
