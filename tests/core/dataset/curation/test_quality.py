"""Stored numbers, histograms and cuts."""

import numpy
import pytest
from PIL import Image

from core.base.errors import ConfigError
from core.dataset.curation.quality import Histogram, QualitySettings, measure_quality, stored_quality
from tests.core.dataset.curation.photographs import photographs

SETTINGS = QualitySettings()


@pytest.fixture
def measured(project):
    photo = photographs()["coffee"]
    photo.save(project.images / "coffee.png")
    photo.resize((1200, 300)).save(project.images / "wide.png")
    Image.new("RGB", (600, 600), (9, 9, 9)).save(project.images / "flat.png")
    (project.images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    return project


def test_each_measure_picks_out_what_it_is_for(measured):
    report = measure_quality(measured, SETTINGS)
    quality = stored_quality(measured)
    beyond = {measure.name: [name for name, _ in quality.beyond(measure.name, measure.cut)] for measure in quality.measures()}
    assert beyond == {"sharpness": ["flat.png"], "side": ["wide.png", "coffee.png"], "aspect": ["wide.png"], "bytes": [],
                      "flat": ["flat.png"], "bars": [], "colour": ["flat.png"]}
    assert [item.name for item in report.skipped] == ["broken.png"] == quality.unknown
    assert report.sentence().startswith("3 pictures measured, 1 broken; worth a look: 1 for sharpness, 2 for shortest side")


def test_a_cut_moves_without_opening_a_picture(measured, monkeypatch):
    measure_quality(measured, SETTINGS)
    monkeypatch.setattr("core.dataset.curation.looking.open_image", lambda *_: pytest.fail("a picture was opened"))
    quality = stored_quality(measured)
    assert quality.beyond("side", 301) == [("wide.png", 300.0)] and quality.beyond("side", 300) == []
    (measured.images / "broken.png").unlink()
    assert measure_quality(measured, SETTINGS).looked == 3


def test_a_histogram_counts_every_picture_once_and_places_go_both_ways(measured):
    measure_quality(measured, SETTINGS)
    quality = stored_quality(measured)
    for measure in quality.measures():
        spread = quality.histogram(measure.name)
        assert sum(spread.counts) == 3, measure.name
        for share in (0.0, 0.3, 1.0):
            assert spread.share_of(spread.value_at(share)) == pytest.approx(share, abs=1e-6)
    assert Histogram((1,), 5.0, 5.0, False).share_of(5) == 0.5


def test_numbers_that_nobody_knows_are_no_numbers(project):
    assert stored_quality(project).measures() == [] and measure_quality(project, SETTINGS).sentence() == "no picture measured."
    with pytest.raises(ConfigError, match="Nothing is known of 'Sharpness' yet"):
        stored_quality(project).beyond("sharpness", 1)
    with pytest.raises(ConfigError, match="There is no measure 'beauty'"):
        stored_quality(project).histogram("beauty")


def test_a_picture_without_a_score_is_beyond_no_cut(measured):
    measure_quality(measured, SETTINGS)
    quality = stored_quality(measured)
    quality.values["nsfw"] = numpy.array([0.9, float("nan"), 0.1], dtype=numpy.float32)
    assert len(quality.beyond("nsfw", 0.5)) == 1 and sum(quality.histogram("nsfw").counts) == 2
