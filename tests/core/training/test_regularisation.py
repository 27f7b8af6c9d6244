"""Regularisation pictures on a tiny real model: drawn once, and never taken for those of another model or setting."""

import pytest

from core.base.errors import Cancelled, ConfigError
from core.base.progress import Progress
from core.training.regularisation import RegularisationSettings, draw_regularisation
from tests.tiny_models import make_model_folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return [make_model_folder(folder / name, seed=seed) for seed, name in enumerate(("one", "two"))]


def settings(model, **values):
    usual = {"model": str(model), "prompts": ["a cat", "a dog", "a cat"], "width": 32, "height": 32, "steps": 1}
    return RegularisationSettings.make(**{**usual, **values})


def test_each_prompt_gets_a_picture_and_a_caption(tmp_path, models):
    report = draw_regularisation(tmp_path, settings(models[0]))
    pictures = sorted(report.folder.glob("*.png"))
    assert [path.with_suffix(".txt").read_text() for path in pictures] == ["a cat", "a dog", "a cat"]
    assert (report.drawn, report.kept, report.others) == (3, 0, 0)
    again = draw_regularisation(tmp_path, settings(models[0]))
    assert (again.drawn, again.kept, again.others) == (0, 3, 0) and "others" not in again.sentence()


@pytest.mark.parametrize("change", [{"model": 1}, {"steps": 2}, {"guidance": 3.0}, {"negative": "blue"}, {"width": 64}, {"seed": 2},
                                    {"prompts": ["a cat", "a dog", "a bird"]}])
def test_another_model_or_setting_never_takes_an_earlier_picture_for_its_own(tmp_path, models, change):
    draw_regularisation(tmp_path, settings(models[0]))
    changed = {**change, "model": str(models[change.get("model", 0)])}
    report = draw_regularisation(tmp_path, settings(models[0]).changed(**changed))
    expected = (1, 2, 1) if "prompts" in change else (3, 0, 3)
    assert (report.drawn, report.kept, report.others) == expected
    assert f"{report.others} others, drawn with other settings" in report.sentence()


def test_a_model_file_that_was_replaced_draws_anew(tmp_path, models):
    from tests.tiny_models import make_single_file

    file = make_single_file(models[0], tmp_path / "model.safetensors")
    draw_regularisation(tmp_path / "p", settings(file, prompts=["a cat"]))
    make_single_file(models[1], file)
    assert draw_regularisation(tmp_path / "p", settings(file, prompts=["a cat"])).drawn == 1


@pytest.mark.parametrize("size", [1, 2, 64])
def test_so_many_are_drawn_at_once_as_is_said(tmp_path, models, size):
    """Stopped in the first batch, only that one is there; what is there stays, and the rest follows."""

    class Impatient(Progress):
        def report_step(self, item):
            if self.done >= min(size, 3):
                self.cancel()

    with pytest.raises(Cancelled):
        draw_regularisation(tmp_path, settings(models[0], batch_size=size), Impatient())
    assert len(list((tmp_path / "regularisation").glob("*.png"))) == min(size, 3)
    assert draw_regularisation(tmp_path, settings(models[0], batch_size=size)).kept == min(size, 3)


def test_model_and_prompt_are_needed(tmp_path):
    with pytest.raises(ConfigError, match="Give both"):
        draw_regularisation(tmp_path, RegularisationSettings(model="x"))
