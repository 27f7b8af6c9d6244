"""The Quality panel with what sorts and does not judge: all pictures in order, and none picked out until a person moves the cut."""

import pytest
from PIL import Image

from core.dataset.curation.quality import QualitySettings, measure_quality
from tests.core.dataset.curation.small_models import save_anime_aesthetic
from widgets.dataset.quality import QualityPanel

pytest.importorskip("onnx")


@pytest.fixture
def panel(session, project, tmp_path):
    """Five grey pictures whose score is how light they are, shown by that score."""
    for path in project.images.iterdir():
        path.unlink()
    for grey in (200, 50, 100, 250, 150):
        Image.new("RGB", (64, 64), (grey,) * 3).save(project.images / f"{grey}.png")
    settings = QualitySettings(scorer="aesthetic-anime", model_dir=str(save_anime_aesthetic(tmp_path / "anime")), device="cpu")
    measure_quality(project, settings)
    panel = QualityPanel(session)
    panel._found = session.dataset.quality()
    panel.show()
    panel.which.value = "aesthetic-anime"
    return panel


def cards(panel):
    return [card for section in panel.cards.sections for card in section["cards"]]


def test_a_measure_that_sorts_shows_all_pictures_the_lowest_first_and_picks_none_out(panel):
    assert [card["key"] for card in cards(panel)] == ["50.png", "100.png", "150.png", "200.png", "250.png"]
    assert not any(card["chosen"] for card in cards(panel)) and panel.picked().names == ()
    assert panel.reject.disabled and panel.reject.description == "Reject them"
    assert panel.histogram.words == "5 pictures, the lowest first"
    assert panel.cards.sections[0]["title"] == "Aesthetic (anime), the lowest first: none is picked out before you move the cut"


def test_a_cut_that_a_person_sets_picks_out_as_any_other(panel, project):
    panel.exact.value = 3.0
    assert [card["key"] for card in cards(panel)] == ["50.png", "100.png"] and all(card["chosen"] for card in cards(panel))
    assert panel.reject.description == "Reject these 2" and not panel.reject.disabled
    panel.guard(lambda: panel._asked("press", {"section": "picked", "key": "100.png"}))
    panel.reject.click()
    assert [path.name for path in project.rejected.iterdir()] == ["50.png"]
    panel.exact.value = 0.0
    assert len(cards(panel)) == 4 and not any(card["chosen"] for card in cards(panel))


def test_what_is_spared_while_looking_stays_spared_when_the_cut_comes(panel):
    panel.guard(lambda: panel._asked("press", {"section": "picked", "key": "100.png"}))
    assert [card["badge"] for card in cards(panel)] == ["", "Spared", "", "", ""]
    panel.exact.value = 3.0
    assert [card["chosen"] for card in cards(panel)] == [True, False]


def test_a_measure_with_a_usual_cut_shows_only_what_lies_beyond_it(panel):
    panel.which.value = "aspect"
    assert cards(panel) == [] and "0 of 5 pictures above 2.00" in panel.histogram.words
