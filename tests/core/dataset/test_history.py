"""The history survives a kill in the middle and never undoes more than it did."""

import errno
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from core.base import files
from core.base.errors import Cancelled, DatasetError, DiskError, ModelError
from core.base.paths import ROOT
from core.dataset.captions.editing import EditPlan, apply_plan
from core.dataset.history import History, redo_last, undo_last
from core.dataset.history_file import Change, append_values
from core.dataset.renaming import RenameSettings, rename_images
from tests.core.dataset.small_things import picture


def test_half_a_line_is_passed_over(project):
    picture(project.images / "a.png")
    history = History.of(project)
    with history.entry("One") as record:
        record.change("a", "a.txt", None, "x", ["x"])
    with open(history.path, "a") as file:
        file.write('{"event": "change", "ent')
    (project.images / "a.txt").write_text("x")
    assert [entry.what for entry in history.entries()] == ["One"]
    assert undo_last(project).restored == 1 and not (project.images / "a.txt").exists()


def test_a_change_that_was_noted_and_not_made_is_undone_without_harm(project):
    (project.images / "a.txt").write_text("before")
    with History.of(project).entry("One") as record:
        record.change("a", "a.txt", "before", "after")
    assert undo_last(project).restored == 0
    assert (project.images / "a.txt").read_text() == "before"


def test_an_entry_without_changes_is_none(project):
    with History.of(project).entry("Nothing"):
        pass
    assert History.of(project).entries() == []


def test_it_knows_which_tags_a_model_wrote_last_and_forgets_what_was_undone(project):
    history = History.of(project)
    for tags in (["hat"], ["bow", "Red_Hair"]):
        with history.entry("Tagged") as record:
            record.change("a", "a.txt", None, ", ".join(tags), tags)
    assert history.authored({"a": "of now"}) == {"a": {"bow", "red hair"}}
    undo_last(project)
    assert history.authored({"a": "of now"}) == {"a": {"hat"}}


def record_tags(history: History, tags: dict[str, list[str]], sha256: str = "", made: int | None = None) -> None:
    with history.entry("Tagged") as record:
        record.changes([Change(image, f"{image}.txt", None, ", ".join(words), tuple(words), sha256) for image, words in tags.items()])
        if made is not None:
            record.made(made)


def test_the_newest_change_of_each_image_counts_wherever_it_stands(project):
    history = History.of(project)
    record_tags(history, {"a": ["hat"], "b": ["bow"], "c": ["cap"]}, "first")
    record_tags(history, {"a": ["belt"]}, "other")
    record_tags(history, {"a": ["coat"], "b": ["boots"]}, made=1)
    with history.entry("By hand") as record:
        record.change("c", "c.txt", "cap", "cape")
    assert history.authored({"a": "first", "b": "first", "c": "", "d": ""}) == {"a": {"coat"}, "b": {"bow"}, "c": {"cap"}}
    undo_last(project)
    undo_last(project)
    assert history.authored({"a": "first"}) == {"a": {"hat"}} and history.authored({"a": ""}) == {"a": {"belt"}}
    assert history.authored({"a": "third"}) == {}


def test_what_was_written_is_found_under_the_names_of_now(project):
    history = History.of(project)
    record_tags(history, {"a": ["hat"], "b": ["bow"]})
    append_values(history.path, [{"event": "renamed", "id": "1", "stems": {"a": "b", "b": "a"}}])
    append_values(history.path, [{"event": "renamed", "id": "2", "stems": {"b": "\u00e4 \"x\""}}])
    assert history.authored({"\u00e4 \"x\"": "", "a": "", "b": ""}) == {"\u00e4 \"x\"": {"hat"}, "a": {"bow"}}
    assert history.authored({"\u00e4 \"x\"": ""}) == {"\u00e4 \"x\"": {"hat"}}


def test_of_one_image_only_the_lines_that_name_it_are_read(project, monkeypatch):
    history = History.of(project)
    record_tags(history, {f"image{number}": ["hat"] for number in range(2500)})
    with history.entry("Reviewed") as record:
        record.change("image7", "image7.txt", "hat", "bow", ["bow"])
    read = []
    decode = json.JSONDecoder().decode
    monkeypatch.setattr("core.dataset.history_file.json.loads", lambda line: read.append(line) or decode(str(line, "utf-8")))
    assert history.applied() and history.authored({"image7": ""}) == {"image7": {"bow"}}
    history.authored({"image7": ""})
    read.clear()
    assert history.authored({"image7": ""}) == {"image7": {"bow"}} and len(read) == 1
    assert history.authored({"image2400": ""}) == {"image2400": {"hat"}} and len(read) == 2
    assert history.authored({"image9999": ""}) == {} and len(read) == 2


def test_a_plain_folder_has_no_history(tmp_path):
    with History(None).entry("Tagged") as record:
        record.change("a", "a.txt", None, "x", ["x"])
    assert History(None).entries() == [] and list(tmp_path.iterdir()) == []


def test_undo_is_refused_while_another_process_changes_captions_and_possible_after_its_kill(project):
    picture(project.images / "a.png")
    (project.images / "a.txt").write_text("hat")
    code = ("import sys, time; from pathlib import Path; from core.dataset.history import History; "
            "from core.dataset.project import Project\n"
            "with History.of(Project(Path(sys.argv[1]))).entry('Tagged') as record:\n"
            "    record.change('a', 'a.txt', None, 'hat'); print('ready', flush=True); time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", code, str(project.folder)], cwd=ROOT, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(DatasetError, match="being changed just now, so nothing was undone.*try again then"):
            undo_last(project)
        with pytest.raises(DatasetError, match="so nothing was made again"):
            redo_last(project)
        with pytest.raises(DatasetError, match="so nothing was renamed"):
            rename_images(project, RenameSettings(name="x"))
        assert (project.images / "a.txt").read_text() == "hat"
        other.kill()
    assert undo_last(project).restored == 1


def test_two_changes_at_once_do_not_wait_for_each_other(project):
    history = History.of(project)
    with history.entry("One") as one, history.entry("Two") as two:
        one.change("a", "a.txt", None, "x")
        two.change("b", "b.txt", None, "y")
    assert [entry.what for entry in history.entries()] == ["One", "Two"]


def test_a_change_that_begins_during_an_undo_waits_for_its_end(project):
    import fcntl

    history, entered = History.of(project), threading.Event()

    def change() -> None:
        with history.entry("Later"):
            entered.set()

    with open(project.hidden / "captions.lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        thread = threading.Thread(target=change)
        thread.start()
        time.sleep(0.3)
        assert not entered.is_set()
    thread.join(10)
    assert entered.is_set()


def test_tags_that_a_model_wrote_for_another_picture_of_the_name_do_not_count(project):
    history = History.of(project)
    for tags, sha in ((["hat"], "first"), (["bow"], "second")):
        with history.entry("Tagged") as record:
            record.change("a", "a.txt", None, ", ".join(tags), tags, sha)
    assert history.authored({"a": "first"}) == {"a": {"hat"}}
    assert history.authored({"a": "second"}) == {"a": {"bow"}}
    assert history.authored({"a": "third"}) == {}


def test_a_half_line_swallows_neither_the_next_change_nor_an_undo(project):
    history = History.of(project)
    for name, text in (("a", "one"), ("b", "two")):
        with history.entry(text) as record:
            record.change(name, f"{name}.txt", None, text)
        (project.images / f"{name}.txt").write_text(text)
        with open(history.path, "a") as file:
            file.write('{"event": "change", "ent')
    assert [entry.what for entry in history.entries()] == ["one", "two"]
    assert [undo_last(project).what for _ in range(2)] == ["two", "one"]


def full_for(monkeypatch, words):
    """The disk is full for each line of the history that holds these words."""
    write = os.write

    def full(handle, data):
        if words in data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, data)

    monkeypatch.setattr(files.os, "write", full)


def test_what_was_noted_in_part_before_the_disk_was_full_is_interrupted_and_no_choice_of_a_person(project, monkeypatch):
    picture(project.images / "p0.png")
    (project.images / "p0.txt").write_text("mine")
    changes = [Change(f"p{number}", f"p{number}.txt", "mine", "mine, hat", ("hat",)) for number in range(1500)]
    full_for(monkeypatch, b"p1400")
    with pytest.raises(DiskError):
        apply_plan(project, EditPlan("Tagged", changes, 0, []))
    monkeypatch.undo()
    history = History.of(project)
    assert [entry.count for entry in history.interrupted()] == [1000]
    assert history.authored({"p0": "", "p1": ""}).get("p0") is None


@pytest.mark.parametrize("error", [Cancelled(), ModelError("The model broke.")])
def test_an_entry_is_whole_where_it_is_known_what_was_written(project, error):
    with pytest.raises(type(error)), History.of(project).entry("Tagged") as record:
        record.changes([Change("a", "a.txt", None, "hat")])
        record.left([])
        raise error
    assert History.of(project).interrupted() == [] and len(History.of(project).applied()) == 1


def test_an_error_while_captions_are_written_leaves_an_interrupted_entry(project):
    with pytest.raises(OSError, match="drive"), History.of(project).entry("Tagged") as record:
        record.changes([Change("a", "a.txt", None, "hat")])
        raise OSError(errno.EIO, "The drive went away")
    assert [entry.what for entry in History.of(project).interrupted()] == ["Tagged"]


def test_that_the_end_cannot_be_noted_is_no_error_of_the_work(project, monkeypatch):
    picture(project.images / "a.png")
    full_for(monkeypatch, b'"event": "end"')
    report = apply_plan(project, EditPlan("Edited", [Change("a", "a.txt", None, "hat")], 0, []))
    assert report.changed == 1 and (project.images / "a.txt").read_text() == "hat"
    with pytest.raises(Cancelled), History.of(project).entry("Edited") as record:
        record.changes([Change("a", "a.txt", "hat", "cap")])
        raise Cancelled()
