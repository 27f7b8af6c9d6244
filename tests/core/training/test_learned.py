"""A training learns the best versions of the pictures, and the masks that were drawn; what a person chose stays as it was chosen."""

import pytest
import toml
from PIL import Image

from core.base.registry import Entry
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.variants import Made, save_variant
from core.training.backends import BACKENDS
from core.training.config import TrainingSettings
from core.training.learned import as_chosen, learn_versions
from core.training.loading import settings_of_run
from core.training.manager import TrainingManager
from core.training.preview import PreviewSettings
from tests.core.training.fakes import make_project, wait_for_end


def version(manager, stem, kind, size=(128, 96), mode="RGB", of=""):
    data = encode(Image.new(mode, size), SaveSettings(format="png"), "PNG", Made(of, ()).text() if of else "").data
    save_variant(manager.project, stem, kind, data, ".png")


@pytest.fixture
def manager(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    monkeypatch.setitem(BACKENDS._entries, "fake", Entry("fake", "tests.core.training.fakes:FakeBackend", "Fake"))
    project = make_project(tmp_path)
    for number in range(3):
        Image.new("RGB", (64, 48)).save(project.images / f"{number}.png")
        (project.images / f"{number}.txt").write_text("mochi, cat")
    return TrainingManager.open(project.folder)


def settings(manager, **parts):
    base = TrainingSettings().with_values(model={"pretrained_model_name_or_path": str(manager.project.folder)}, **parts)
    return manager.configure(base)


def learned_folder(run):
    return toml.load(run.folder / "dataset.toml")["datasets"][0]["subsets"][0]


def test_without_versions_nothing_changes_and_a_switch_leaves_them_out(manager):
    assert learn_versions(settings(manager), manager.project) == settings(manager)
    version(manager, "0", "upscaled")
    off = settings(manager, data={"use_versions": False})
    assert learn_versions(off, manager.project) == off
    assert learn_versions(settings(manager), manager.project) != settings(manager)


def test_a_run_reads_the_best_versions_and_is_cloned_as_it_was_chosen(manager):
    version(manager, "0", "upscaled")
    (manager.project.folder / "words.txt").write_text("good")
    run = manager.launch(settings(manager), "fake")
    assert wait_for_end(run) == "done"
    folder = manager.project.folder / learned_folder(run)["image_dir"]
    assert Image.open(folder / "0.png").size == (128, 96) and Image.open(folder / "1.png").size == (64, 48)
    assert settings_of_run(run).data.subsets[0].image_dir == str(manager.project.images)
    assert manager.settings().data.subsets[0].image_dir == str(manager.project.images)


def test_masks_of_the_project_are_learned_with_the_masked_loss_alone(manager):
    version(manager, "1", "mask", (64, 48), "L")
    assert learn_versions(settings(manager), manager.project) == settings(manager)
    masked = learn_versions(settings(manager, loss={"masked_loss": True}), manager.project)
    (subset,) = masked.data.subsets
    assert subset.conditioning_data_dir and len(list((manager.project.folder / subset.conditioning_data_dir).glob("*.png"))) == 3
    assert as_chosen(masked, manager.project) == settings(manager, loss={"masked_loss": True})
    findings = manager.check(settings(manager, loss={"masked_loss": True}), "sd-scripts", deep=False)
    assert not [one for one in findings if "masked" in one.what and one.level == "error"]


def test_own_masks_and_other_folders_are_left_as_they_are(manager, tmp_path):
    version(manager, "0", "upscaled")
    version(manager, "1", "mask", (64, 48), "L")
    other = {"image_dir": str(tmp_path / "others")}
    chosen = settings(manager, loss={"masked_loss": True}, data={"subsets": [
        {"image_dir": str(manager.project.images), "conditioning_data_dir": str(tmp_path / "masks")}, other]})
    first, second = learn_versions(chosen, manager.project).data.subsets
    assert first.image_dir != str(manager.project.images) and first.conditioning_data_dir == str(tmp_path / "masks")
    assert second.image_dir == other["image_dir"]


def test_a_mask_that_does_not_fit_is_found_before_the_start(manager):
    version(manager, "1", "mask", (48, 64), "L")
    findings = manager.check(settings(manager, loss={"masked_loss": True}), "sd-scripts", deep=False)
    assert any(one.level == "error" and "mask of 1.png" in one.what for one in findings)


def test_what_is_shown_and_counted_is_what_is_learned(manager):
    version(manager, "0", "upscaled")
    shown = manager.preview(PreviewSettings(image="0"))
    assert shown.size == (128, 96) and shown.captions[0].text
    assert manager.amounts(settings(manager)) == manager.amounts(settings(manager, data={"use_versions": False}))


def test_versions_and_masks_of_older_pictures_are_told_before_the_start(manager):
    def told(**parts):
        return [one for one in manager.check(settings(manager, **parts), "sd-scripts", deep=False) if "not learned" in one.what]

    version(manager, "0", "upscaled", of="of another picture")
    version(manager, "1", "mask", (64, 48), "L", of="of another picture")
    version(manager, "2", "upscaled")
    (found,) = told()
    assert found.level == "warning" and found.what.startswith("0.png was changed") and "take it away" in found.remedy
    (found,) = told(loss={"masked_loss": True})
    assert found.what.startswith("0.png, 1.png were changed")
    assert not told(data={"use_versions": False})
