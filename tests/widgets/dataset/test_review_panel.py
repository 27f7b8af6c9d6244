"""The review panel: it takes back its own decisions and nothing else, and looks with the thresholds of the newest tagging."""

import json

import pytest

from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.scores import ScoreStore
from core.dataset.captions.tagging import TagSettings
from core.dataset.history import History
from core.dataset.items import list_items
from core.dataset.manager import DatasetManager
from widgets.dataset.reviewing import ReviewPanel

SCORES = {"general": {"outdoors": 0.41, "smile": 0.33, "solo": 0.95}}


@pytest.fixture
def panel(session, project):
    """Three pictures, tagged by a tagger as one change, and shown for review."""
    items = list_items(project)
    with ScoreStore.of(project) as store:
        store.remember("tagger@1", "wd-eva02-large-v3", {item.sha256: SCORES for item in items})
    with History.of(project).entry("Tagged with WD EVA02-Large v3") as record:
        for item in items:
            text = f"{item.caption}, solo, outdoors"
            record.change(item.id, item.caption_name, item.caption, text, ["solo", "outdoors"], item.sha256)
            item.caption_path.write_text(text, encoding="utf-8")
    panel = ReviewPanel(session)
    panel.main.click()
    return panel


def caption(project, name: str) -> str:
    return (project.images / f"{name}.txt").read_text(encoding="utf-8")


def send(panel, kind: str, **more) -> None:
    panel.view_of_tags._heard(None, {"kind": kind, "token": panel.view_of_tags.image.get("token", ""), **more}, [])


def decide(panel, keep=(), drop=()) -> None:
    send(panel, "turn", way=1, keep=list(keep), drop=list(drop))


def test_taking_back_goes_through_the_decisions_and_stops_before_the_tagging(panel, project):
    decide(panel, drop=["outdoors"])
    decide(panel, keep=["smile"])
    assert caption(project, "1") == "mychar, red background, solo" and caption(project, "2").endswith("solo, outdoors, smile")
    send(panel, "undo")
    assert caption(project, "2").endswith("solo, outdoors") and panel.view_of_tags.image["name"] == "2"
    send(panel, "undo")
    assert caption(project, "1").endswith("solo, outdoors") and panel.view_of_tags.image["name"] == "1"
    send(panel, "undo")
    assert "No decision to take back" in panel.status.text
    assert [caption(project, name).endswith("solo, outdoors") for name in "123"] == [True] * 3


def test_a_change_that_came_after_the_decision_is_not_taken_back(panel, project):
    decide(panel, drop=["outdoors"])
    DatasetManager(project).edit(EditSettings(add_last="smile"))
    send(panel, "undo")
    assert "No decision to take back" in panel.status.text and caption(project, "1") == "mychar, red background, solo, smile"


def test_nothing_of_an_earlier_notebook_is_taken_back(panel, session, project):
    decide(panel, drop=["outdoors"])
    again = ReviewPanel(session)
    again.main.click()
    send(again, "undo")
    assert "No decision to take back" in again.status.text and "outdoors" not in caption(project, "1")


def tagged(project, number: int, **values) -> None:
    """As if a tagging had run."""
    folder = project.folder / "jobs" / f"2026010{number}-000000-tag"
    folder.mkdir(parents=True)
    settings = TagSettings.make(**values).model_dump(mode="json")
    (folder / "settings.json").write_text(json.dumps({"stage": "tag", "settings": settings}), encoding="utf-8")


def thresholds(panel) -> tuple[float, float]:
    settings = panel.form.value()
    return settings.general_threshold, settings.character_threshold


def test_thresholds_follow_a_new_tagging_but_for_what_a_person_chose(panel, session, project):
    assert thresholds(panel) == (0.35, 0.85)
    tagged(project, 1, general_threshold=0.5, character_threshold=0.7)
    session.tell()
    assert thresholds(panel) == (0.5, 0.7)
    panel.form.open_folds()
    panel.form.control("general_threshold").widget.value = 0.4
    tagged(project, 2, general_threshold=0.25, character_threshold=0.6)
    session.tell()
    assert thresholds(panel) == (0.4, 0.6)


def test_what_else_was_chosen_stays_when_a_tagging_brings_its_thresholds(panel, session, project):
    panel.form.control("margin").widget.value = 0.2
    tagged(project, 1, general_threshold=0.5)
    session.tell()
    assert panel.form.value().margin == 0.2 and thresholds(panel)[0] == 0.5
