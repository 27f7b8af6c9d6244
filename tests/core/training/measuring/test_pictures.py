"""The pictures of a short run: of the largest bucket, in whole batches, as copies."""

import pytest

from core.base.errors import ConfigError
from core.base.progress import SILENT
from core.dataset.project import Project
from core.training.config import Subset, TrainingSettings
from core.training.measuring.pictures import copy_pictures, plan_of
from core.training.measuring.shortened import STEPS
from tests.tiny_models import make_pictures


@pytest.fixture
def project(tmp_path):
    made = Project.create(tmp_path / "p", "p")
    make_pictures(made.images, [(64, 64)] * 3 + [(128, 128)] * 3 + [(300, 100)],
                  ["short", "short", "short", "a", "a longer caption", "the longest caption of all", "wide"])
    return made


def settings_for(project, **data):
    return TrainingSettings().with_values(data={
        "subsets": [Subset(image_dir=str(project.images))], "resolution": 128, "min_bucket_reso": 64, "max_bucket_reso": 256,
        "bucket_no_upscale": True, **data})


def copied(project, tmp_path, settings):
    subset = copy_pictures(settings, plan_of(settings), tmp_path / "copies", SILENT)
    return subset, sorted(path.name for path in (tmp_path / "copies" / "images").iterdir())


@pytest.mark.parametrize(("batch", "accumulated", "pictures"), [(1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 1, 2), (5, 1, 1), (2, 3, 3)])
def test_every_batch_of_every_step_is_full(project, tmp_path, batch, accumulated, pictures):
    settings = settings_for(project, batch_size=batch).with_values(schedule={"gradient_accumulation_steps": accumulated})
    subset, names = copied(project, tmp_path, settings)
    assert len(names) == 2 * pictures
    short = settings.with_values(data={"subsets": [subset]})
    plan = plan_of(short.with_values(schedule={"max_train_epochs": 1}))
    assert plan.buckets == {(128, 128): batch * accumulated * STEPS} and plan.totals.steps == STEPS
    assert all(rest == 0 for _, rest in plan.batches().values())


def test_of_several_machines_the_pictures_are_those_of_this_one(project, tmp_path):
    settings = settings_for(project, batch_size=1).with_values(machines={"num_processes": 6, "num_machines": 3})
    subset, names = copied(project, tmp_path, settings)
    assert subset.num_repeats * len(names) // 2 == 2 * STEPS


def test_those_of_the_largest_bucket_with_the_longest_captions_are_taken_and_the_sources_stay(project, tmp_path):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in project.images.iterdir()}
    _, names = copied(project, tmp_path, settings_for(project, batch_size=2))
    assert names == ["04.png", "04.txt", "05.png", "05.txt"]
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in project.images.iterdir()} == before


def test_masks_and_first_pictures_go_along(project, tmp_path):
    make_pictures(tmp_path / "masks", [(128, 128)] * 7)
    subset = Subset(image_dir=str(project.images), conditioning_data_dir=str(tmp_path / "masks"), class_tokens="cat")
    copies, _ = copied(project, tmp_path, settings_for(project, batch_size=1, subsets=[subset]))
    assert copies.class_tokens == "cat" and copies.conditioning_data_dir == str(tmp_path / "copies" / "conditioning_data_dir")
    assert (tmp_path / "copies" / "conditioning_data_dir" / "05.png").read_bytes() == (tmp_path / "masks" / "05.png").read_bytes()


def test_regularisation_is_not_what_is_measured(project, tmp_path):
    make_pictures(tmp_path / "reg", [(128, 128)] * 9)
    subsets = [Subset(image_dir=str(tmp_path / "reg"), is_reg=True), Subset(image_dir=str(project.images), num_repeats=2)]
    subset, names = copied(project, tmp_path, settings_for(project, batch_size=1, subsets=subsets))
    assert not subset.is_reg and names == ["05.png", "05.txt"]


def test_without_a_picture_it_is_said(tmp_path):
    project = Project.create(tmp_path / "empty", "empty")
    with pytest.raises(ConfigError, match="no picture"):
        plan_of(settings_for(project))
