"""The panel of captions beside the sources: each is seen, decided on, and only then written."""

import pytest

from core.dataset.items import list_items
from core.dataset.manager import DatasetManager
from tests.core.dataset.small_things import picture
from widgets.dataset import found_captions
from widgets.dataset.found_captions import FoundCaptionsPanel
from widgets.session import Session


@pytest.fixture
def source(tmp_path):
    for number in range(5):
        picture(tmp_path / "source" / f"{number}.png", (number, 9, 9))
    (tmp_path / "source" / "0.txt").write_text("old, tags")
    return tmp_path / "source"


@pytest.fixture
def panel(projects, source):
    manager = DatasetManager.create("Cats")
    manager.import_from(source)
    (source / "0.txt").write_text("old, new tags")
    for number in range(1, 4):
        (source / f"{number}.txt").write_text(f"caption {number}")
    session = Session()
    session.open(manager.project.folder)
    return FoundCaptionsPanel(session)


def captions(panel):
    return {item.id: item.caption for item in list_items(panel.session.dataset.project)}


def press(panel, section, name):
    panel.cards._heard(None, {"kind": "act", "section": section, "name": name}, [])


def test_nothing_is_shown_before_it_was_looked(panel):
    assert panel.cards.sections == [] and panel._tools.layout.display == "none"
    assert "look beside the sources first" in panel.take_all.tooltip.lower() and panel.save.disabled


def test_each_is_shown_with_its_picture_what_is_here_and_what_stands_there(panel):
    panel.main.click()
    assert panel.status.text == ("Done: 4 captions found beside the sources: 3 for images without a caption, 1 changed there or "
                                 "brought anew after the import. Nothing is written before it is saved.")
    sections = panel.cards.sections
    assert [section["key"] for section in sections] == ["0.png", "1.png", "2.png", "3.png"]
    assert list(sections[0]["change"]) == ["old, tags", "old, new tags"] and list(sections[1]["change"]) == ["", "caption 1"]
    assert sections[0]["title"] == "Beside the source: 0.txt" and sections[0]["cards"][0]["title"] == "0.png"


def test_what_is_taken_is_written_when_it_is_saved_and_undo_takes_it_back(panel):
    panel.main.click()
    press(panel, "0.png", "take")
    panel.cards._heard(None, {"kind": "press", "section": "1.png", "key": "1.png"}, [])
    press(panel, "2.png", "leave")
    assert captions(panel) == {"0": "old, tags", "1": None, "2": None, "3": None, "4": None}
    assert panel.save.description == "Save: take 2, leave 1"
    assert [section["cards"][0]["badge"] for section in panel.cards.sections] == ["Take", "Take", "Leave", ""]
    panel.save.click()
    assert panel.status.text == "Done: 2 captions taken from beside the sources, 1 left there. Undo takes it back."
    assert captions(panel) == {"0": "old, new tags", "1": "caption 1", "2": None, "3": None, "4": None}
    assert [section["key"] for section in panel.cards.sections] == ["3.png"] and panel.save.disabled
    panel.undo.click()
    assert captions(panel)["0"] == "old, tags" and captions(panel)["1"] is None


def test_the_button_of_the_decision_looks_pressed_and_no_other(panel):
    panel.main.click()
    assert {section["pressed"] for section in panel.cards.sections} == {""}
    press(panel, "1.png", "leave")
    press(panel, "2.png", "take")
    assert [section["pressed"] for section in panel.cards.sections] == ["", "leave", "take", ""]


def test_after_undo_a_look_says_what_was_decided_before(panel):
    panel.main.click()
    panel.take_all.click()
    panel.save.click()
    panel.undo.click()
    panel.main.click()
    assert panel.status.text.endswith("4 captions that you decided on before are not shown.")
    panel.form.control("decided").widget.value = True
    panel.main.click()
    assert len(panel.cards.sections) == 4


def test_the_same_button_once_more_takes_the_decision_back(panel):
    panel.main.click()
    press(panel, "1.png", "take")
    press(panel, "1.png", "take")
    assert panel._decisions == {} and panel.save.disabled
    press(panel, "1.png", "leave")
    press(panel, "1.png", "take")
    assert list(panel._decisions.values()) == ["take"]


def test_all_shown_are_those_of_the_chosen_kind_on_all_pages(panel, monkeypatch):
    monkeypatch.setattr(found_captions, "PAGE", 2)
    panel.main.click()
    panel.show.value = "missing"
    assert panel.take_all.description == "Take all 3 shown"
    assert len(panel.cards.sections) == 2 and panel.cards.total == 3
    panel.cards._heard(None, {"kind": "turn", "place": 2}, [])
    assert [section["key"] for section in panel.cards.sections] == ["3.png"]
    panel.take_all.click()
    panel.show.value = ""
    panel.save.click()
    assert captions(panel) == {"0": "old, tags", "1": "caption 1", "2": "caption 2", "3": "caption 3", "4": None}
    assert [section["key"] for section in panel.cards.sections] == ["0.png"]


def test_decisions_can_be_forgotten_and_stay_over_a_second_look(panel):
    panel.main.click()
    panel.leave_all.click()
    panel.main.click()
    assert panel.save.description == "Save: take 0, leave 4"
    panel.forget.click()
    assert panel.save.disabled and panel.save.description == "Save the decisions"


def test_another_project_begins_anew(panel, project):
    panel.main.click()
    panel.take_all.click()
    panel.session.open(project.folder)
    assert panel.cards.sections == [] and panel._decisions == {} and panel.save.disabled


def test_a_source_that_is_away_is_named(panel, source):
    source.rename(source.with_name("away"))
    panel.main.click()
    assert f"{source} is not there now." in panel._left.value
    assert panel.status.text.endswith("1 of the sources cannot be looked into now.")


def test_a_section_that_is_not_shown_is_not_decided(panel):
    panel.main.click()
    panel.cards._heard(None, {"kind": "act", "section": "4.png", "name": "take"}, [])
    panel.cards._heard(None, {"kind": "act", "section": "1.png", "name": "delete"}, [])
    assert panel._decisions == {}


def test_what_is_decided_while_others_are_saved_stays_decided(panel):
    panel.main.click()
    press(panel, "1.png", "take")
    work = panel._save()
    press(panel, "2.png", "leave")
    work.then(work.act())
    assert captions(panel)["1"] == "caption 1" and captions(panel)["2"] is None
    assert panel.save.description == "Save: take 0, leave 1"
