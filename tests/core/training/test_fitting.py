"""What the project fills in, and what is found before a launch: repeats, the GPU's precision."""

import pytest
from PIL import Image

from core.dataset.project import Project
from core.training.config import TrainingSettings
from core.training.config.counting import count_steps
from core.training.config.presets import load_preset
from core.training.config.sources import image_counts
from core.training.fitting import fit_to_project, fitted_repeats, length_words
from core.training.manager import TrainingManager


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


def put_nvidia_smi(folder, monkeypatch, name, capability):
    """A stand-in for a program that a machine without a GPU cannot have."""
    program = folder / "nvidia-smi"
    program.write_text(f'#!/bin/sh\ncase "$*" in *query-gpu*) echo "{name}, 550.54, 15360, 15000, {capability}";; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


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
    assert length_words(fitted) == "Pictures × repeats: 3 × 67 = 201 in one epoch. Steps: about 101 in one epoch, 1010 in all."
    make_pictures(tmp_path / "reg", 2)
    make_pictures(tmp_path / "more", 4)
    subsets = [{"image_dir": str(project.images), "num_repeats": 2}, {"image_dir": str(tmp_path / "more")},
               {"image_dir": str(tmp_path / "reg"), "is_reg": True}]
    words = length_words(fitted.with_values(data={"subsets": subsets}))
    assert words.startswith("Pictures × repeats: 3 × 2 + 4 × 1 = 10 in one epoch, and 10 regularisation pictures.")
    assert count_steps(fitted, image_counts(fitted)).steps == 1010


def test_without_pictures_the_length_says_so(tmp_path):
    empty = Project.create(tmp_path / "empty", "empty")
    assert "no picture" in length_words(fit_to_project(TrainingSettings(), empty))


@pytest.mark.parametrize(("name", "capability", "found"), [("Tesla T4", "7.5", True), ("Tesla V100", "7.0", True),
                                                           ("NVIDIA A100", "8.0", False), ("NVIDIA B200", "10.0", False),
                                                           ("Old driver", "[N/A]", False)])
@pytest.mark.parametrize("backend", ["builtin", "sd-scripts"])
def test_a_gpu_without_bf16_is_told_before_hours_are_lost(project, tmp_path, monkeypatch, name, capability, found, backend):
    put_nvidia_smi(tmp_path, monkeypatch, name, capability)
    checked = TrainingManager.open(project.folder).check(load_preset("sdxl_character"), backend)
    findings = [finding for finding in checked if "bf16" in finding.what]
    assert bool(findings) == found
    if found:
        assert findings[0].level == "error" and name in findings[0].what
        assert findings[0].remedy == "Set 'Precision' (mixed_precision) to fp16."


def test_fp16_on_an_older_gpu_and_bf16_without_a_gpu_are_not_spoken_of(project, tmp_path, monkeypatch):
    manager, settings = TrainingManager.open(project.folder), load_preset("sdxl_character")
    assert not any("bf16" in finding.what for finding in manager.check(settings))
    put_nvidia_smi(tmp_path, monkeypatch, "Tesla T4", "7.5")
    assert not any("fp16" in str(finding) for finding in manager.check(settings.with_values(memory={"mixed_precision": "fp16"})))
    full = manager.check(settings.with_values(memory={"full_bf16": True}))
    assert any("'All in bf16' (full_bf16) off" in finding.remedy for finding in full)
