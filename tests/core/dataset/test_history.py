"""The history survives a kill in the middle and never undoes more than it did."""

import subprocess
import sys
import threading
import time

import pytest

from core.base.errors import DatasetError
from core.base.paths import ROOT
from core.dataset.history import History, undo_last


def test_half_a_line_is_passed_over(project):
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


def test_a_plain_folder_has_no_history(tmp_path):
    with History(None).entry("Tagged") as record:
        record.change("a", "a.txt", None, "x", ["x"])
    assert History(None).entries() == [] and list(tmp_path.iterdir()) == []


def test_undo_is_refused_while_another_process_changes_captions_and_possible_after_its_kill(project):
    (project.images / "a.txt").write_text("hat")
    code = ("import sys, time; from pathlib import Path; from core.dataset.history import History; "
            "from core.dataset.project import Project\n"
            "with History.of(Project(Path(sys.argv[1]))).entry('Tagged') as record:\n"
            "    record.change('a', 'a.txt', None, 'hat'); print('ready', flush=True); time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", code, str(project.folder)], cwd=ROOT, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(DatasetError, match="being changed just now"):
            undo_last(project)
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
