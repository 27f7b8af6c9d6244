"""dataset.toml as images, buckets and batches."""

import pytest
from PIL import Image

from core.base.errors import Cancelled, ConfigError, DatasetError
from core.training.builtin.dataset import batches_per_epoch, plan_epoch, read_datasets
from core.training.config.sources import image_files
from tests.tiny_models import make_pictures


def read(tmp_path, subsets, arguments=None, general=None, **dataset):
    warnings = []
    table = {"resolution": 64, "enable_bucket": True, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 32,
             "batch_size": 2, **dataset, "subsets": [{"caption_extension": ".txt", **subset} for subset in subsets]}
    return read_datasets({"general": general or {}, "datasets": [table]}, arguments or {}, warnings.append), warnings


def test_batches_count_each_bucket_for_itself(tmp_path):
    folder = make_pictures(tmp_path / "i", [(64, 64)] * 3 + [(96, 32)] * 2)
    datasets, _ = read(tmp_path, [{"image_dir": str(folder), "num_repeats": 3}])
    assert {size: len(images) for size, images in datasets[0].buckets().items()} == {(64, 64): 9, (96, 32): 6}
    assert batches_per_epoch(datasets) == 5 + 3
    assert datasets[0].num_train_images == 15


def test_an_epoch_shows_every_image_as_often_as_it_is_repeated(tmp_path):
    folder = make_pictures(tmp_path / "i", [(64, 64)] * 5)
    datasets, _ = read(tmp_path, [{"image_dir": str(folder), "num_repeats": 2}])
    plan = plan_epoch(datasets, 7, 1)
    names = sorted(image.path.name for batch in plan for image in batch.images)
    assert names == sorted([path.name for path in folder.glob("*.png")] * 2)
    assert all(len({image.bucket for image in batch.images}) == 1 for batch in plan)


def test_the_order_depends_on_seed_and_epoch_only(tmp_path):
    folder = make_pictures(tmp_path / "i", [(64, 64)] * 8)
    datasets, _ = read(tmp_path, [{"image_dir": str(folder)}])

    def order(seed, epoch):
        return [[image.path.name for image in batch.images] for batch in plan_epoch(datasets, seed, epoch)]

    assert order(1, 1) == order(1, 1) and order(1, 1) != order(1, 2) and order(1, 1) != order(2, 1)


def test_regularisation_images_are_brought_to_the_number_of_training_images(tmp_path):
    train = make_pictures(tmp_path / "t", [(64, 64)] * 5)
    regular = make_pictures(tmp_path / "r", [(64, 64)] * 2)
    datasets, _ = read(tmp_path, [{"image_dir": str(train), "num_repeats": 2}, {"image_dir": str(regular), "is_reg": True}])
    counts = [image.repeats for image in datasets[0].images if image.subset.is_reg]
    assert counts == [5, 5] and datasets[0].num_reg_images == 2
    many = make_pictures(tmp_path / "m", [(64, 64)] * 9)
    datasets, warnings = read(tmp_path, [{"image_dir": str(train)}, {"image_dir": str(many), "is_reg": True}])
    assert sum(image.subset.is_reg for image in datasets[0].images) == 5 and "more regularisation images" in warnings[-1]


def test_values_are_looked_for_in_subset_dataset_general_and_arguments(tmp_path):
    folder = make_pictures(tmp_path / "i", [(64, 64)])
    arguments = {"train_batch_size": 4, "flip_aug": True, "keep_tokens": 1}
    datasets, _ = read(tmp_path, [{"image_dir": str(folder), "keep_tokens": 3}], arguments, {"shuffle_caption": True}, batch_size=None)
    subset = datasets[0].subsets[0]
    assert datasets[0].batch_size == 4 and subset.flip_aug and subset.captions.shuffle_caption and subset.captions.keep_tokens == 3


def test_broken_images_and_missing_captions_are_told_and_the_rest_goes_on(tmp_path):
    folder = make_pictures(tmp_path / "i", [(64, 64)] * 3)
    (folder / "01.png").write_bytes(b"no image")
    (folder / "02.txt").write_text("")
    datasets, warnings = read(tmp_path, [{"image_dir": str(folder), "class_tokens": "cat"}])
    assert [image.caption for image in datasets[0].images] == ["mikoneko, red hair, cat, number 0", "cat"]
    assert "01.png is left out" in warnings[0] and "02.png" in warnings[1]


def cut(path, share=0.6):
    path.write_bytes(path.read_bytes()[:int(path.stat().st_size * share)])


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".bmp"])
def test_a_picture_that_is_cut_off_is_found_before_the_first_step(tmp_path, ending):
    folder = make_pictures(tmp_path / "i", [(200, 300)] * 3)
    with Image.open(folder / "01.png") as picture:
        picture.save(folder / f"03{ending}")
    cut(folder / f"03{ending}")
    datasets, warnings = read(tmp_path, [{"image_dir": str(folder), "class_tokens": "cat"}])
    assert [image.path.name for image in datasets[0].images] == ["00.png", "01.png", "02.png"]
    assert len(warnings) == 1 and f"03{ending} is left out" in warnings[0]


def test_turned_pictures_count_as_they_are_shown(tmp_path):
    folder = make_pictures(tmp_path / "i", [(64, 64)])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 40)).save(folder / "turned.jpg", exif=exif)
    datasets, _ = read(tmp_path, [{"image_dir": str(folder)}])
    assert datasets[0].images[1].size == (40, 100)


def test_hidden_files_are_no_pictures(tmp_path):
    folder = make_pictures(tmp_path / "i", [(64, 64)] * 2)
    (folder / "._00.png").write_bytes(b"macOS keeps its notes here")
    (folder / ".ipynb_checkpoints").mkdir()
    make_pictures(folder / ".ipynb_checkpoints", [(64, 64)])
    datasets, warnings = read(tmp_path, [{"image_dir": str(folder)}])
    assert [image.path for image in datasets[0].images] == image_files(folder) and len(image_files(folder)) == 2 and warnings == []


def test_what_cannot_be_used_is_refused_with_its_name(tmp_path):
    folder = make_pictures(tmp_path / "i", [(64, 64)])
    with pytest.raises(ConfigError, match="unknown key 'num_repeat'"):
        read(tmp_path, [{"image_dir": str(folder), "num_repeat": 2}])
    with pytest.raises(ConfigError, match="cannot honour random_crop = True"):
        read(tmp_path, [{"image_dir": str(folder), "random_crop": True}])
    with pytest.raises(ConfigError, match="resolution is None"):
        read(tmp_path, [{"image_dir": str(folder)}], resolution=None)
    with pytest.raises(DatasetError, match="does not exist"):
        read(tmp_path, [{"image_dir": str(tmp_path / "none")}])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="No image was found"):
        read(tmp_path, [{"image_dir": str(tmp_path / "empty")}])


def test_sdxl_sizes_follow_the_crop_and_the_mirror(tmp_path):
    folder = make_pictures(tmp_path / "i", [(100, 50)])
    datasets, _ = read(tmp_path, [{"image_dir": str(folder)}], enable_bucket=False)
    image = datasets[0].images[0]
    assert image.size_values(False) == [50, 100, 16, 0, 64, 64] and image.size_values(True) == [50, 100, 16, 0, 64, 64]


def test_looking_through_the_pictures_tells_how_far_it_is_and_can_be_stopped(tmp_path):
    folder = make_pictures(tmp_path / "i", [(64, 64)] * 6)
    tables = {"datasets": [{"resolution": 64, "batch_size": 1, "subsets": [{"image_dir": str(folder)}]}]}
    told, looks = [], []

    def check():
        looks.append(1)
        if len(looks) == 3:
            raise Cancelled()

    read_datasets(tables, {}, print, tell=lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(7)]
    with pytest.raises(Cancelled):
        read_datasets(tables, {}, print, check)
    assert len(looks) == 3
