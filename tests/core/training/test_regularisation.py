"""Regularisation pictures on a tiny real model: drawn once, and never taken for those of another model or setting."""

import pytest
from PIL import Image

from core.base.errors import Cancelled, ConfigError, ModelError
from core.base.progress import Progress
from core.diffusion import load_model
from core.training.config import TrainingSettings
from core.training.regularisation import RegularisationSettings, draw_regularisation, settings_for, words_of
from tests.tiny_models import break_vae, make_model_folder


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


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"model": 1}, {"steps": 2}, {"guidance": 3.0}, {"negative": "blue"}, {"width": 64}, {"seed": 2},
                                    {"vae": 1}, {"clip_skip": 2}, {"max_token_length": 225}, {"v_parameterization": True},
                                    {"v_parameterization": True, "zero_terminal_snr": True}, {"no_half_vae": True},
                                    {"prompts": ["a cat", "a dog", "a bird"]}])
def test_another_model_or_setting_never_takes_an_earlier_picture_for_its_own(tmp_path, models, change):
    draw_regularisation(tmp_path, settings(models[0]))
    changed = {**change, "model": str(models[change.get("model", 0)])}
    if "vae" in change:
        changed["vae"] = str(models[change["vae"]] / "vae")
    report = draw_regularisation(tmp_path, settings(models[0]).changed(**changed))
    expected = (1, 2, 1) if "prompts" in change else (3, 0, 3)
    assert (report.drawn, report.kept, report.others) == expected
    assert f"{report.others} others, drawn with other settings" in report.sentence()


def test_the_pictures_are_drawn_as_the_training_means_it(tmp_path, models):
    training = TrainingSettings().with_values(
        model={"pretrained_model_name_or_path": str(models[0]), "vae": str(models[1] / "vae"), "v_parameterization": True, "clip_skip": 2,
               "max_token_length": 150, "no_half_vae": True}, loss={"zero_terminal_snr": True}, data={"resolution": 64})
    wanted = settings_for(training, RegularisationSettings.make(prompts=["a red cat"], steps=2))
    assert (wanted.width, wanted.height, wanted.vae, wanted.no_half_vae) == (64, 64, str(models[1] / "vae"), True)
    (drawn,) = draw_regularisation(tmp_path, wanted).folder.glob("*.png")
    model = load_model(models[0], vae=models[1] / "vae")
    model.trained_as(True, True)
    expected = model.sample(["a red cat"], seeds=1, width=64, height=64, steps=2, guidance=7.5, clip_skip=2, max_token_length=150)[0]
    with Image.open(drawn) as picture:
        assert max(abs(a - b) for a, b in zip(picture.tobytes(), expected.tobytes(), strict=True)) <= 1


def test_a_model_that_draws_no_numbers_leaves_no_black_pictures_to_train_on(tmp_path, models):
    broken = break_vae(make_model_folder(tmp_path / "broken"))
    with pytest.raises(ModelError, match="Switch on no_half_vae, or choose another VAE"):
        draw_regularisation(tmp_path, settings(broken))
    assert not list(tmp_path.glob("regularisation/*"))
    assert draw_regularisation(tmp_path, settings(broken, vae=str(models[0] / "vae"))).drawn == 3


def test_the_words_of_a_picture_tell_why_they_cannot_be_read(tmp_path):
    for name, data in (("a", b"a cat\n"), ("b", "caf\xe9".encode("latin-1"))):
        (tmp_path / f"{name}.txt").write_bytes(data)
    assert words_of(tmp_path / "a.png") == "a cat" and words_of(tmp_path / "c.png") == "c"
    assert "b.txt is not UTF-8" in words_of(tmp_path / "b.png")


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
