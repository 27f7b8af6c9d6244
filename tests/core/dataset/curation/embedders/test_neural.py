"""CLIP, SigLIP 2 and DINOv2 in miniature: the same picture has the same vector, models are told apart, wrong folders are named."""

import numpy
import pytest

from core.base.errors import ConfigError, ModelError
from core.dataset.curation.duplicates import DuplicateSettings, find_duplicates
from core.dataset.curation.embedding import find_embedder
from tests.core.dataset.curation.photographs import photographs
from tests.core.dataset.curation.small_models import save_clip, save_dinov2, save_siglip

SAVED = {"clip": save_clip, "siglip2": save_siglip, "dinov2": save_dinov2}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAVED)
def test_vectors_have_length_one_and_the_same_picture_has_the_same(tmp_path, name):
    model = find_embedder(name, str(SAVED[name](tmp_path / name))).open("cpu")
    photo, other = photographs()["coffee"], photographs()["astronaut"]
    batch = numpy.stack([model.prepare(picture) for picture in (photo, photo.copy(), other)])
    rows = model.embed(batch)
    assert model.provider == "cpu" and rows.dtype == numpy.float32
    assert numpy.allclose(numpy.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert rows[0] @ rows[1] == pytest.approx(1, abs=1e-5) and rows[0] @ rows[2] < 0.9999
    assert model.size >= 32


def test_the_project_is_searched_with_it_and_nothing_is_worked_out_twice(tmp_path, project, monkeypatch):
    for name in ("coffee", "rocket"):
        photographs()[name].save(project.images / f"{name}.png")
    settings = DuplicateSettings(embedder="clip", model_dir=str(save_clip(tmp_path / "clip")), likeness=1.0, device="cpu")
    report = find_duplicates(project, settings)
    assert report.embedder == str(tmp_path / "clip") and report.looked == 2 and report.unknown == 0
    monkeypatch.setattr("core.dataset.curation.embedders.neural.NeuralFiles.open", lambda *_: pytest.fail("the model was opened again"))
    assert find_duplicates(project, settings, stored_only=True).unknown == 0


def test_vectors_of_another_model_are_not_taken_for_its_own(tmp_path):
    first = find_embedder("clip", str(save_clip(tmp_path / "a")))
    second = find_embedder("clip", str(save_clip(tmp_path / "b", seed=5)))
    assert first.identity != second.identity
    before = first.identity
    save_clip(tmp_path / "a", seed=7)
    assert find_embedder("clip", str(tmp_path / "a")).identity != before


@pytest.mark.slow
def test_a_folder_that_holds_no_such_model_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"has no config\.json"):
        find_embedder("clip", str(tmp_path))
    with pytest.raises(ModelError, match="lacks"):
        find_embedder("dinov2", str(save_siglip(tmp_path / "siglip"))).open("cpu")
    (save_clip(tmp_path / "cut") / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="could not be opened"):
        find_embedder("clip", str(tmp_path / "cut")).open("cpu")


def test_cuda_is_not_pretended(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("This machine has CUDA.")
    with pytest.raises(ConfigError, match="CUDA was asked for"):
        find_embedder("clip", str(save_clip(tmp_path / "clip"))).open("cuda")


def test_without_a_network_it_is_said_what_can_be_done(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path))
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError) as told:
        find_embedder("clip")
    assert "could not be fetched from Hugging Face" in str(told.value) and "Embedder's folder" in told.value.hint
