"""What does not belong: the median difference from the others, by any embedder."""

import numpy
import pytest

from core.dataset.curation.embedding import find_embedder
from core.dataset.curation.quality import QualitySettings, measure_named, measure_quality, stored_quality
from core.dataset.curation.scorers import SCORERS
from core.dataset.curation.scorers.unlike import Unlike
from tests.core.dataset.curation.photographs import photographs
from tests.core.dataset.curation.small_models import save_ccip
from tests.core.dataset.small_things import picture

PLAIN = QualitySettings(scorer="unlike-plain")


def score(vectors):
    return Unlike(find_embedder("plain")).score_all(vectors)


def unit(count, width=8, seed=0):
    rows = numpy.random.default_rng(seed).normal(size=(count, width)).astype(numpy.float32)
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 600, 1300])
def test_it_is_the_median_of_the_differences_from_all_others(count):
    vectors = unit(count)
    differences = (1 - vectors @ vectors.T) / 2
    wanted = [numpy.median(numpy.delete(row, place)) for place, row in enumerate(differences)]
    assert numpy.allclose(score(vectors), wanted, atol=1e-5)


def test_of_very_many_an_even_choice_says_nearly_the_same():
    vectors = unit(5000)
    vectors[:4900] += 2 * vectors[0]
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    found = score(vectors)
    rows = range(0, 5000, 250)
    wanted = numpy.array([numpy.median(numpy.delete((1 - vectors @ vectors[row]) / 2, row)) for row in rows])
    assert numpy.abs(found[list(rows)] - wanted).max() < 0.02
    assert numpy.median(found[4900:]) > 2 * numpy.median(found[:4900])


def test_a_picture_that_is_alone_is_unlike_nothing():
    assert score(unit(1)).tolist() == [0] and len(score(unit(1)[:0])) == 0


def test_another_character_among_those_of_one_is_beyond_the_cut(project, tmp_path):
    pytest.importorskip("onnx")
    for number in range(8):
        picture(project.images / f"red_{number}.png", (200 + 5 * number, 30 + number, 40))
    picture(project.images / "blue.png", (20, 30, 230))
    settings = QualitySettings(scorer="unlike-ccip", model_dir=str(save_ccip(tmp_path / "ccip")), device="cpu")
    report = measure_quality(project, settings)
    quality = stored_quality(project)
    assert [name for name, _ in quality.beyond("unlike-ccip", measure_named("unlike-ccip").cut)] == ["blue.png"]
    assert report.beyond[measure_named("unlike-ccip").title] == 1 and report.scorer.startswith(str(tmp_path / "ccip"))


def test_without_any_download_the_odd_photograph_stands_first(project):
    coffee = photographs()["coffee"]
    for number in range(6):
        coffee.crop((4 * number, 3 * number, 560 + number, 380)).save(project.images / f"coffee_{number}.png")
    photographs()["rocket"].save(project.images / "rocket.png")
    measure_quality(project, PLAIN)
    worst = stored_quality(project).beyond("unlike-plain", 0)
    assert worst[0][0] == "rocket.png" and worst[0][1] > 2 * worst[1][1]


def test_it_ranks_and_picks_nothing_out_by_itself(project):
    for name in ("coffee", "rocket", "chelsea"):
        photographs()[name].save(project.images / f"{name}.png")
    report, quality = measure_quality(project, PLAIN), stored_quality(project)
    measure, spread = measure_named("unlike-plain"), stored_quality(project).histogram("unlike-plain")
    assert measure.ranks and quality.beyond("unlike-plain", measure.cut) == []
    assert report.beyond[measure.title] == 0 and "unlike" not in report.sentence()
    assert 0 < spread.low < spread.high < 1, "the histogram shows the values, not the way to a cut that there is not"


def test_when_pictures_come_it_is_worked_out_anew_and_embeddings_are_not(project, monkeypatch):
    photographs()["coffee"].save(project.images / "coffee.png")
    measure_quality(project, PLAIN)
    assert stored_quality(project).values["unlike-plain"].tolist() == [0]
    photographs()["rocket"].save(project.images / "rocket.png")
    measure_quality(project, QualitySettings())
    assert numpy.isnan(stored_quality(project).values["unlike-plain"]).sum() == 1, "it was not compared yet"
    measure_quality(project, PLAIN)
    values = stored_quality(project).values["unlike-plain"]
    assert values[0] == values[1] > 0.1
    monkeypatch.setattr("core.dataset.curation.embedders.plain.PlainEmbedder.prepare", lambda *_: pytest.fail("a picture was opened"))
    assert measure_quality(project, PLAIN).looked == 2


def test_every_embedder_can_say_it():
    assert {name for name in SCORERS.names() if name.startswith("unlike-")} == {
        "unlike-plain", "unlike-clip", "unlike-siglip2", "unlike-dinov2", "unlike-ccip"}
