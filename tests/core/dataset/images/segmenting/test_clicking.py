"""Clicks: measured in pixels of the picture, answered as the models' own pipelines do, and looked at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
from PIL import Image

from core.base.errors import ConfigError, DatasetError, ModelError
from core.dataset.images.manager import ImagesManager
from core.dataset.images.segmenting.clicking import Clicker, ClickSettings, click, look_at, open_clicker
from core.dataset.images.segmenting.sam import SAMS, MobileSam, Prompt, device_of
from core.models.warm import WARM
from tests.core.dataset.curation.photographs import photographs
from tests.core.dataset.images.segmenting.small_sams import save_mobile_sam, save_sam2

pytestmark = pytest.mark.slow


@pytest.fixture
def segmenters(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    yield tmp_path / "models" / "segmenters"
    WARM.unload_all()


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "cat.png"
    photographs()["chelsea"].save(path)  # 451 x 300
    return path


MOBILE, TINY = ClickSettings(model="mobile-sam"), ClickSettings(model="sam2.1-tiny", device="cpu")


def at(*points, box=None):
    return Prompt(tuple((*point, True) if len(point) == 2 else point for point in points), box)


@pytest.mark.parametrize("size", [(4001, 3001), (300, 500), (1500, 2)])
def test_mobile_sam_answers_where_the_picture_was_clicked(segmenters, tmp_path, size):
    save_mobile_sam(segmenters)
    Image.new("RGB", size, (9, 90, 200)).save(tmp_path / "blue.png")
    x, y = size[0] * 0.7, size[1] * 0.5
    answer = click(tmp_path / "blue.png", at((x, y)), MOBILE)
    rows, columns = numpy.nonzero(answer.mask)
    scale = max(size) / 1024
    assert answer.mask.shape == size[::-1] and answer.score == pytest.approx(0.9)
    assert columns.mean() == pytest.approx(x, abs=1.5 * scale + 1) and rows.mean() == pytest.approx(y, abs=1.5 * scale + 1)
    assert columns.max() - columns.min() == pytest.approx(40 * scale, abs=3 * scale + 2)  # the best of the candidates is 20 px to each side


def test_a_picture_is_looked_at_once_and_an_undone_click_needs_no_model(segmenters, picture, monkeypatch):
    save_mobile_sam(segmenters)
    first = click(picture, at((100, 100)), MOBILE)
    second = click(picture, at((100, 100), (50, 60)), MOBILE)
    assert first.look_seconds > 0 and second.look_seconds == 0
    with open_clicker(MOBILE) as clicker:
        asked = []
        real = clicker.sam.answer
        monkeypatch.setattr(clicker.sam, "answer", lambda *given: asked.append(given) or real(*given))
    assert (click(picture, at((100, 100)), MOBILE).mask == first.mask).all() and asked == []
    click(picture, at((100, 100), (50, 60), (20, 20, False)), MOBILE)
    assert len(asked) == 1 and asked[0][2] is not None  # only the new click, with the mask from before it in view
    Image.new("RGB", (60, 50)).save(picture)
    assert click(picture, at((10, 10)), MOBILE).look_seconds > 0


def test_a_click_during_the_look_waits_for_it_and_does_not_look_again(segmenters, project, picture, monkeypatch):
    save_mobile_sam(segmenters)
    looks, looking, go_on = [], threading.Event(), threading.Event()
    real = MobileSam.look

    def slow(sam, *given):
        looks.append(given)
        looking.set()
        assert go_on.wait(10)
        return real(sam, *given)

    monkeypatch.setattr(MobileSam, "look", slow)
    with ThreadPoolExecutor(2) as threads:
        look = threads.submit(ImagesManager(project).look_for_clicks, picture, "mobile-sam")
        assert looking.wait(10)
        answer = threads.submit(click, picture, at((100, 100)), MOBILE)
        assert not answer.done()
        go_on.set()
        look.result()
        assert answer.result().look_seconds == 0 and answer.result().mask.any()
    assert len(looks) == 1


def test_the_looks_that_are_kept_are_bounded(segmenters, tmp_path):
    save_mobile_sam(segmenters)
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path in paths:
        Image.new("RGB", (30, 20), "red").save(path)
    with open_clicker(MOBILE) as clicker:
        small = Clicker(clicker.sam, kept=2)
        took = [small.click(path, at((5, 5))).look_seconds > 0 for path in (*paths[:3], paths[2], paths[1], paths[0])]
        assert took == [True, True, True, False, False, True] and len(small._looked) == 2


@pytest.mark.slow
def test_the_same_clicks_give_the_same_mask_whether_the_ones_before_were_answered_or_not(segmenters, picture):
    save_sam2(segmenters / "sam2.1-tiny")
    clicks = at((100, 100), (200, 150), (300, 20, False))
    step_by_step = [click(picture, Prompt(clicks.points[:count]), TINY) for count in (1, 2, 3)][-1]
    WARM.unload_all()
    assert (click(picture, clicks, TINY).mask == step_by_step.mask).all()


@pytest.mark.slow
@pytest.mark.parametrize("prompt", [at((100, 100)), at((100, 100, True), (200, 150, True)), at(box=(50, 40, 300, 200)),
                                    at((120, 90), box=(50, 40, 300, 200))], ids=["point", "points", "box", "both"])
def test_sam2_answers_as_its_own_processor_and_model_do(segmenters, picture, prompt):
    """Also: the repository's files are those of the model for video."""
    import torch
    from transformers import Sam2Model, Sam2Processor

    folder = save_sam2(segmenters / "sam2.1-tiny")
    answer = click(picture, prompt, TINY)
    processor, model = Sam2Processor.from_pretrained(folder), Sam2Model.from_pretrained(folder).eval()
    image, hint, result = Image.open(picture).convert("RGB"), None, None
    stages = [Prompt(prompt.points[:count], prompt.box) for count in range(0 if prompt.box else 1, len(prompt.points) + 1)]
    for stage in stages:
        given = processor(images=image, return_tensors="pt", input_boxes=[[list(stage.box)]] if stage.box else None,
                          input_points=[[[[x, y] for x, y, _ in stage.points]]] if stage.points else None,
                          input_labels=[[[int(one) for *_, one in stage.points]]] if stage.points else None)
        several = hint is None and stage.box is None and len(stage.points) == 1
        with torch.no_grad():
            out = model(**{name: value for name, value in given.items() if name != "original_sizes"}, input_masks=hint,
                        multimask_output=several)
        best = int(out.iou_scores[0, 0].argmax())
        hint = out.pred_masks[:, 0, best:best + 1].clamp(-32, 32)
        result = processor.post_process_masks(out.pred_masks, given["original_sizes"])[0][0, best].numpy()
    assert answer.mask.shape == (300, 451) and ((answer.mask > 0) == result).mean() > 0.999


def test_what_points_at_nothing_is_refused_in_words(segmenters, picture):
    save_mobile_sam(segmenters)
    for prompt, words in ((at(), "No click says what is meant"), (at((5, 5, False)), "No click says what is meant"),
                          (at((500, 20)), "500, 20 lies outside of the picture of 451 x 300"),
                          (at(box=(10, 10, 10.5, 90)), "holds no pixel"), (at(box=(-50, -50, -10, -10)), "holds no pixel")):
        with pytest.raises(ConfigError, match=words):
            click(picture, prompt, MOBILE)
    assert click(picture, at(box=(300, 200, -40, 900)), MOBILE).mask.any()  # drawn from the lower right, and beyond the border
    with pytest.raises(DatasetError, match="not there"):
        click(picture.with_name("gone.png"), at((1, 1)), MOBILE)


def test_other_models_files_are_refused(segmenters, picture):
    encoder, decoder = save_mobile_sam(segmenters)
    encoder.write_bytes(decoder.read_bytes())
    with pytest.raises(ModelError, match="MobileSAM's encoder takes .*point_coords"):
        look_at(picture, MOBILE)
    (segmenters / "sam2.1-tiny").mkdir()
    (segmenters / "sam2.1-tiny" / "config.json").write_text('{"model_type": "sam2"}', encoding="utf-8")
    with pytest.raises(ModelError, match="could not be opened"):
        look_at(picture, TINY)


def test_every_model_for_clicks_is_pinned():
    for entry in SAMS:
        assert entry.licence and entry.source
        assert entry.name == "mobile-sam" or len(entry.options["revision"]) == 40


@pytest.mark.parametrize("model", ["mobile-sam", "sam2.1-tiny"])
def test_a_model_is_open_once_on_each_device_however_it_was_asked_for(segmenters, model):
    if device_of(model, "auto") == "cuda":
        pytest.skip("Here \"auto\" is the GPU.")
    save_mobile_sam(segmenters)
    save_sam2(segmenters / "sam2.1-tiny")
    with open_clicker(ClickSettings(model=model, device="auto")) as one, open_clicker(ClickSettings(model=model, device="cpu")) as other:
        assert one is other
