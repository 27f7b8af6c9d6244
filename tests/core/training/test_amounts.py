"""What a training amounts to: time and price where there is something to go by."""

from pathlib import Path

from core.dataset.project import Project
from core.training.amounts import amount_lines
from core.training.config import TrainingSettings
from core.training.finish.kept import keep_finish, price_of_hour, told_finish
from core.training.finish.settings import FinishSettings
from core.training.fitting import fit_to_project
from tests.tiny_models import make_pictures


def test_on_a_processor_time_and_price_are_told(tmp_path):
    project = Project.create(tmp_path / "p", "p", trigger="mychar")
    make_pictures(project.images, [(64, 64)] * 3)
    settings = fit_to_project(TrainingSettings(), project)
    time = amount_lines(settings, "builtin", project.folder, on_gpu=False)[-1]
    assert time.startswith("Time: about ") and "rough estimate" in time and "Price" not in time
    keep_finish(project.folder, FinishSettings(price_per_hour=0.5))
    assert "at 0.5 an hour" in amount_lines(settings, "builtin", project.folder, on_gpu=False)[-1]
    assert amount_lines(settings, "builtin", project.folder, on_gpu=True)[-1] == \
        "Time: known once this machine has trained with these settings."


def test_files_of_every_family_are_counted(tmp_path):
    project = Project.create(tmp_path / "p", "p")
    make_pictures(project.images, [(64, 64)] * 3)
    settings = fit_to_project(TrainingSettings(), project).with_values(model={"family": "flux1"})
    lines = amount_lines(settings, "sd-scripts", project.folder, on_gpu=False)
    assert lines[1].startswith("Saved: 10 files, at most about ") and " GiB on the disk at once" in lines[1]


def test_without_pictures_it_is_said(tmp_path):
    assert "no picture" in amount_lines(TrainingSettings(), "builtin", Path(tmp_path), on_gpu=False)[0]


def test_on_several_gpus_the_share_of_each_and_the_effective_batch_are_told(tmp_path):
    project = Project.create(tmp_path / "p", "p")
    make_pictures(project.images, [(64, 64)] * 6)
    settings = TrainingSettings().with_values(
        data={"subsets": [{"image_dir": str(project.images), "num_repeats": 10}], "batch_size": 2}, machines={"num_processes": 4},
        schedule={"max_train_epochs": 3, "gradient_accumulation_steps": 2})
    pictures, shares, _ = amount_lines(settings, "sd-scripts", project.folder, on_gpu=False)[:3]
    assert "6 × 10 = 60 in one epoch. Steps: about 4 in one epoch, 12 in all" in pictures
    assert shares == ("Each of 4 GPUs takes about 8 of the 30 batches of an epoch, 15 pictures. A step learns from 2 pictures × 4 GPUs "
                      "× 2 accumulated = 16 (effective batch).")


def test_the_price_of_an_hour_is_read_in_one_place(tmp_path):
    assert price_of_hour(tmp_path) == 0.0 and price_of_hour(tmp_path, 0.7) == 0.7
    keep_finish(tmp_path, FinishSettings(price_per_hour=0.4))
    assert price_of_hour(tmp_path, 0.7) == 0.4
    (tmp_path / "finish.toml").write_text("[finish]\nprice_per_hour = 'much'\n")
    assert price_of_hour(tmp_path, 0.7) == 0.7 and told_finish(tmp_path) == FinishSettings()
