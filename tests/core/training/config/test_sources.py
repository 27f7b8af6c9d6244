"""The files that the settings name: a missing one, an empty folder and a bad caption are found before training."""

import pytest

from core.training.config import TrainingSettings
from core.training.config.sources import check_sources, image_counts, image_files


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.png", "b.JPG"):
        (folder / name).write_bytes(b"picture")
        (folder / name).with_suffix(".txt").write_text("mikoneko, 1girl", encoding="utf-8")
    return folder


def settings(*folders, **changes):
    made = TrainingSettings().with_values(data={"subsets": [{"image_dir": str(folder)} for folder in folders]})
    return made.with_values(**changes) if changes else made


def found(made, level="error"):
    return [finding.what for finding in check_sources(made) if finding.level == level]


def test_a_good_folder_has_no_findings(folder):
    assert check_sources(settings(folder)) == []
    assert image_counts(settings(folder)) == [2]


def test_only_what_every_trainer_reads_counts_as_a_picture(folder):
    for name in ("c.Png", "d.gif", "e.txt"):
        (folder / name).write_bytes(b"x")
    (folder / "sub").mkdir()
    (folder / "sub" / "f.png").write_bytes(b"x")
    assert [path.name for path in image_files(folder)] == ["a.png", "b.JPG"]


def test_no_folder_at_all_is_found():
    assert found(settings()) == ["There is no folder of pictures to learn from."]


def test_missing_and_empty_folders_are_found(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    what = found(settings(tmp_path / "empty", tmp_path / "gone", tmp_path / "file"))
    assert [words in line for words, line in zip(("no picture in", "does not exist", "is a file"), what, strict=True)] == [True] * 3


def test_one_folder_twice_is_found(folder):
    assert "given 2 times" in found(settings(folder, f"{folder}/"))[0]


def test_empty_and_foreign_captions_are_found(folder):
    (folder / "a.txt").write_text(" \n")
    (folder / "b.txt").write_bytes("für".encode("latin-1"))
    what = found(settings(folder))
    assert "are empty (a.txt)" in what[0]
    assert "not UTF-8 (b.txt)" in what[1]


def test_missing_captions_are_a_warning_unless_there_is_a_stand_in(folder):
    (folder / "a.txt").unlink()
    assert "1 of 2 pictures" in found(settings(folder), "warning")[0]
    with_words = TrainingSettings().with_values(data={"subsets": [{"image_dir": str(folder), "class_tokens": "1girl"}]})
    assert check_sources(with_words) == []


def test_captions_with_another_ending_are_hinted_at(folder):
    made = TrainingSettings().with_values(data={"subsets": [{"image_dir": str(folder), "caption_extension": ".caption"}]})
    assert "ending of the caption files" in check_sources(made)[0].remedy


def test_pictures_that_share_a_caption_are_found(folder):
    (folder / "a.webp").write_bytes(b"x")
    assert "share a caption file (a)" in found(settings(folder), "warning")[0]


@pytest.mark.parametrize(("changes", "words"), [
    ({"model": {"pretrained_model_name_or_path": "/gone/model.safetensors"}}, "The model"),
    ({"model": {"vae": "gone.safetensors"}}, "The VAE"),
    ({"network": {"network_weights": "/gone.safetensors"}}, "LoRA to continue"),
    ({"saving": {"resume": "/gone-state"}}, "state to resume"),
    ({"model": {"tokenizer_cache_dir": "/gone"}}, "tokenizer folder"),
])
def test_a_missing_file_is_found(folder, changes, words):
    assert words in found(settings(folder, **changes))[0]


def test_a_hub_name_is_not_looked_for_on_disk(folder):
    assert check_sources(settings(folder, model={"pretrained_model_name_or_path": "someone/model"})) == []


def test_a_warm_up_longer_than_the_run_and_a_huge_run_are_warnings(folder):
    assert "warm-up" in found(settings(folder, schedule={"lr_warmup_steps": 500}), "warning")[0]
    huge = settings(folder, model={"family": "sdxl"}, schedule={"max_train_epochs": 9000}, data={"batch_size": 1})
    assert "18000 steps" in found(huge, "warning")[0]
