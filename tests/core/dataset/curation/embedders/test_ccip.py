"""CCIP's interface in miniature: files found, pixels prepared, its own metric asked, never taken for a finder of duplicates."""

import json
import shutil

import numpy
import pytest
from PIL import Image

from core.base.errors import ConfigError, ModelError
from core.dataset.curation.duplicates import DuplicateSettings
from core.dataset.curation.embedding import find_embedder
from tests.core.dataset.curation.small_models import save_ccip

pytest.importorskip("onnx")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
VARIANT = "ccip-caformer-24-randaug-pruned"


@pytest.fixture
def folder(tmp_path):
    return save_ccip(tmp_path / "ccip")


def in_cache(folder, root, repo_id="deepghs/ccip_onnx"):
    """The files as huggingface_hub keeps those of a repository."""
    place = root / "hub" / f"models--{repo_id.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    shutil.copytree(folder, place / "snapshots" / COMMIT / VARIANT)


def test_pixels_are_squeezed_to_the_square_and_normalised_as_clips_are(folder):
    model = find_embedder("ccip", str(folder)).open("cpu")
    pixels = model.prepare(Image.new("RGB", (30, 70), (255, 0, 128)))
    assert pixels.shape == (3, 8, 8) and pixels.dtype == numpy.float32 and model.provider == "CPUExecutionProvider"
    wanted = (numpy.array([1, 0, 128 / 255]) - [0.48145466, 0.4578275, 0.40821073]) / [0.26862954, 0.26130258, 0.27577711]
    assert numpy.allclose(pixels[:, 3, 3], wanted, atol=1e-5)


def test_vectors_have_length_one_and_point_where_the_model_says(folder):
    model = find_embedder("ccip", str(folder)).open("cpu")
    batch = numpy.stack([model.prepare(Image.new("RGB", (9, 9), colour)) for colour in ((250, 20, 20), (220, 30, 30), (20, 20, 250))])
    rows = model.embed(batch)
    assert rows.shape == (3, 3) and numpy.allclose(numpy.linalg.norm(rows, axis=1), 1, atol=1e-5)
    mean = batch.mean(axis=(2, 3))
    assert numpy.allclose(rows, mean / numpy.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5)
    assert rows[0] @ rows[1] > 0.9 > rows[0] @ rows[2]


def test_a_model_with_another_metric_is_refused_rather_than_measured_wrongly(tmp_path):
    other = save_ccip(tmp_path / "other", half=0.45)
    with pytest.raises(ModelError, match="measures differences in another way"):
        find_embedder("ccip", str(other)).open("cpu")


def test_files_of_the_cache_are_found_in_their_folder_without_a_network(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="could not be fetched from Hugging Face"):
        find_embedder("ccip")
    in_cache(folder, tmp_path / "models")
    files = find_embedder("ccip")
    assert files.stated == f"deepghs/ccip_onnx@{COMMIT} (one character up to 0.18)" and COMMIT in files.identity
    assert files.open("cpu").size == 24


@pytest.mark.parametrize("missing", ["metrics.json", "model_feat.onnx", "model_metrics.onnx"])
def test_a_file_that_is_missing_is_named(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=f"has no {missing.replace('.', '[.]')}"):
        find_embedder("ccip", str(folder)).open("cpu")


def test_the_threshold_of_those_who_trained_it_is_stated(folder):
    (folder / "metrics.json").write_text(json.dumps({"threshold": 0.25}))
    assert "up to 0.25" in find_embedder("ccip", str(folder)).stated
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(ModelError, match="states no threshold"):
        find_embedder("ccip", str(folder))


def test_it_is_no_finder_of_duplicates_for_it_takes_all_pictures_of_a_character_for_one():
    with pytest.raises(ConfigError):
        DuplicateSettings.make(embedder="ccip")
