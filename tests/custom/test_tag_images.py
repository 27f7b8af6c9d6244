"""The standalone tagger: flags of sd-scripts' script, same stage as the notebook."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.base.paths import ROOT
from tests.core.dataset.small_things import make_tagger, picture

pytestmark = pytest.mark.slow

pytest.importorskip("onnx")


@pytest.fixture
def images(tmp_path) -> Path:
    picture(tmp_path / "images" / "a.png", (230, 20, 20), size=(60, 60))
    picture(tmp_path / "images" / "sub" / "b.jpg", (20, 230, 20), size=(60, 60))
    make_tagger(tmp_path / "wd14_tagger_model")
    return tmp_path / "images"


def tag(images: Path, *flags: str, model: str = "wd14_tagger_model") -> subprocess.CompletedProcess:
    script = ROOT / "custom" / "tag_images_by_wd14_tagger.py"
    command = [sys.executable, str(script), str(images), "--model_dir", str(images.parent / model), "--device", "cpu", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=images.parent)


def test_it_tags_a_folder_with_underscores_as_the_original_does(images):
    done = tag(images, "--onnx", "--batch_size", "4", "--thresh", "0.3", "--caption_extension", ".caption", "--frequency_tags")
    assert done.returncode == 0, done.stderr
    assert (images / "a.caption").read_text() == "red_theme, dark_red_theme, mika_(sea)"
    assert not (images / "sub" / "b.caption").exists()
    assert "CPUExecutionProvider" in done.stdout and "red theme: 1" in done.stdout


def test_it_knows_the_flags_of_order_and_choice(images):
    (images / "a.txt").write_text("own words")
    done = tag(images, "--recursive", "--remove_underscore", "--append_tags", "--use_rating_tags", "--character_tags_first",
               "--always_first_tags", "dark red theme", "--undesired_tags", "green_theme", "--caption_separator", "; ",
               "--tag_replacement", "red theme,reddish", "--character_tag_expand", "--max_data_loader_n_workers", "1")
    assert done.returncode == 0, done.stderr
    assert (images / "a.txt").read_text() == "dark red theme; own words; general; mika; sea; reddish"
    assert (images / "sub" / "b.txt").read_text() == "general"


def test_the_model_may_lie_in_a_folder_named_as_its_repository(images):
    (images.parent / "wd14_tagger_model").rename(images.parent / "someone_tagger")
    (images.parent / "models").mkdir()
    (images.parent / "someone_tagger").rename(images.parent / "models" / "someone_tagger")
    assert tag(images, "--repo_id", "someone/tagger", model="models").returncode == 0


def test_without_append_the_caption_is_written_anew(images):
    (images / "a.txt").write_text("old")
    assert tag(images, "--general_threshold", "0.8", "--character_threshold", "0.99").returncode == 0
    assert (images / "a.txt").read_text() == "red_theme"


@pytest.mark.parametrize(("flags", "words"), [(["--thresh", "35"], "at most 1"), (["--caption_extension", "txt"], "begin with a dot"),
                                              (["--batch_size", "0"], "at least 1"), (["--tag_replacement", "a"], "old,new")])
def test_a_wrong_flag_is_one_sentence(images, flags, words):
    done = tag(images, *flags)
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr


def test_a_missing_folder_is_one_sentence(images):
    done = tag(images.parent / "nowhere")
    assert done.returncode == 1 and "does not exist" in done.stderr and "Traceback" not in done.stderr
