"""Undo, redo, the way back and forth, named versions, and comparing."""

import gzip
import os
import time

import pytest

from core.base.errors import Cancelled, ConfigError, DatasetError
from core.base.progress import Progress
from core.dataset import versions
from core.dataset.captions import swapping
from core.dataset.captions.edit_settings import EditSettings, TriggerSettings
from core.dataset.captions.editing import EditPlan, add_trigger, apply_plan, edit_captions
from core.dataset.captions.files import read_caption
from core.dataset.captions.overwriting import take_caption_away
from core.dataset.history import START, Change, History, go_to, redo_last, undo_last
from core.dataset.items import Skipped, list_items
from core.dataset.undoing import OTHER
from core.dataset.versions import (
    NOW,
    VersionSettings,
    captions_at,
    compare_versions,
    list_versions,
    name_version,
    plan_restore,
    restore_version,
)
from tests.core.dataset.small_things import picture


@pytest.fixture
def three(project):
    for name in ("a", "b", "c"):
        picture(project.images / f"{name}.png")
        if name != "c":
            (project.images / f"{name}.txt").write_text(f"{name}, hat")
    return project


def texts(project):
    return {path.stem: path.read_text() for path in sorted(project.images.glob("*.txt"))}


def add(project, word, **more):
    edit_captions(project, EditSettings.make(add_last=word, **more))
    return texts(project)


def ids(project):
    return [entry.id for entry in History.of(project).entries()]


def test_redo_makes_again_what_undo_took_back_until_something_new_is_done(three):
    before = texts(three)
    one, two = add(three, "one"), add(three, "two")
    undo_last(three)
    undo_last(three)
    assert texts(three) == before
    assert redo_last(three).what == "Added one" and texts(three) == one
    assert redo_last(three).restored == 3 and texts(three) == two
    undo_last(three)
    add(three, "new")
    with pytest.raises(DatasetError, match="no change to make again"):
        redo_last(three)


def test_redo_sets_the_trigger_word_again(three):
    add_trigger(three, TriggerSettings(trigger_word="mika"))
    undo_last(three)
    assert three.trigger_word == ""
    redo_last(three)
    assert three.trigger_word == "mika" and texts(three)["a"] == "mika, a, hat"


def test_one_can_go_back_to_any_change_and_forth_again(three):
    states = [texts(three)] + [add(three, word) for word in ("one", "two", "three")]
    names = ids(three)
    assert go_to(three, names[0]).restored == 3 and texts(three) == states[1]
    go_to(three, names[2])
    assert texts(three) == states[3]
    go_to(three, START)
    assert texts(three) == states[0]
    go_to(three, names[1])
    assert texts(three) == states[2]
    with pytest.raises(ConfigError, match="No change 'nowhere'"):
        go_to(three, "nowhere")
    with pytest.raises(DatasetError, match="there already"):
        go_to(three, names[1])


def test_a_caption_that_was_edited_by_hand_since_stays_on_the_way_back(three):
    add(three, "one")
    add(three, "two")
    (three.images / "a.txt").write_text("by hand")
    report = go_to(three, START)
    assert texts(three) == {"a": "by hand", "b": "b, hat"} and [one.name for one in report.skipped] == ["a.txt"]


def test_what_a_hand_wrote_after_a_change_is_told_apart_from_it_and_named_on_the_way_back(three):
    add(three, "one")
    (three.images / "a.txt").write_text("by hand")
    add(three, "two", ids=["b"])
    first = ids(three)[0]
    assert {one.image: (one.before, one.after) for one in compare_versions(three, first).changes} == {
        "a": ("a, hat, one", "by hand"), "b": ("b, hat, one", "b, hat, one, two")}
    report = go_to(three, first)
    assert texts(three)["a"] == "by hand" and texts(three)["b"] == "b, hat, one" and [one.name for one in report.skipped] == ["a.txt"]
    assert report.sentence().endswith("1 was edited since and stays as it is.")


def test_a_cancelled_change_is_undone_and_made_again_as_far_as_it_went(three, monkeypatch):
    class Stop(Progress):
        def report_step(self, item: str) -> None:
            self.cancel()

    monkeypatch.setattr(swapping, "STEP", 10)
    for number in range(40):
        picture(three.images / f"n{number:02}.png")
        (three.images / f"n{number:02}.txt").write_text("x")
    before = texts(three)
    with pytest.raises(Cancelled):
        edit_captions(three, EditSettings(add_last="one"), Stop())
    half = texts(three)
    assert half != before and any(half[name] == before.get(name) for name in half)
    assert History.of(three).interrupted() == []
    undo_last(three)
    assert texts(three) == before
    redo_last(three)
    assert texts(three) == half


def test_one_can_go_forth_over_an_empty_caption_that_was_written_and_removed(three):
    (three.images / "c.txt").write_text("")
    apply_plan(three, EditPlan("Tagged", [Change("c", "c.txt", "", "cat")], 0, []))
    take_caption_away(three, "c", read_caption(three.images / "c.txt").revision)
    last = ids(three)[-1]
    go_to(three, START)
    report = go_to(three, last)
    assert report.skipped == [] and "c" not in texts(three) and History.of(three).interrupted() == []


def test_the_list_says_what_holds(three):
    add(three, "one")
    add(three, "two")
    undo_last(three)
    name_version(three, VersionSettings(name="mine"))
    assert [(step.what, step.state, step.captions) for step in list_versions(three)] == [
        ("mine", "version", 3), ("Added two", "undone", 3), ("Added one", "in effect", 3)]


def test_a_named_version_is_exactly_what_was_there_also_by_hand(three):
    add(three, "one")
    (three.images / "a.txt").write_text("by hand")
    kept = texts(three)
    name_version(three, VersionSettings(name="mine"))
    (three.images / "a.txt").write_text("later")
    later = add(three, "two")
    assert plan_restore(three, "mine").sentence() == "Would change 3 of 3 captions."
    assert texts(three) == later
    assert restore_version(three, "mine").changed == 3 and texts(three) == kept
    undo_last(three)
    assert texts(three) == later


def test_a_version_with_a_picture_whose_name_is_no_utf8_can_be_gone_back_to(three):
    name = os.fsdecode(b"\x83\x7e\x83J")
    (three.images / "a.png").rename(three.images / f"{name}.png")
    (three.images / "a.txt").rename(three.images / f"{name}.txt")
    name_version(three, VersionSettings(name="before"))
    add(three, "smile")
    restore_version(three, "before")
    assert texts(three) == {"b": "b, hat", name: "a, hat", "c": "smile"}


def test_a_version_can_belong_to_a_run_and_names_are_given_once(three):
    with pytest.raises(ConfigError, match="no training run 'r1'"):
        name_version(three, VersionSettings(name="mine", run="r1"))
    (three.runs / "r1").mkdir()
    assert name_version(three, VersionSettings(name="mine", run="r1")).run == "r1"
    assert list_versions(three)[0].run == "r1"
    with pytest.raises(ConfigError, match="is called 'mine' already"):
        name_version(three, VersionSettings(name="mine"))


def test_a_version_whose_file_is_damaged_is_named(three):
    mark = name_version(three, VersionSettings(name="mine"))
    (three.hidden / mark.file).write_bytes(b"no gzip")
    with pytest.raises(DatasetError, match="'mine' cannot be read"):
        restore_version(three, "mine")


def test_a_version_whose_file_is_damaged_anywhere_is_named(three):
    mark = name_version(three, VersionSettings(name="mine"))
    path = three.hidden / mark.file
    whole = path.read_bytes()
    for place in range(10, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xff]) + whole[place + 1:])
        with pytest.raises(DatasetError, match="'mine' cannot be read"):
            restore_version(three, "mine")
    path.write_bytes(gzip.compress(b'["a", "a.txt", "a, hat", 7, ""]\n'))
    with pytest.raises(DatasetError, match="'mine' cannot be read"):
        restore_version(three, "mine")


@pytest.mark.parametrize("way", ["back", "undone and made again"])
def test_a_version_does_not_come_back_onto_another_picture_of_the_name(three, way):
    name_version(three, VersionSettings(name="first"))
    (three.images / "a.txt").write_text("a dog")
    (three.images / "b.txt").write_text("other")
    if way != "back":
        assert restore_version(three, "first").changed == 2
        undo_last(three)
    picture(three.images / "a.png", (9, 9, 9), (99, 99))
    if way == "back":
        plan = plan_restore(three, "first")
        assert plan.skipped == [Skipped("a.txt", OTHER)] and (len(plan.changes), plan.unchanged, plan.total) == (1, 0, 2)
        assert restore_version(three, "first").changed == 1
    else:
        assert redo_last(three).skipped == [Skipped("a.txt", OTHER)]
    assert texts(three) == {"a": "a dog", "b": "b, hat"}


def test_a_version_of_an_earlier_kind_that_knows_no_pictures_comes_back(three):
    mark = name_version(three, VersionSettings(name="old"))
    (three.hidden / mark.file).write_bytes(gzip.compress(b'["a", "a.txt", "a, old"]\n["b", "b.txt", "b, old", ["old"], ""]\n'))
    picture(three.images / "a.png", (9, 9, 9), (99, 99))
    assert restore_version(three, "old").changed == 2 and texts(three) == {"a": "a, old", "b": "b, old"}
    assert History.of(three).authored({"a": "", "b": ""}) == {"b": {"old"}}


def test_changes_and_versions_may_come_while_they_are_listed(three, monkeypatch):
    add(three, "one")
    name_version(three, VersionSettings(name="mine"))
    history, make = History.of(three), versions.Step

    def step(*given):
        with history.entry("Meanwhile") as record:
            record.change("a", "a.txt", None, "x")
        history.summary()
        return make(*given)

    monkeypatch.setattr(versions, "Step", step)
    assert {one.what for one in list_versions(three)} == {"Added one", "mine"}


def test_versions_are_compared(three):
    add(three, "one", ids=["a"])
    add(three, "two")
    names = ids(three)
    found = compare_versions(three, START, names[0])
    assert [(one.image, one.before, one.after) for one in found.changes] == [("a", "a, hat", "a, hat, one")] and found.same == 1
    found = compare_versions(three, names[0])
    assert {one.image: one.before for one in found.changes} == {"a": "a, hat, one", "b": "b, hat", "c": None}
    assert compare_versions(three, NOW).changes == []
    assert {file: one.after for file, one in captions_at(three, START).items()} == {"a.txt": "a, hat", "b.txt": "b, hat"}
    with pytest.raises(ConfigError, match="no version 'x'"):
        compare_versions(three, "x")


def test_what_a_model_wrote_is_known_again_after_the_way_back_to_a_version(three):
    history = History.of(three)
    sha = list_items(three)[0].sha256
    with history.entry("Tagged") as record:
        record.change("a", "a.txt", "a, hat", "a, hat, bow", ["bow"], sha)
    (three.images / "a.txt").write_text("a, hat, bow")
    name_version(three, VersionSettings(name="tagged"))
    with history.entry("Tagged") as record:
        record.change("a", "a.txt", "a, hat, bow", "a, red", ["red"], sha)
    (three.images / "a.txt").write_text("a, red")
    assert history.authored({"a": sha}) == {"a": {"red"}}
    restore_version(three, "tagged")
    assert history.authored({"a": sha}) == {"a": {"bow"}} and texts(three)["a"] == "a, hat, bow"


def test_a_second_look_reads_only_what_is_new_and_another_file_anew(three):
    add(three, "one")
    history = History.of(three)
    first = history.entries()
    add(three, "two")
    assert history.entries()[0] is first[0] and len(history.entries()) == 2
    history.path.unlink()
    assert history.entries() == [] and list_versions(three) == []
    add(three, "three")
    assert [entry.what for entry in history.entries()] == ["Added three"]


def test_ten_thousand_changes_are_listed_without_being_read(three):
    with History.of(three).entry("Many") as record:
        record.changes([Change(f"{number}", f"{number}.txt", "x" * 200, "y" * 200) for number in range(10_000)])
    started = time.perf_counter()
    step = list_versions(three)[0]
    assert step.captions == 10_000 and time.perf_counter() - started < 0.2
    assert len(History.of(three).entries()[0].changes) == 10_000


def test_a_version_is_read_whatever_signs_a_caption_holds(three):
    odd = "hat\x85red\u2028tall\u2029"
    (three.images / "a.txt").write_text(odd, encoding="utf-8")
    name_version(three, VersionSettings.make(name="odd"))
    add(three, "new")
    restore_version(three, "odd")
    assert texts(three)["b"] == "b, hat" and texts(three)["a"] == odd


def test_a_version_keeps_the_lines_of_captions_that_have_several(three):
    in_lines = "a, hat\na girl with a hat"
    (three.images / "a.txt").write_text(in_lines)
    name_version(three, VersionSettings(name="lines"))
    assert compare_versions(three, "lines").changes == [], "to words it is the same"
    assert plan_restore(three, "lines").changes == []
    after = add(three, "one")
    assert after["a"] == "a, hat, a girl with a hat, one" and len(compare_versions(three, "lines").changes) == 3
    restore_version(three, "lines")
    assert texts(three) == {"a": in_lines, "b": "b, hat", "c": after["c"]}
    undo_last(three)
    assert texts(three) == after
    redo_last(three)
    assert texts(three)["a"] == in_lines
    (three.images / "a.txt").write_text("a, hat, a girl with a hat")
    restore_version(three, "lines")
    assert texts(three)["a"] == in_lines, "the same words, but in one line"
    (three.images / "b.txt").write_text("b\nhat")
    (three.images / "a.txt").write_text("a\nother")
    restore_version(three, "lines")
    assert texts(three) == {"a": in_lines, "b": "b\nhat", "c": after["c"]}, "b says the same in lines and stays"
    undo_last(three)
    assert texts(three)["a"] == "a\nother"
