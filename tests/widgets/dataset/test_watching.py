"""A folder is looked at anew when its own time changed, and as long as that time is too fresh to tell."""

import os
import time

from widgets.dataset.watching import FolderWatch


def at(folder, seconds_ago: float) -> None:
    then = time.time() - seconds_ago
    os.utime(folder, (then, then))


def test_it_is_looked_at_once_and_again_when_something_came(tmp_path):
    watch = FolderWatch()
    at(tmp_path, 100)
    assert [watch.changed(tmp_path), watch.changed(tmp_path)] == [True, False]
    (tmp_path / "a.png").touch()
    assert watch.changed(tmp_path)


def test_right_after_a_change_another_one_could_hide_behind_the_same_time(tmp_path):
    watch = FolderWatch()
    assert [watch.changed(tmp_path), watch.changed(tmp_path)] == [True, True]
    at(tmp_path, 3)
    assert [watch.changed(tmp_path), watch.changed(tmp_path)] == [True, False]


def test_another_folder_and_one_that_is_gone_are_looked_at(tmp_path):
    watch, other = FolderWatch(), tmp_path / "other"
    other.mkdir()
    for folder in (tmp_path, other):
        at(folder, 100)
    assert watch.changed(tmp_path) and watch.changed(other) and watch.changed(tmp_path)
    assert watch.changed(tmp_path / "gone") and watch.changed(tmp_path)
