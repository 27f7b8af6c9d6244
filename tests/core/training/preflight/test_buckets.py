"""What training makes of the pictures, and what of it is worth a word."""

import shutil

import pytest
from PIL import Image

from core.base.errors import ConfigError
from core.dataset.project import Project
from core.training.config import TrainingSettings
from core.training.preflight.buckets import check_buckets, plan_buckets
from core.training.preflight.pictures import Picture, pictures_of


def settings(*repeats, reg=None, **data):
    subsets = [{"image_dir": f"/p/{number}", "num_repeats": count, "is_reg": number == reg} for number, count in enumerate(repeats)]
    return TrainingSettings().with_values(data={"subsets": subsets, "batch_size": 2, **data}, schedule={"max_train_epochs": 3})


def pictures(*sizes):
    return [Picture(f"{number}.png", size) for number, size in enumerate(sizes)]


def findings(plan, level=None):
    return [finding for finding in check_buckets(plan) if level in (None, finding.level)]


def test_a_tidy_folder_is_only_summed_up():
    plan = plan_buckets(settings(2), [pictures(*[(512, 512)] * 4)])
    assert [finding.level for finding in check_buckets(plan)] == ["info"]
    assert plan.buckets == {(512, 512): 8} and plan.largest() == (512, 512)
    assert plan.sentence() == ("8 pictures with repeats in 1 training size (512 x 512). In an epoch: 4 batches, 4 steps; in all 12 steps, "
                               "3 epochs.")


def test_buckets_that_never_fill_a_batch_are_named_and_nothing_is_said_to_be_dropped():
    plan = plan_buckets(settings(1), [pictures((512, 512), (512, 512), (512, 832), (832, 512))])
    (short,) = findings(plan, "warning")
    assert "2 of 3 batches of an epoch are smaller than the batch size of 2" in short.what and "No picture is left out" in short.what
    assert plan.too_small() == {(384, 640): 1, (640, 384): 1} and "384 x 640: 1" in short.what


def test_a_few_pictures_in_a_short_batch_are_no_warning():
    plan = plan_buckets(settings(1), [pictures(*[(512, 512)] * 30, (384, 640))])
    assert not findings(plan, "warning") and "1 of 16 batches" in findings(plan, "info")[0].what


def test_a_batch_of_one_has_no_short_batches():
    plan = plan_buckets(settings(1, batch_size=1), [pictures((512, 512), (384, 640))])
    assert len(check_buckets(plan)) == 1


def test_enlarged_cropped_and_endless_pictures_are_named_with_the_worst():
    plan = plan_buckets(settings(1, batch_size=1), [pictures((256, 256), (300, 300), (4000, 300), (512, 512))])
    enlarged = [finding for finding in check_buckets(plan) if "enlarged" in finding.what]
    beyond = [finding for finding in check_buckets(plan) if "longer than any training size" in finding.what]
    assert len(enlarged) == len(beyond) == 1
    assert "2 pictures are enlarged" in enlarged[0].what and "0.png, 256 x 256, 2.0 times" in enlarged[0].what
    assert "2.png, 4000 x 300, of which 70% is cut off" in beyond[0].what
    square = plan_buckets(settings(1, batch_size=1, enable_bucket=False), [pictures((1024, 512))])
    assert "1 picture loses more than 20%" in check_buckets(square)[0].what and "enable_bucket" in check_buckets(square)[0].remedy


def test_a_picture_that_gets_no_size_is_an_error_with_its_reason():
    plan = plan_buckets(settings(1, bucket_no_upscale=True), [pictures((30, 30), (0, 0), (512, 512))])
    (found,) = findings(plan, "error")
    assert "2 pictures cannot be trained (0.png, 1.png)" in found.what and "smaller than bucket_reso_steps" in found.what


def test_nothing_that_can_be_trained_is_an_error():
    with pytest.raises(ConfigError, match="no picture"):
        plan_buckets(settings(1), [pictures((0, 0))])


def test_processes_share_batches_and_what_is_seen_twice_is_said():
    plan = plan_buckets(settings(1, batch_size=1), [pictures(*[(512, 512)] * 5)], processes=2)
    assert plan.twice() == 1 and plan.totals.batches_of_process == 3
    assert any("5 batches do not come out even on 2 GPUs: 1 of them" in finding.what for finding in check_buckets(plan))


def test_regularisation_pictures_that_are_left_out_and_those_held_back_are_said():
    many = plan_buckets(settings(1, 1, reg=1), [pictures((512, 512), (512, 512)), pictures(*[(512, 512)] * 5)])
    assert any("3 regularisation pictures are left out" in finding.what for finding in check_buckets(many))
    split = plan_buckets(settings(1, validation_split=0.2, validation_seed=1), [pictures(*[(512, 512)] * 10)])
    assert split.held_back == 2 and any("2 pictures are held back" in finding.what for finding in check_buckets(split))
    assert sum(split.buckets.values()) == 8


def test_sizes_come_from_the_index_and_from_headers_alike(tmp_path):
    project = Project.create(tmp_path / "cats", "cats")
    for number in range(12):
        Image.new("RGB", (100 + number, 200)).save(project.images / f"{number}.png")
    (project.images / "broken.png").write_bytes(b"no picture")
    shutil.copytree(project.images, tmp_path / "apart")
    both = [{"image_dir": str(project.images)}, {"image_dir": str(tmp_path / "apart")}]
    indexed, *read = pictures_of(TrainingSettings().with_values(data={"subsets": both}).data.subsets)
    assert [indexed] == read
    assert [picture.name for picture in read[0]][:3] == ["0.png", "1.png", "10.png"]  # the trainer's order
    assert read[0][1].size == (101, 200) and read[0][-1] == Picture("broken.png", (0, 0))


def test_a_sideways_photo_has_the_size_that_sd_scripts_sees(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (300, 200)).save(tmp_path / "photo.jpg", exif=exif)
    subsets = TrainingSettings().with_values(data={"subsets": [{"image_dir": str(tmp_path)}, {"image_dir": "/not/there"}]}).data.subsets
    assert pictures_of(subsets) == [[Picture("photo.jpg", (300, 200))], []]
