"""What calls a LoRA stands in its file: the project's trigger word, unless a person chose other words or learns from elsewhere."""

import pytest
import toml
from PIL import Image

from core.base.registry import Entry
from core.base.tensor_headers import read_header
from core.dataset.project import Project
from core.training.backends import BACKENDS
from core.training.config import TrainingSettings
from core.training.config.pair import flatten, pair_in
from core.training.fitting import with_trigger
from core.training.loading import settings_of_run
from core.training.manager import TrainingManager
from core.utilities.inspecting.about import about
from tests.core.training.fakes import wait_for_end
from tests.tiny_models import make_model_folder

KEY = "metadata_trigger_phrase"


@pytest.fixture
def manager(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    project = Project.create(tmp_path / "cats", "cats", trigger="mochi")
    for number in range(2):
        Image.new("RGB", (64, 64), "red").save(project.images / f"{number}.png")
        (project.images / f"{number}.txt").write_text("mochi, cat")
    return TrainingManager.open(project.folder)


def settings(folder, **parts):
    return TrainingSettings().with_values(model={"pretrained_model_name_or_path": str(folder)}, **parts)


def test_the_config_that_sd_scripts_reads_tells_the_projects_trigger(manager, tmp_path, monkeypatch):
    monkeypatch.setitem(BACKENDS._entries, "fake", Entry("fake", "tests.core.training.fakes:FakeBackend", "Fake"))
    (manager.project.folder / "words.txt").write_text("good")
    (manager.project.folder / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    run = manager.launch(settings(manager.project.folder), "fake")
    wait_for_end(run)
    assert flatten(toml.load(pair_in(run.folder).config))[KEY] == "mochi"
    assert settings_of_run(run).saving.metadata_trigger_phrase is None  # the word of then is not chosen for the next run
    assert manager.configure(settings(tmp_path)).saving.metadata_trigger_phrase is None


def test_what_a_person_chose_stays_and_pictures_from_elsewhere_are_not_called_by_it(manager, tmp_path):
    fitted = manager.configure(settings(tmp_path))
    assert with_trigger(fitted, manager.project).saving.metadata_trigger_phrase == "mochi"
    chosen = fitted.with_values(saving={KEY: "mochi, cat ears"})
    assert with_trigger(chosen, manager.project) == chosen
    elsewhere = settings(tmp_path, data={"subsets": [{"image_dir": str(tmp_path / "dogs")}]})
    assert with_trigger(elsewhere, manager.project) == elsewhere


def test_other_words_than_the_projects_are_told_before_the_training(manager, tmp_path):
    def told(words):
        found = manager.check(manager.configure(settings(tmp_path, saving={KEY: words})), deep=False)
        return [finding.what for finding in found if "trigger word of the project" in finding.what]

    assert told("rex") == ["The file will say that 'rex' calls it, but the trigger word of the project is 'mochi'."]
    assert told("Mochi, cat ears") == [] == told(None)


@pytest.mark.slow
def test_a_file_of_the_built_in_trainer_tells_it(manager, tmp_path):
    small = {"network": {"network_dim": 2, "network_alpha": 2}, "schedule": {"max_train_epochs": 2}, "saving": {"save_state": False},
             "data": {"resolution": 64, "min_bucket_reso": 64, "num_repeats": 1}}
    run = manager.launch(settings(make_model_folder(tmp_path / "model"), **small), "builtin")
    assert wait_for_end(run, 120) == "done", run.log.read_text()
    files = sorted(run.checkpoints.glob("*.safetensors"))
    assert len(files) == 2 and all(about(read_header(file).metadata).trigger == "mochi" for file in files)
    assert about(read_header(files[0]).metadata).trigger_by == "metadata"
