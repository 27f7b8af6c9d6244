"""Aesthetic scores: LAION's head on CLIP, and the classes of anime pictures; both sort, and reject nothing by themselves."""

import json

import numpy
import pytest
from PIL import Image
from safetensors.numpy import save_file

from core.base.errors import ModelError
from core.dataset.curation.duplicates import DuplicateSettings, find_duplicates
from core.dataset.curation.embedding import find_embedder
from core.dataset.curation.quality import QualitySettings, measure_named, measure_quality, stored_quality
from core.dataset.curation.scorers.aesthetic import read_head
from core.dataset.images.opening import open_rgb
from tests.core.dataset.curation.photographs import photographs
from tests.core.dataset.curation.small_models import ANIME_LABELS, laion_head, save_anime_aesthetic, save_laion

NAMES = ("coffee", "rocket", "chelsea")


@pytest.fixture
def pictures(project):
    for name in NAMES:
        photographs()[name].save(project.images / f"{name}.png")
    return project


def test_laions_score_is_what_the_head_says_of_clips_embedding(pictures, tmp_path):
    import torch

    folder = save_laion(tmp_path / "laion")
    report = measure_quality(pictures, QualitySettings(scorer="aesthetic", model_dir=str(folder), device="cpu"))
    clip, quality = find_embedder("clip", str(folder / "clip")).open("cpu"), stored_quality(pictures)
    rows = clip.embed(numpy.stack([clip.prepare(open_rgb(item.path, at_least=clip.size)) for item in quality.items]))
    with torch.no_grad():
        wanted = laion_head()(torch.from_numpy(rows))[:, 0].numpy()
    assert numpy.allclose(quality.values["aesthetic"], wanted, atol=1e-5)
    assert str(folder) in report.scorer and str(folder / "clip") in report.scorer


def test_pictures_that_clip_knows_from_the_duplicates_are_not_opened_again(pictures, tmp_path, monkeypatch):
    folder = save_laion(tmp_path / "laion")
    find_duplicates(pictures, DuplicateSettings(embedder="clip", model_dir=str(folder / "clip"), device="cpu"))
    monkeypatch.setattr("core.dataset.curation.embedders.neural.NeuralFiles.open", lambda *_: pytest.fail("CLIP was opened again"))
    measure_quality(pictures, QualitySettings(scorer="aesthetic", model_dir=str(folder)))
    assert numpy.isfinite(stored_quality(pictures).values["aesthetic"]).all()


def test_a_head_of_another_kind_or_width_is_refused(pictures, tmp_path):
    wide = save_laion(tmp_path / "wide", width=24)
    with pytest.raises(ModelError, match="is for 24 numbers a picture, but .* gives 16"):
        measure_quality(pictures, QualitySettings(scorer="aesthetic", model_dir=str(wide), device="cpu"))
    assert "aesthetic" not in stored_quality(pictures).values
    path = tmp_path / "other.safetensors"
    save_file({"layers.0.weight": numpy.zeros((1, 16), "float32"), "layers.0.bias": numpy.zeros(1, "float32")}, path)
    with pytest.raises(ModelError, match="is not LAION's linear aesthetic head"):
        read_head(path)
    path.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="could not be opened"):
        read_head(path)


@pytest.mark.parametrize("labels", [ANIME_LABELS, ANIME_LABELS[::-1]])
def test_the_anime_score_is_the_class_to_be_expected_whatever_the_order_of_the_classes(project, tmp_path, labels):
    pytest.importorskip("onnx")
    for name, grey in (("black", 0), ("grey", 128), ("white", 255)):
        Image.new("RGB", (40, 60), (grey,) * 3).save(project.images / f"{name}.png")
    folder = save_anime_aesthetic(tmp_path / "anime", labels)
    measure_quality(project, QualitySettings(scorer="aesthetic-anime", model_dir=str(folder), device="cpu"))
    quality = stored_quality(project)
    found = dict(zip([item.name for item in quality.items], quality.values["aesthetic-anime"].tolist(), strict=True))
    wanted = (0, 3, 6) if labels == ANIME_LABELS else (6, 3, 0)
    assert found == pytest.approx(dict(zip(("black.png", "grey.png", "white.png"), wanted, strict=True)), abs=0.03)


def test_a_model_of_other_classes_is_refused(project, tmp_path):
    pytest.importorskip("onnx")
    photographs()["coffee"].save(project.images / "coffee.png")
    folder = save_anime_aesthetic(tmp_path / "anime")
    (folder / "meta.json").write_text(json.dumps({"labels": ["real", "anime"]}))
    with pytest.raises(ModelError, match="has the classes"):
        measure_quality(project, QualitySettings(scorer="aesthetic-anime", model_dir=str(folder), device="cpu"))


def test_beauty_sorts_and_rejects_nothing_by_itself(project, tmp_path):
    pytest.importorskip("onnx")
    for grey in (0, 100, 255):
        Image.new("RGB", (40, 60), (grey,) * 3).save(project.images / f"{grey}.png")
    folder = save_anime_aesthetic(tmp_path / "anime")
    report = measure_quality(project, QualitySettings(scorer="aesthetic-anime", model_dir=str(folder), device="cpu"))
    measure, quality = measure_named("aesthetic-anime"), stored_quality(project)
    assert measure.ranks and quality.beyond(measure.name, measure.cut) == [] and report.beyond[measure.title] == 0
    assert [name for name, _ in quality.beyond(measure.name, 7)] == ["0.png", "100.png", "255.png"]
