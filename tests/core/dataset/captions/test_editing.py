"""Bulk changes do what they say, to whole tags, and can be undone."""

import time

import pytest

from core.base.errors import ConfigError, DatasetError
from core.base.progress import Progress
from core.dataset.captions import editing
from core.dataset.captions.edit_settings import EditSettings, TriggerSettings
from core.dataset.captions.editing import add_trigger, edit_captions, plan_edit
from core.dataset.history import History, undo_last
from tests.core.dataset.small_things import picture


@pytest.fixture
def two(project):
    for name, caption in (("a", "zebra, hat, red hat"), ("b", "hat"), ("c", None)):
        picture(project.images / f"{name}.png")
        if caption:
            (project.images / f"{name}.txt").write_text(caption)
    return project


def texts(project) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted(project.images.glob("*.txt"))}


def edit(project, **settings):
    return edit_captions(project, EditSettings.make(**settings))


def test_the_trigger_word_goes_first_and_into_the_project(two):
    report = add_trigger(two, TriggerSettings(trigger_word="mika"))
    assert texts(two) == {"a": "mika, zebra, hat, red hat", "b": "mika, hat", "c": "mika"}
    assert two.trigger_word == "mika" and report.sentence() == "3 captions changed, 0 as before."
    assert add_trigger(two, TriggerSettings(trigger_word="mika")).changed == 0


def test_a_new_trigger_word_takes_the_place_of_the_old(two):
    add_trigger(two, TriggerSettings(trigger_word="mika"))
    add_trigger(two, TriggerSettings(trigger_word="rin"))
    assert texts(two)["a"] == "rin, zebra, hat, red hat" and texts(two)["c"] == "rin"


def test_the_trigger_word_moves_to_the_front_where_it_stands_already(two):
    (two.images / "a.txt").write_text("zebra, mika")
    add_trigger(two, TriggerSettings(trigger_word="mika", write_missing=False))
    assert texts(two) == {"a": "mika, zebra", "b": "mika, hat"}


def test_a_trigger_word_with_a_comma_changes_nothing(two):
    with pytest.raises(ConfigError, match="one tag without commas"):
        add_trigger(two, TriggerSettings(trigger_word="a, b"))
    assert texts(two)["b"] == "hat"


def test_each_bulk_change_is_one_entry_and_is_undone_in_turn(two):
    before = texts(two)
    add_trigger(two, TriggerSettings(trigger_word="mika"))
    middle = texts(two)
    edit(two, add_last="smile")
    assert [entry.what for entry in History.of(two).entries()] == ["Trigger word 'mika' put first", "Added smile"]
    assert undo_last(two).restored == 3 and texts(two) == middle
    assert undo_last(two).restored == 3 and texts(two) == before
    assert two.trigger_word == ""


def test_whole_tags_only(two):
    edit(two, remove="hat, zebra")
    assert texts(two) == {"a": "red hat", "b": "hat"}


def test_a_caption_that_would_become_empty_is_left_and_named(two):
    report = edit(two, remove="hat")
    assert texts(two)["b"] == "hat" and "would become empty" in report.skipped[0].reason


def test_replacing_a_tag_by_itself_changes_nothing(two):
    before = texts(two)
    assert edit(two, replace="hat", replace_by="hat").changed == 0 and texts(two) == before


def test_a_tag_is_replaced_in_its_place(two):
    edit(two, replace="hat", replace_by="cap, blue")
    assert texts(two) == {"a": "zebra, cap, blue, red hat", "b": "cap, blue"}


def test_only_if_empty_never_appends(two):
    edit(two, add_last="smile", only_if_empty=True)
    assert texts(two) == {"a": "zebra, hat, red hat", "b": "hat", "c": "smile"}


def test_what_is_added_in_front_stands_behind_the_trigger_word(two):
    add_trigger(two, TriggerSettings(trigger_word="mika"))
    edit(two, add_first="1girl")
    assert texts(two)["b"] == "mika, 1girl, hat"


def test_signs_in_tags_stay_as_they_are(two):
    (two.images / "a.txt").write_text(r"miku (vocaloid), (red:1.2), a\b, [x]")
    edit(two, add_last="smile")
    assert texts(two)["a"] == r"miku (vocaloid), (red:1.2), a\b, [x], smile"


def test_a_caption_that_cannot_be_read_is_skipped_and_stays(two):
    (two.images / "a.txt").write_bytes("café".encode("cp1252"))
    report = edit(two, add_last="smile")
    assert [item.name for item in report.skipped] == ["a.txt"] and (two.images / "a.txt").read_bytes() == "café".encode("cp1252")


def test_nothing_to_do_and_half_a_replacement_are_refused(two):
    for settings, words in (({}, "nothing to change"), ({"replace": "hat"}, "by nothing"),
                            ({"replace": "a, b", "replace_by": "c"}, "one tag")):
        with pytest.raises(ConfigError, match=words):
            edit(two, **settings)


def test_an_empty_project_is_named(project):
    with pytest.raises(DatasetError, match="no images"):
        edit(project, add_last="x")


def test_a_line_break_in_a_tag_does_not_keep_undo_from_knowing_its_own_caption(two):
    edit(two, add_last="one\ntwo")
    assert texts(two)["b"] == "hat, one, two"
    assert undo_last(two).skipped == []
    assert texts(two) == {"a": "zebra, hat, red hat", "b": "hat"}


def test_what_was_written_into_project_toml_meanwhile_stays(two):
    class Meanwhile(Progress):
        def report_step(self, item: str) -> None:
            two.write_info(two.info().changed(sources=("/pictures",)))

    add_trigger(two, TriggerSettings(trigger_word="mika"), Meanwhile())
    assert (two.trigger_word, two.info().sources) == ("mika", ("/pictures",))


def test_an_emptied_trigger_word_goes_from_every_caption_and_into_none(project):
    project.change_info(lambda info: info.changed(trigger_word="old"))
    for name, text in (("a", "hat, smile"), ("b", "old, bow"), ("c", None)):
        picture(project.images / f"{name}.png")
        if text:
            (project.images / f"{name}.txt").write_text(text)
    add_trigger(project, TriggerSettings(trigger_word=""))
    assert {path.stem: path.read_text() for path in project.images.glob("*.txt")} == {"a": "hat, smile", "b": "bow"}
    assert project.trigger_word == ""


def test_what_a_preview_showed_is_not_worked_out_a_second_time_and_any_change_is(two, monkeypatch):
    time.sleep(0.15)  # captions of this very moment are read again each time
    settings = EditSettings.make(add_last="smile")
    shown = plan_edit(two, settings)
    assert plan_edit(two, settings) is shown
    assert plan_edit(two, EditSettings.make(add_last="grin")) is not shown
    shown = plan_edit(two, settings)
    assert [change.image for change in plan_edit(two, settings, ["b"]).changes] == ["b"]
    shown = plan_edit(two, settings)
    (two.images / "b.txt").write_text("cap")
    assert [change.after for change in plan_edit(two, settings).changes] == ["zebra, hat, red hat, smile", "cap, smile", "smile"]
    time.sleep(0.15)
    shown = plan_edit(two, settings)
    monkeypatch.setattr(editing, "_work_out", lambda *_: pytest.fail("it was worked out again"))
    report = edit_captions(two, settings.changed(plan=shown.mark))
    assert report.changed == 3 and texts(two)["b"] == "cap, smile"


def test_another_trigger_word_makes_another_plan(two):
    time.sleep(0.15)
    settings = EditSettings.make(add_first="smile", condition={"caption": "present"})
    two.change_info(lambda info: info.changed(trigger_word="zebra"))
    assert plan_edit(two, settings).changes[0].after == "zebra, smile, hat, red hat"
    two.change_info(lambda info: info.changed(trigger_word="mika"))
    assert plan_edit(two, settings).changes[0].after == "smile, zebra, hat, red hat"
