"""What preflight says of real settings and a real project."""

import json
import os

import pytest
from PIL import Image

from core.dataset.project import Project
from core.training.config import TrainingSettings
from core.training.config.presets import load_preset
from core.training.fitting import fit_to_project
from core.training.preflight.buckets import plan_buckets
from core.training.preflight.from_settings import check_run, disk_needs, memory_plan
from core.training.preflight.pictures import pictures_of


@pytest.fixture
def project(tmp_path):
    made = Project.create(tmp_path / "cats", "cats", trigger="mochi")
    for number in range(6):
        Image.new("RGB", (1024, 1024 if number else 700)).save(made.images / f"{number}.png")
        (made.images / f"{number}.txt").write_text("mochi, cat", encoding="utf-8")
    return made


def settings_of(project, preset="sdxl_character", **changes):
    return fit_to_project(load_preset(preset), project).with_values(**changes)


def test_a_sound_run_has_no_errors_and_says_what_it_takes(project):
    found = check_run(settings_of(project), project, gpu_gib=24)
    assert not [finding for finding in found if finding.level == "error"]
    text = " ".join(map(str, found))
    assert "training sizes" in text and "GiB" in text and "while" in text


def test_a_card_that_is_too_small_comes_first(project):
    found = check_run(settings_of(project), project, gpu_gib=4)
    assert found[0].level == "error" and "4.0 GiB free" in found[0].what


def test_old_caches_count_where_the_run_would_read_them(project):
    cache = project.images / "1_1024x1024_sdxl.npz"
    cache.write_bytes(b"x")
    os.utime(cache, (1, 1))
    to_disk, in_memory = (" ".join(map(str, check_run(settings_of(project, data={"cache_latents_to_disk": on}), project)))
                          for on in (True, False))
    assert "1 cached picture in" in to_disk and "cached picture in" not in in_memory


def test_every_folder_gets_its_caches_and_runs_get_the_files(project, tmp_path):
    more = tmp_path / "more"
    more.mkdir()
    Image.new("RGB", (1024, 1024)).save(more / "0.png")
    settings = settings_of(project, data={"subsets": [{"image_dir": str(project.images)}, {"image_dir": str(more)}],
                                          "cache_latents_to_disk": True})
    pictures = pictures_of(settings.data.subsets)
    needs = disk_needs(settings, plan_buckets(settings, pictures), pictures, project)
    size = {(need.what, need.folder): need.size for need in needs}
    assert size["cached pictures", project.images] == pytest.approx(6 * size["cached pictures", more], rel=0.05)
    assert size["LoRA files and states", project.runs] > 1e8


@pytest.mark.parametrize(("preset", "family"), [("sdxl_character", "sdxl"), ("sd15_character", "sd15")])
def test_the_memory_plan_reads_the_settings(project, preset, family):
    plan = memory_plan(settings_of(project, preset, memory={"mixed_precision": "no", "gradient_checkpointing": False}), (640, 512))
    assert (plan.family, plan.resolution, plan.precision) == (family, (640, 512), "float")
    assert not plan.mixed and not plan.gradient_checkpointing
    v2 = settings_of(project, "sd15_character", model={"family": "sd2"}, network={"network_train_unet_only": True})
    assert memory_plan(v2, (512, 512)).family == "sd2" and not memory_plan(v2, (512, 512)).train_text_encoders


def test_a_folder_without_pictures_is_one_finding(tmp_path):
    empty = Project.create(tmp_path / "empty", "empty")
    (found,) = check_run(settings_of(empty), empty)
    assert found.level == "error" and "no picture" in found.what


@pytest.mark.parametrize(("step", "words"), [(29, ""), (30, "was saved at step 30, but this run ends at step 30"), (500, "at step 500")])
def test_a_state_beyond_the_end_is_found_before_the_model_is_loaded(tmp_path, step, words):
    """Three pictures of three sizes are three batches an epoch, whatever the size of a batch."""
    project = Project.create(tmp_path / "cats", "cats")
    for number, size in enumerate([(512, 512), (448, 576), (576, 448)]):
        Image.new("RGB", size).save(project.images / f"{number}.png")
    state = tmp_path / "cat-000003-state"
    state.mkdir()
    (state / "random_states_0.pkl").write_bytes(b"x")
    (state / "train_state.json").write_text(json.dumps({"current_epoch": 1, "current_step": step}))
    made = TrainingSettings().with_values(data={"subsets": [{"image_dir": str(project.images)}], "batch_size": 3},
                                          saving={"resume": str(state)}, schedule={"max_train_epochs": 10})
    found = [finding.what for finding in check_run(made, project) if "state to resume" in finding.what]
    assert bool(found) == bool(words) and all(words in what for what in found)
    (state / "random_states_0.pkl").write_bytes(b"")
    assert any("is not whole" in finding.what for finding in check_run(made, project))
