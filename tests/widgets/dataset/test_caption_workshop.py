"""Bulk edit, history and statistics panels on real projects."""

import pytest

from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.operations import AddLast
from core.dataset.history import History
from core.dataset.history_file import Change
from widgets.dataset.editing import EditPanel
from widgets.dataset.history import HistoryPanel
from widgets.dataset.statistics import StatisticsPanel


def texts(project):
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(project.images.glob("*.txt"))}


def choose(panel, op, **values):
    panel.choice.value = op
    for name, value in values.items():
        panel.form.control(name).widget.value = value


def test_a_change_can_only_be_made_after_its_preview_and_is_exactly_that(session, project):
    panel, before = EditPanel(session), texts(project)
    choose(panel, "remove", tags="red background")
    assert panel.apply.disabled and "preview first" in panel.apply.tooltip
    panel.main.click()
    assert texts(project) == before and panel.changes.title == "Would change 1 of 3 captions."
    assert panel.status.text == "Preview: would take out red background. Would change 1 of 3 captions. Nothing is changed yet."
    assert panel.changes.rows == [{"name": "1", "before": "mychar, red background", "after": "mychar"}] and not panel.apply.disabled
    panel.apply.click()
    assert texts(project) == {**before, "1": "mychar"} and panel.status.text.startswith("Done: 1 caption changed")
    assert panel.apply.disabled and panel.changes.total == 0


def test_a_setting_that_changes_after_the_preview_takes_the_preview_away(session, project):
    panel = EditPanel(session)
    choose(panel, "add_last", tags="smile")
    panel.main.click()
    panel.condition.control("has_all").widget.value = "red background"
    assert panel.apply.disabled and panel.changes.total == 0
    assert panel.status.text == ("Preview: the fields ask for something else now, so it was put away. Nothing is changed; look at it "
                                 "again.")
    panel.main.click()
    assert "Would change 1 of 3 captions" in panel.status.text


def test_captions_that_changed_since_the_preview_are_not_changed(session, project):
    panel = EditPanel(session)
    choose(panel, "add_last", tags="smile")
    panel.main.click()
    (project.images / "1.txt").write_text("by another hand", encoding="utf-8")
    panel.apply.click()
    assert "no longer those of the preview" in panel.status.text
    assert texts(project)["1"] == "by another hand" and "smile" not in texts(project)["2"]


def test_steps_are_kept_and_done_in_their_order(session, project):
    panel = EditPanel(session)
    choose(panel, "add_last", tags="smile")
    panel.guard(panel._add_step)
    choose(panel, "replace_tags", search="smile", replacement="grin")
    panel.main.click()
    panel.apply.click()
    assert texts(project)["1"] == "mychar, red background, grin"


def test_a_wrong_pattern_is_told_and_changes_nothing(session, project):
    panel, before = EditPanel(session), texts(project)
    choose(panel, "replace_pattern", pattern="(")
    panel.main.click()
    assert "a bracket ( is not closed" in panel.status.text and panel.apply.disabled and texts(project) == before


def test_undo_stands_beside_the_change(session, project):
    panel, before = EditPanel(session), texts(project)
    choose(panel, "add_last", tags="smile")
    panel.main.click()
    panel.apply.click()
    assert panel.undo.tooltip == "Takes back: Added smile."
    panel.undo.click()
    assert panel.undo.tooltip is None
    assert texts(project) == before and panel.status.text.startswith("Done: 'Added smile' is undone.")


def test_the_history_lists_undoes_redoes_and_goes_back(session, project):
    before = texts(project)
    for word in ("one", "two", "three"):
        session.dataset.edit(EditSettings(add_last=word))
    panel = HistoryPanel(session)
    assert [label.split("   ")[1] for label, _ in panel.list.options[:-1]] == ["Added three", "Added two", "Added one"]
    panel.main.click()
    assert texts(project)["1"].endswith("one, two") and panel.status.text.startswith("Done: 'Added three' is undone.")
    assert panel.main.tooltip == "Takes back: Added two."
    panel.guard(panel._redo)
    assert texts(project)["1"].endswith("two, three")
    panel.list.value = panel.list.options[-1][1]
    panel.guard(panel._go_back)
    assert panel.status.text.startswith("Done: back to the beginning, 3 changes undone. ")
    assert texts(project) == before and "undone, can be made again" in panel.list.options[0][0]
    panel.main.click()
    assert panel.status.text == "Needs attention: There is no change to undo."


def test_the_newest_change_is_the_chosen_one_until_a_person_chooses_another(session, project):
    panel = HistoryPanel(session)
    for word in ("one", "two"):
        session.dataset.edit(EditSettings(add_last=word))
        session.tell()
        assert panel.list.index == 0 and f"Added {word}" in panel.list.label
    panel.list.index = 1
    session.dataset.edit(EditSettings(add_last="three"))
    session.tell()
    assert panel.list.index == 2 and "Added one" in panel.list.label


def test_a_version_is_named_compared_and_restored(session, project):
    before, panel = texts(project), HistoryPanel(session)
    panel.form.control("name").widget.value = "first"
    panel.guard(panel._keep)
    session.dataset.edit(EditSettings(add_last="smile"))
    session.tell()
    panel.list.value = next(value for label, value in panel.list.options if "first" in label)
    panel.guard(panel._compare)
    assert panel.changes.total == 3 and panel.changes.rows[0]["after"].endswith("smile")
    panel.guard(panel._go_back)
    assert texts(project) == before


def test_what_was_interrupted_is_told_and_can_be_completed(session, project):
    history = History.of(project)
    with history.entry("Added smile") as record:
        record.changes([Change("1", "1.txt", "mychar, red background", "mychar, red background, smile")])
        record.end = lambda: None
    panel = HistoryPanel(session)
    assert "interrupted half-way" in panel.status.text
    panel.list.value = panel.list.options[0][1]
    panel.guard(panel._complete)
    assert texts(project)["1"] == "mychar, red background, smile" and "interrupted" not in panel.list.options[0][0]


def test_tags_are_counted_and_narrowed_by_pressing_them(session, project):
    (project.images / "1.txt").write_text("mychar, hat, red background", encoding="utf-8")
    panel = StatisticsPanel(session)
    panel.main.click()
    assert dict(zip(panel.bars.tags, panel.bars.counts, strict=True))["mychar"] == 3 and panel.bars.captions == 3
    panel._press("hat", True)
    assert panel.bars.captions == 1 and set(panel.bars.tags) == {"mychar", "hat", "red background"}
    panel._press("hat", False)
    assert panel.bars.captions == 3


def test_a_finding_lays_its_change_out_in_the_bulk_edit_panel(session, project):
    (project.images / "1.txt").write_text("red background, mychar", encoding="utf-8")
    statistics = StatisticsPanel(session)
    statistics.main.click()
    words, buttons = statistics._found.children[1].children
    assert "do not begin with" in words.value
    mend = buttons.children[0]
    mend.click()
    assert "is not shown yet" in statistics.status.text
    edit = session.panels["edit"] = EditPanel(session)
    mend.click()
    assert "laid out in panel" in statistics.status.text
    assert edit.changes.rows == [{"name": "1", "before": "red background, mychar", "after": "mychar, red background"}]
    edit.apply.click()
    assert texts(project)["1"] == "mychar, red background"


def test_the_bulk_edit_takes_any_settings_apart_again(session):
    panel = EditPanel(session)
    panel.guard(lambda: panel.take(EditSettings(add_first="a", operations=(AddLast(tags="z"),), ids=("1", "2"))))
    assert panel.settings().sentence() == "Added a in front; Added z" and "2 chosen images" in panel._only.value
    assert panel.changes.total == 2


@pytest.mark.slow
def test_a_large_change_is_a_job(session, project, monkeypatch):
    import time

    monkeypatch.setattr(EditPanel, "quick", 1)
    panel = EditPanel(session)
    choose(panel, "add_last", tags="smile")
    panel.main.click()
    panel.apply.click()
    deadline = time.monotonic() + 60
    while panel.status.state == "working" and time.monotonic() < deadline:
        time.sleep(0.1)
        panel.refresh()
    assert panel.status.text.startswith("Done: 3 captions changed") and texts(project)["3"].endswith("smile")


@pytest.mark.parametrize(("op", "values", "promise"), [
    ("add_first", {"tags": "a"}, "add a in front"), ("replace_tags", {"search": "a", "replacement": "b"}, "replace a by b"),
    ("deduplicate", {}, "take out double tags"), ("put_trigger", {"trigger_word": "cat"}, "put the trigger word 'cat' first")])
def test_a_preview_speaks_of_what_would_be(session, project, op, values, promise):
    panel = EditPanel(session)
    choose(panel, op, **values)
    assert panel.settings().promise() == promise


def test_every_operation_can_say_what_it_would_do():
    from core.dataset.captions.operations import OPERATIONS

    for name in OPERATIONS.names():
        kind = OPERATIONS.load(name)
        words = kind.model_construct(**{field: "a" for field, facts in kind.model_fields.items() if facts.is_required()}).promise()
        assert words[:1].islower() and words.split()[0] in ("add", "insert", "take", "replace", "put", "sort", "mend", "shorten"), words


def test_one_caption_is_told_as_one(session, project):
    from core.dataset.items import Skipped
    from widgets.dataset.bulk_change import left_out

    session.dataset.edit(EditSettings(remove="red background"))
    assert HistoryPanel(session).list.options[0][0].endswith("Took out red background   (1 caption)")
    assert "<summary>1 is left out</summary>" in left_out([Skipped("a", "b")])
    (project.images / "1.txt").write_text("by another hand", encoding="utf-8")
    assert session.dataset.undo().sentence().endswith("1 was edited since and stays as it is.")
