"""Base models draw into the hole: tiny ones of random weights, and the embedded one, which has learnt to draw."""

import random
import sys

import numpy
import pytest
from PIL import Image

from core.base.errors import Cancelled, ModelError
from core.base.paths import ROOT
from core.base.progress import Progress
from core.dataset.images.inpainting.painting import Inpainter, inpaint_images, tries
from core.dataset.images.inpainting.settings import InpaintSettings
from core.dataset.images.variants import read_made
from core.dataset.images.working import keep, try_on, work_on
from core.dataset.project import Project
from core.models.warm import WARM
from tests.core.dataset.images.inpainting.conftest import marked
from tests.tiny_models import break_vae, make_model_folder

pytestmark = pytest.mark.slow

DEMO = ROOT / "assets/demo/model"
BOX = (100, 80, 140, 110)


def settings(model, **values):
    return InpaintSettings.make(**{"method": "sd15", "base_model": str(model), "resolution": 64, "steps": 3, "context": 16,
                                   "least_likeness": 0, **values})


def painted(project):
    return numpy.array(Image.open(project.variants / "photo_inpainted.png"))


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_only_marked_pixels_change_and_the_seed_decides(project, photo, family, sd_folder, sdxl_folder):
    hole = marked(project, "photo", BOX)
    values = {"model": {"sd15": sd_folder, "sdxl": sdxl_folder}[family], "method": family, "grow": 0}
    inpaint_images(project, settings(**values, seed=1))
    first = painted(project)
    assert (first[~hole] == photo[~hole]).all() and (first[hole] != photo[hole]).any(axis=1).mean() > 0.9
    inpaint_images(project, settings(**values, seed=2))
    assert (painted(project)[hole] != first[hole]).any() and len(WARM.list()) == 1
    inpaint_images(project, settings(**values, seed=1))
    assert (painted(project) == first).all() and inpaint_images(project, settings(**values, seed=1)).there == ["photo.png"]


def test_several_results_are_made_one_is_kept_and_progress_counts_steps(project, photo, sd_folder):
    marked(project, "photo", BOX)
    told = []

    class Watch(Progress):
        def report_step(self, item):
            told.append((self.what, self.done, self.total))

    made = list(tries(project, settings(sd_folder, results=3, seed=5), "photo", progress=Watch()))
    assert len({one.files[0].encoded.data for one in made}) == 3 and not (project.variants / "photo_inpainted.png").exists()
    assert told == [("Painting", 1, 2), ("Painting", 2, 2)] * 3
    keep(project, made[1])
    assert read_made(project.variants / "photo_inpainted.png").steps[0].settings["seed"] == 6
    assert inpaint_images(project, settings(sd_folder, seed=6)).there == ["photo.png"]


def test_the_caption_without_the_trigger_word_is_the_prompt(tmp_path, photo, sd_folder):
    project = Project.create(tmp_path / "other", "Other", trigger="mycat")
    Image.fromarray(photo).save(project.images / "photo.png")
    (project.images / "photo.txt").write_text("mycat, red hair, smile", encoding="utf-8")
    marked(project, "photo", BOX)

    def prompt():
        return read_made(project.variants / "photo_inpainted.png").steps[-1].settings["prompt"]

    inpaint_images(project, settings(sd_folder))
    assert prompt() == "red hair, smile"
    (project.images / "photo.txt").write_text("mycat, blue hair", encoding="utf-8")
    assert len(inpaint_images(project, settings(sd_folder)).made) == 1 and prompt() == "blue hair"
    inpaint_images(project, settings(sd_folder, prompt=" a wall "))
    assert prompt() == "a wall"
    inpaint_images(project, settings(sd_folder, use_caption=False))
    assert prompt() == ""


def test_a_cancel_comes_between_two_steps(project, photo, sd_folder):
    marked(project, "photo", BOX)

    class Impatient(Progress):
        def report_step(self, item):
            self.cancel()

    with pytest.raises(Cancelled):
        list(tries(project, settings(sd_folder, steps=100), "photo", progress=Impatient()))
    progress = Progress()
    tool = Inpainter(settings(sd_folder, steps=100))
    asked = []
    progress.check = lambda: asked.append(1) or (progress.cancel() if len(asked) == 5 else None) or Progress.check(progress)
    with pytest.raises(Cancelled):
        try_on(project, tool, "photo", progress=progress)
    assert len(asked) == 5


@pytest.mark.slow
def test_a_result_that_does_not_fit_is_painted_by_lama_if_it_is_there(project, photo, sd_folder, random_lama, models):
    hole = marked(project, "photo", BOX)
    strict = settings(sd_folder, least_likeness=40, lama_model="random.safetensors", grow=0)
    (made,) = inpaint_images(project, strict).made
    assert made.note.startswith("look at its edges: around the mark it was unlike the picture (") and "40 are wanted" in made.note
    (models / "inpainters").mkdir(parents=True)
    (models / "inpainters" / "random.safetensors").symlink_to(random_lama)
    (file,) = try_on(project, Inpainter(strict.changed(seed=3)), "photo").files
    assert file.encoded.note.startswith("painted by LaMa: around the mark it was unlike the picture")
    by_lama = InpaintSettings.make(method="lama", lama_model="random.safetensors", resolution=64, context=16, grow=0)
    (other,) = try_on(project, Inpainter(by_lama), "photo").files
    import io

    one, two = (numpy.array(Image.open(io.BytesIO(data.encoded.data))) for data in (file, other))
    assert (one == two).all() and (one[~hole] == photo[~hole]).all()


@pytest.mark.parametrize("missing", ["weights", "package"])
def test_a_lama_that_cannot_take_over_costs_no_result(project, photo, sd_folder, models, monkeypatch, missing):
    (models / "inpainters").mkdir(parents=True)
    (models / "inpainters" / "big-lama.pt").write_bytes(b"no weights")
    marked(project, "photo", BOX)
    if missing == "package":
        monkeypatch.setitem(sys.modules, "spandrel", None)
    report = work_on(project, Inpainter(settings(sd_folder, least_likeness=40, lama_model="big-lama")))
    (made,) = report.made
    assert made.note.startswith("look at its edges: around the mark it was unlike the picture") and report.skipped == []
    words = {"weights": "big-lama.pt", "package": "The way of inpainting 'LaMa' needs spandrel"}[missing]
    assert f"; LaMa could not take over: {words}" in made.note


def test_a_vae_that_overflows_is_told_and_a_folder_that_is_no_model_too(tmp_path, project, photo, sdxl_folder):
    marked(project, "photo", BOX)
    report = inpaint_images(project, settings(break_vae(make_model_folder(tmp_path / "broken"))))
    assert "NaN" in report.skipped[0].reason and report.made == []
    (tmp_path / "empty").mkdir()
    for model, words in ((tmp_path / "empty", "without model_index.json"), (sdxl_folder, "XL model, but"), ("nobody/at all", "No model"),
                         (tmp_path / "none.safetensors", "No model")):
        with pytest.raises(ModelError, match=words):
            inpaint_images(project, settings(model))


def test_what_it_begins_with_is_chosen(project, photo, sd_folder):
    hole = marked(project, "photo", BOX)
    made = []
    for start in ("around", "picture"):
        inpaint_images(project, settings(sd_folder, start=start, strength=0.2, grow=0))
        made.append(painted(project))
    assert (made[0][hole] != made[1][hole]).any()


@pytest.mark.slow
def test_the_embedded_model_draws_what_is_missing(project):
    """Mouth and clothes of the drawn world are covered; the model draws them by the caption, where colours from around cannot."""
    from core.demo.drawing import draw
    from core.demo.judge import judge_attributes
    from core.demo.world import random_spec, tag_caption

    dice = random.Random(4)
    specs = [random_spec(dice) for _ in range(4)]
    for number, spec in enumerate(specs):
        draw(spec, number).save(project.images / f"{number}.png")
        (project.images / f"{number}.txt").write_text(tag_caption(spec, dice, 1.0), encoding="utf-8")
        hole = marked(project, str(number), (16, 40, 48, 64))
    before = [numpy.array(Image.open(project.images / f"{number}.png").convert("RGB")) for number in range(4)]
    errors, right = [], []
    for method in ("smooth", "sd15"):
        report = inpaint_images(project, settings(DEMO, method=method, context=64, guidance=3.0, steps=12, grow=0, feather=0,
                                                  least_likeness=18))
        made = [Image.open(project.variants / f"{number}_inpainted.png").convert("RGB") for number in range(4)]
        pairs = zip(made, before, strict=True)
        errors.append(numpy.mean([(numpy.array(one)[hole].astype(float) - other[hole]) ** 2 for one, other in pairs]))
        right.append(judge_attributes(made, specs))
        assert [one.note for one in report.made] == [""] * 4
    assert right[1] >= 0.9 and right[1] > right[0] and errors[1] < errors[0] / 2
