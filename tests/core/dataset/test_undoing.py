"""Undo and redo touch no caption of a picture that is away or another one now, and know afterwards what holds."""

import os

import pytest

from core.base.errors import DatasetError
from core.dataset import undoing
from core.dataset.captions import swapping
from core.dataset.captions.editing import EditPlan, apply_plan
from core.dataset.captions.files import read_caption
from core.dataset.captions.overwriting import take_caption_away
from core.dataset.history import HISTORY_FILE, START, Change, History, go_to, redo_last, undo_last
from core.dataset.history_file import append_values
from core.dataset.items import Skipped, list_items
from core.dataset.rejecting import RejectSettings, RestoreSettings, reject_images, restore_images
from core.dataset.undoing import AWAY, BY_HAND, OTHER, UndoReport
from tests.core.dataset.small_things import picture

PUT_ASIDE = "1 was left as it is: its picture is not in the project now (put aside?)."


@pytest.fixture
def two(project):
    for number, name in enumerate("ab"):
        picture(project.images / f"{name}.png", (200, 40 * number, 0))
    return project


def here(project):
    return {path.name: path.read_text() if path.suffix == ".txt" else "" for path in sorted(project.images.glob("[!.]*"))}


def tag(project, names, before=None, after="cat, hat"):
    shas = {item.id: item.sha256 for item in list_items(project)}
    changes = [Change(name, f"{name}.txt", before, after, tuple(after.split(", ")), shas[name]) for name in names]
    return apply_plan(project, EditPlan("Tagged", changes, 0, []))


def of_models(project):
    return History.of(project).authored({item.id: item.sha256 for item in list_items(project)})


def reject(project, name):
    reject_images(project, RejectSettings(images=(name,)))


def test_no_caption_is_written_for_a_picture_that_was_put_aside(two):
    (two.images / "a.txt").write_text("precious words")
    take_caption_away(two, "a", read_caption(two.images / "a.txt").revision)
    reject(two, "a")
    report = undo_last(two)
    assert report.sentence() == f"'Caption of a removed' is undone. 0 captions were changed. {PUT_ASIDE}"
    assert report.skipped == [Skipped("a.txt", AWAY)] and here(two) == {"b.png": ""}
    restore_images(two, RestoreSettings())
    assert here(two) == {"a.png": "", "b.png": ""}, "under its own name"
    redo_last(two)
    assert undo_last(two).restored == 1 and here(two)["a.txt"] == "precious words"


def test_what_could_not_be_undone_for_a_picture_that_was_put_aside_still_holds_there_after_a_redo(two):
    tag(two, "ab")
    reject(two, "a")
    assert undo_last(two).sentence() == f"'Tagged' is undone. 1 caption was changed. {PUT_ASIDE}"
    assert redo_last(two).sentence() == f"'Tagged' is made again. 1 caption was changed. {PUT_ASIDE}"
    assert here(two) == {"b.png": "", "b.txt": "cat, hat"}
    restore_images(two, RestoreSettings())
    assert of_models(two) == {"a": {"cat", "hat"}, "b": {"cat", "hat"}}
    assert undo_last(two).restored == 2 and here(two) == {"a.png": "", "b.png": ""}


def test_tags_that_a_redo_could_not_write_do_not_count_as_taken_out_by_a_person(two):
    tag(two, "ab")
    undo_last(two)
    reject(two, "a")
    redo_last(two)
    restore_images(two, RestoreSettings())
    assert of_models(two) == {"b": {"cat", "hat"}}


@pytest.mark.parametrize("indexed", [True, False])
def test_a_caption_is_not_made_again_for_another_picture_of_the_name(two, indexed):
    tag(two, "ab")
    undo_last(two)
    picture(two.images / "a.png", (9, 9, 9), (99, 99))
    if indexed:
        list_items(two)
    report = redo_last(two)
    assert report.sentence() == "'Tagged' is made again. 1 caption was changed. 1 was left as it is: its picture is another one now."
    assert here(two) == {"a.png": "", "b.png": "", "b.txt": "cat, hat"}


def test_a_caption_of_another_picture_of_the_name_is_not_taken_back(two):
    tag(two, "ab")
    picture(two.images / "a.png", (9, 9, 9), (99, 99))
    assert undo_last(two).skipped == [Skipped("a.txt", OTHER)] and here(two)["a.txt"] == "cat, hat"


def test_pictures_that_the_index_knows_are_not_listed_and_a_new_time_alone_makes_no_other_picture(two, monkeypatch):
    tag(two, "ab")
    with monkeypatch.context() as patch:
        patch.setattr(undoing, "list_items", lambda project: pytest.fail("it looked at every caption"))
        assert undo_last(two).restored == 2
    os.utime(two.images / "a.png", (1, 1))
    assert redo_last(two).restored == 2


def test_on_the_way_back_only_the_changes_of_this_very_picture_are_taken_back(two):
    tag(two, "a")
    picture(two.images / "a.png", (9, 9, 9), (99, 99))
    tag(two, "a", "cat, hat", "a dog")
    report = go_to(two, START)
    assert here(two)["a.txt"] == "cat, hat" and report.skipped == [Skipped("a.txt", OTHER)]


def test_a_caption_of_another_picture_is_not_called_edited_by_hand(two):
    tag(two, "ab")
    apply_plan(two, EditPlan("Edited", [Change("b", "b.txt", "cat, hat", "cat")], 0, []))
    picture(two.images / "a.png", (9, 9, 9), (99, 99))
    (two.images / "a.txt").write_text("of the other one")
    assert go_to(two, History.of(two).applied()[0].id).skipped == []


def test_a_folder_that_cannot_be_read_is_named_and_nothing_is_marked(two):
    tag(two, "a")
    two.images.rename(two.folder / "elsewhere")
    with pytest.raises(DatasetError, match="images cannot be read"):
        undo_last(two)
    assert History.of(two).interrupted() == [] and len(History.of(two).applied()) == 1


def test_what_a_redo_left_as_a_hand_wrote_it_is_no_change_of_the_entry_any_more(two):
    tag(two, "ab")
    undo_last(two)
    (two.images / "a.txt").write_text("my own words, sofa")
    assert redo_last(two).sentence().endswith("1 was edited since and stays as it is.")
    (entry,) = History.of(two).entries()
    assert of_models(two) == {"b": {"cat", "hat"}} and entry.count == 1
    report = undo_last(two)
    assert report.skipped == [] and here(two) == {"a.png": "", "a.txt": "my own words, sofa", "b.png": ""}
    assert redo_last(two).restored == 1 and here(two)["b.txt"] == "cat, hat"


def test_what_an_undo_left_as_a_hand_wrote_it_still_holds_after_the_redo(two):
    tag(two, "ab")
    (two.images / "a.txt").write_text("cat")  # the hat was taken out
    assert [one.name for one in undo_last(two).skipped] == ["a.txt"]
    assert [one.name for one in redo_last(two).skipped] == ["a.txt"]
    assert of_models(two)["a"] == {"cat", "hat"} and History.of(two).entries()[0].count == 2
    (two.images / "a.txt").write_text("cat, hat")
    assert undo_last(two).restored == 2, "the second undo knows it, too"
    (two.images / "a.txt").write_text("mine")
    redo_last(two)
    assert of_models(two) == {"b": {"cat", "hat"}}, "this time it was taken back before"


def rename_by_hand(project, number, stems):
    for old, new in stems.items():
        for ending in (".png", ".txt"):
            if (project.images / (old + ending)).exists():
                (project.images / (old + ending)).rename(project.images / (new + ending))
    append_values(project.hidden / HISTORY_FILE, [{"event": "renamed", "id": str(number), "stems": stems}])


@pytest.mark.parametrize("kept", [True, False])
def test_what_a_redo_left_is_known_by_the_names_of_now(two, kept):
    tag(two, "ab")
    rename_by_hand(two, 1, {"a": "x"})
    if kept:
        (two.images / "x.txt").write_text("mine")
    undo_last(two)
    (two.images / "x.txt").write_text("mine")
    rename_by_hand(two, 2, {"x": "y", "b": "a"})
    redo_last(two)
    rename_by_hand(two, 3, {"y": "z"})
    assert of_models(two) == {"a": {"cat", "hat"}, **({"z": {"cat", "hat"}} if kept else {})}


def test_of_a_cancelled_change_no_more_is_taken_back_than_was_made_and_not_left(project):
    for name in "abc":
        picture(project.images / f"{name}.png")
    with History.of(project).entry("Edited") as record:
        record.changes([Change(name, f"{name}.txt", None, "new") for name in "abc"])
        record.made(2)
    for name in "ab":
        (project.images / f"{name}.txt").write_text("new")
    undo_last(project)
    (project.images / "a.txt").write_text("mine")
    redo_last(project)
    (project.images / "c.txt").write_text("new")
    (entry,) = History.of(project).entries()
    assert ([one.file for one in entry.changes], entry.count) == (["b.txt"], 1)
    undo_last(project)
    assert {name: text for name, text in here(project).items() if text} == {"a.txt": "mine", "c.txt": "new"}


def test_the_sentence_says_why_each_caption_was_left():
    skipped = [Skipped("a.txt", swapping.CHANGED), Skipped("b.txt", BY_HAND), Skipped("c.txt", AWAY), Skipped("d.txt", AWAY),
               Skipped("e.txt", OTHER), Skipped("f.txt", OTHER), Skipped("g.txt", "g.txt is not UTF-8 text.")]
    assert UndoReport("Tagged", 1, skipped).sentence() == (
        "'Tagged' is undone. 1 caption was changed. 2 were edited since and stay as they are. 2 were left as they are: their pictures are "
        "not in the project now (put aside?). 2 were left as they are: their pictures are others now. 1 cannot be read and stays as it is.")
    assert UndoReport("back", 2, way=True).sentence() == "back. 2 captions were changed."
