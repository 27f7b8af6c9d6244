"""What the project fills in, and what is found before a launch."""

from pathlib import Path

import pytest
from PIL import Image

from core.base.files import write_json
from core.base.findings import errors_of
from core.dataset.project import Project
from core.training.amounts import amount_lines
from core.training.config import TrainingSettings
from core.training.config.counting import count_steps
from core.training.config.model import ModelSettings
from core.training.config.sources import image_counts
from core.training.fitting import fit_to_project, fitted_repeats
from core.training.manager import TrainingManager


def lines_of(settings):
    return amount_lines(settings, "builtin", Path("/nowhere"), on_gpu=True)



def make_pictures(folder, count, first=0):
    folder.mkdir(exist_ok=True)
    for number in range(first, first + count):
        Image.new("RGB", (64, 64)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("mochi, cat")


@pytest.fixture
def project(tmp_path):
    made = Project.create(tmp_path / "cats", "cats", trigger="mochi")
    make_pictures(made.images, 3)
    return made


def test_repeats_are_fitted_to_the_pictures_unless_they_were_chosen(project):
    fitted = fit_to_project(TrainingSettings(), project)
    assert fitted_repeats(project) == 67 and fitted.data.subsets[0].num_repeats == 67 and fitted.data.num_repeats is None
    chosen = fit_to_project(TrainingSettings().with_values(data={"num_repeats": 5}), project)
    assert chosen.data.subsets[0].num_repeats == 5
    given = fitted.with_values(data={"subsets": [{"image_dir": str(project.images), "num_repeats": 20}]})
    assert fit_to_project(given, project).data.subsets[0].num_repeats == 20


def test_regularisation_alone_is_nothing_to_learn_from_so_the_projects_pictures_are_added(project):
    settings = TrainingSettings().with_values(data={"subsets": [{"image_dir": "/reg", "is_reg": True}]})
    own, reg = fit_to_project(settings, project).data.subsets
    assert (own.image_dir, own.num_repeats, reg.image_dir) == (str(project.images), 67, "/reg")


def test_the_length_is_told_with_its_reckoning(project, tmp_path):
    fitted = fit_to_project(TrainingSettings(), project)
    assert lines_of(fitted)[:2] == [
        "Pictures × repeats: 3 × 67 = 201 in one epoch. Steps: about 101 in one epoch, 1010 in all (10 epochs).",
        "Saved: 10 files, at most about 0.3 GiB on the disk at once, with the states to go on from."]
    make_pictures(tmp_path / "reg", 2)
    make_pictures(tmp_path / "more", 4)
    subsets = [{"image_dir": str(project.images), "num_repeats": 2}, {"image_dir": str(tmp_path / "more")},
               {"image_dir": str(tmp_path / "reg"), "is_reg": True}]
    words = lines_of(fitted.with_values(data={"subsets": subsets}))[0]
    assert words.startswith("Pictures × repeats: 3 × 2 + 4 × 1 = 10 in one epoch, and 10 regularisation pictures.")
    assert count_steps(fitted, image_counts(fitted)).steps == 1010


def test_without_pictures_the_length_says_so(tmp_path):
    empty = Project.create(tmp_path / "empty", "empty")
    assert "no picture" in lines_of(fit_to_project(TrainingSettings(), empty))[0]


@pytest.mark.parametrize("backend", ["builtin", "sd-scripts"])
def test_a_missing_model_is_told_once_in_the_words_of_the_form_and_hides_nothing_else(project, backend):
    settings = TrainingSettings().with_values(memory={"full_fp16": True})
    errors = [finding for finding in errors_of(TrainingManager.open(project.folder).check(settings, backend))
              if "not installed" not in finding.what]
    title = ModelSettings.fields()["pretrained_model_name_or_path"].title
    assert f"No model is chosen: the setting '{title}' is empty." in [finding.what for finding in errors]
    assert len(errors) == (2 if backend == "builtin" else 1)  # full_fp16, which the built-in trainer does not know
    assert not any("pretrained_model_name_or_path" in str(finding) or "not-chosen" in str(finding) for finding in errors)


def test_a_project_without_pictures_is_sent_to_the_import_whatever_the_trainer(tmp_path):
    empty = Project.create(tmp_path / "empty", "empty")
    errors = [str(finding) for finding in errors_of(TrainingManager.open(empty.folder).check(TrainingSettings()))]
    assert "This project has no pictures yet. Import some in Dataset_Maker (panel Import)." in errors
    assert not any("sd-scripts" in error for error in errors)


def test_sample_prompts_are_proposed_for_a_preset_only_and_never_for_what_a_person_emptied(project, monkeypatch):
    from core.base.registry import Entry
    from core.training.backends import BACKENDS
    from tests.core.training.fakes import wait_for_end

    monkeypatch.setitem(BACKENDS._entries, "fake", Entry("fake", "tests.core.training.fakes:FakeBackend", "Fake"))
    write_json(project.folder / "model_index.json", {"_class_name": "StableDiffusionPipeline"})
    (project.folder / "words.txt").write_text("good")
    manager = TrainingManager.open(project.folder)
    proposed = manager.preset("sd15_character")
    assert [prompt.prompt for prompt in proposed.sampling.sample_prompts] == ["mochi, cat", "mochi"]
    emptied = proposed.with_values(sampling={"sample_prompts": []}, model={"pretrained_model_name_or_path": str(project.folder)})
    assert manager.configure(emptied).sampling.sample_prompts == []
    run = manager.launch(emptied, "fake")
    assert run.settings().sampling.sample_prompts == [] and not (run.folder / "sample_prompts.txt").exists()
    assert wait_for_end(run) == "done"
    assert manager.configure(emptied, propose=True).sampling.sample_prompts == proposed.sampling.sample_prompts


def test_sample_prompts_that_call_an_earlier_trigger_word_are_told(project):
    manager = TrainingManager.open(project.folder)
    proposed = manager.preset("sd15_character")

    def told(settings):
        return [finding.what for finding in manager.check(settings) if "trigger word" in finding.what]

    assert told(proposed) == [] and told(proposed.with_values(sampling={"sample_prompts": []})) == []
    project.change_info(lambda info: info.changed(trigger_word="mochicat"))
    assert any("No sample prompt holds the trigger word 'mochicat'" in what and "'mochi, cat'" in what for what in told(proposed))


def test_the_embedded_model_is_trained_at_its_own_size_or_that_is_told(project):
    from core.demo.run import MODEL, SIZE
    from core.training.base_models import DEMO_SIDE

    assert SIZE == DEMO_SIDE
    manager = TrainingManager.open(project.folder)
    for side, said in ((SIZE, False), (512, True)):
        settings = manager.preset("sd15_character").with_values(data={"resolution": side, "min_bucket_reso": SIZE},
                                                               model={"pretrained_model_name_or_path": str(MODEL)})
        assert any("embedded model draws" in finding.what for finding in manager.check(settings)) is said
