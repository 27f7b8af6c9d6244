"""Caption files of several lines (sd-scripts draws one of them at each step): what changes them gives them back as they were."""

import pytest

from core.dataset.captions.arranging import FixFormat
from core.dataset.captions.choosing import TagSettings
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.editing import edit_captions
from core.dataset.captions.files import read_caption
from core.dataset.captions.overwriting import save_caption
from core.dataset.captions.reviewing import review_image
from core.dataset.captions.tagging import tag_images
from core.dataset.history import History, finish, redo_last, undo_last
from core.dataset.manager import DatasetManager
from core.dataset.project import Project
from core.dataset.renaming_journal import Rename
from core.dataset.renaming_steps import rename_stems
from core.dataset.versions import START, VersionSettings, captions_at, name_version, restore_version
from tests.core.dataset.small_things import make_tagger, picture
from tests.dying import killed

LINES = "a girl with a hat\na portrait,\r\nlong hair\n"
JOINED = "a girl with a hat, a portrait, long hair"


@pytest.fixture
def project(tmp_path):
    made = Project.create(tmp_path / "project", "Test")
    for name, text in (("1", LINES), ("2", "hat, bow\n"), ("3", "smile")):
        picture(made.images / f"{name}.png", (200, 0, 0), size=(8, 8))
        write(made, name, text)
    return made


def write(project, name, text):
    (project.images / f"{name}.txt").write_bytes(text.encode("utf-8"))


def text_of(project, name):
    return (project.images / f"{name}.txt").read_bytes().decode("utf-8")


def test_a_bulk_edit_is_undone_with_its_line_breaks_and_made_again(project):
    edit_captions(project, EditSettings(add_last="outdoors"))
    assert text_of(project, "1") == f"{JOINED}, outdoors"
    for _ in range(2):
        assert undo_last(project).skipped == []
        assert (text_of(project, "1"), text_of(project, "2"), text_of(project, "3")) == (LINES, "hat, bow", "smile")
        assert redo_last(project).skipped == []
        assert text_of(project, "1") == f"{JOINED}, outdoors"


def test_mending_the_format_makes_one_line_of_several_and_is_undone(project):
    report = edit_captions(project, EditSettings(operations=(FixFormat(),)))
    assert (report.changed, report.unchanged) == (1, 2), "a line break at the end is no second line"
    assert (text_of(project, "1"), text_of(project, "2")) == (JOINED, "hat, bow\n")
    undo_last(project)
    assert text_of(project, "1") == LINES
    redo_last(project)
    assert text_of(project, "1") == JOINED
    edit_captions(project, EditSettings(operations=(FixFormat(),)))
    assert len(History.of(project).applied()) == 1, "there is nothing to mend any more"


def test_what_was_typed_and_taken_back_again_does_not_keep_the_lines_from_coming_back(project):
    for text in (f"{JOINED}, outdoors", JOINED):  # both saved by themselves
        save_caption(project, "1", text, read_caption(project.images / "1.txt").revision)
    assert text_of(project, "1") == JOINED
    report = undo_last(project)
    assert (report.restored, report.skipped, text_of(project, "1")) == (1, [], LINES)
    edit_captions(project, EditSettings(add_last="outdoors"))
    write(project, "1", LINES)
    assert undo_last(project).restored == 2 and text_of(project, "1") == LINES, "they stand there already"


def test_two_changes_are_undone_one_after_the_other(project):
    edit_captions(project, EditSettings(add_last="outdoors"))
    edit_captions(project, EditSettings(add_first="photo"))
    undo_last(project)
    assert text_of(project, "1") == f"{JOINED}, outdoors"
    assert captions_at(project, START)["1.txt"].after == LINES
    undo_last(project)
    assert text_of(project, "1") == LINES


def test_a_tagging_and_a_review_are_undone_with_the_line_breaks(project, tmp_path):
    pytest.importorskip("onnx")
    tag_images(project, TagSettings(model_dir=str(make_tagger(tmp_path / "tagger")), device="cpu"))
    assert "red theme" in text_of(project, "1")
    undo_last(project)
    assert text_of(project, "1") == LINES
    review_image(project, "1", keep=["bow"])
    assert text_of(project, "1") == f"{JOINED}, bow"
    undo_last(project)
    assert text_of(project, "1") == LINES


def test_what_a_person_writes_over_several_lines_can_be_undone_and_the_same_words_change_nothing(project):
    manager = DatasetManager(project)
    seen = manager.read_caption("1")
    same = manager.save_caption("1", seen.text, seen.revision)
    assert text_of(project, "1") == LINES and same.revision == seen.revision and History.of(project).entries() == []
    manager.save_caption("1", "a girl", seen.revision)
    assert text_of(project, "1") == "a girl"
    manager.save_caption("2", "bow", manager.read_caption("2").revision)
    assert [entry.what for entry in History.of(project).entries()] == ["Caption of 1 written over several lines"]
    manager.undo()
    assert (text_of(project, "1"), text_of(project, "2")) == (LINES, "bow")


def test_what_was_kept_over_a_text_of_several_lines_can_be_undone(project):
    manager = DatasetManager(project)
    manager.keep_caption("1", "mine", manager.read_caption("1").revision)
    assert text_of(project, "1") == "mine"
    manager.undo()
    assert text_of(project, "1") == LINES


def test_lines_that_were_noted_under_another_name_come_back(project):
    edit_captions(project, EditSettings(add_last="outdoors"))
    undo_last(project)
    rename_stems(project, [Rename("1", "x")], "Renamed")
    others = "a girl with a hat,\na portrait\nlong hair"
    write(project, "x", others)
    redo_last(project)
    assert text_of(project, "x") == f"{JOINED}, outdoors"
    undo_last(project)
    assert text_of(project, "x") == others


EDITOR = """
import sys
from pathlib import Path
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.editing import edit_captions
from core.dataset.project import Project
from tests.dying import begin
project = Project.open(Path(sys.argv[1]))
begin()
edit_captions(project, EditSettings(add_last="outdoors"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["undo", "finish"])
def test_a_kill_at_each_step_of_an_edit_leaves_lines_that_come_back(project, way):
    for step in range(1, 60):
        was_killed = killed(EDITOR, project.folder, step=step)
        for number in (1, 2, 3):
            assert read_caption(project.images / f"{number}.txt").text
        for entry in History.of(project).interrupted() if way == "finish" else ():
            finish(project, entry.id)
        if History.of(project).applied():
            assert undo_last(project).skipped == []
        assert text_of(project, "1") == LINES and text_of(project, "3") == "smile"
        if not was_killed:
            break
    assert not was_killed and step > 8


def test_a_text_that_was_just_put_in_place_is_not_taken_for_the_one_before(project):
    """A version has lines where there are none now, and none where there are some: both go back."""
    for name, text in (("a", "a\nb"), ("b", "x1")):
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text(text)
    name_version(project, VersionSettings(name="v"))
    (project.images / "a.txt").write_text("a, b")
    (project.images / "b.txt").write_text("x\ny")
    restore_version(project, "v")
    assert (project.images / "a.txt").read_text() == "a\nb"
    undo_last(project)
    assert ((project.images / "a.txt").read_text(), (project.images / "b.txt").read_text()) == ("a, b", "x\ny")
