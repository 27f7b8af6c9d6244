"""Locks where there are some, and going on where a file system has none."""

import contextlib
import errno
import fcntl
import os
import threading

import pytest

from core.base.errors import Cancelled, DiskError
from core.base.locks import locked, waited_for
from core.base.progress import SILENT, Progress
from core.base.turns import turn_on_the_machine
from core.dataset.history import held
from core.training.launch import launch_lock

WITHOUT = [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS]


def without_locks(monkeypatch, number):
    def refuse(handle, kind):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_a_lock_that_is_held_keeps_others_out_and_is_freed_at_the_end(tmp_path):
    place = tmp_path / "new" / "x.lock"
    with locked(place) as is_locked:
        assert is_locked
        with pytest.raises(BlockingIOError), locked(place, fcntl.LOCK_EX | fcntl.LOCK_NB):
            pass
    with locked(place, fcntl.LOCK_EX | fcntl.LOCK_NB):
        pass


class Told(Progress):
    def __init__(self):
        super().__init__()
        self.phases = []

    def report_start(self):
        self.phases.append(self.what)


def test_who_waits_for_a_lock_says_so_once_and_gets_it(tmp_path):
    told = Told()
    free = threading.Event()

    def hold():
        with locked(tmp_path / "x.lock"):
            held_now.set()
            free.wait()

    held_now, holder = threading.Event(), threading.Thread(target=hold)
    holder.start()
    held_now.wait()
    threading.Timer(0.5, free.set).start()
    with waited_for(tmp_path / "x.lock", told, "Waiting for another"):
        assert free.is_set()
        with pytest.raises(BlockingIOError), locked(tmp_path / "x.lock", fcntl.LOCK_SH | fcntl.LOCK_NB):
            pass
    holder.join()
    assert told.phases == ["Waiting for another"]
    with waited_for(tmp_path / "x.lock", told, "Waiting for another"):
        assert len(told.phases) == 1


def test_a_cancel_is_heard_while_one_waits_for_a_lock(tmp_path):
    told = Told()
    told.cancel()
    with locked(tmp_path / "x.lock"), pytest.raises(Cancelled), waited_for(tmp_path / "x.lock", told):
        pass


@pytest.mark.parametrize("number", WITHOUT)
def test_where_the_file_system_has_no_locks_the_work_goes_on(tmp_path, monkeypatch, number):
    without_locks(monkeypatch, number)
    with locked(tmp_path / "x.lock") as is_locked:
        assert not is_locked


def test_another_failure_of_the_disk_is_not_taken_for_a_missing_lock(tmp_path, monkeypatch):
    without_locks(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="Input/output"), locked(tmp_path / "x.lock"):
        pass


def test_a_lock_that_cannot_be_written_is_a_sentence_but_an_error_of_the_work_is_not(tmp_path):
    with pytest.raises(PermissionError), locked(tmp_path / "x.lock"):
        raise PermissionError(errno.EACCES, "Permission denied", "picture.png")
    if os.geteuid() == 0:
        return
    tmp_path.chmod(0o500)
    with pytest.raises(DiskError, match="No permission"), locked(tmp_path / "y.lock"):
        pass


@pytest.mark.parametrize("number", WITHOUT)
def test_jobs_launches_and_captions_work_on_a_file_system_without_locks(tmp_path, monkeypatch, number):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    without_locks(monkeypatch, number)
    done, notes = [], []
    progress = Progress()
    progress.note = notes.append
    with turn_on_the_machine(tmp_path, "tagging", progress):
        done.append("job")
    with launch_lock(tmp_path):
        done.append("launch")
    with held(tmp_path / "history.jsonl", fcntl.LOCK_EX | fcntl.LOCK_NB):
        done.append("captions")
    assert done == ["job", "launch", "captions"] and "has no locks" in notes[0]
    with contextlib.suppress(BlockingIOError), turn_on_the_machine(tmp_path, "tagging", SILENT):
        done.append("again")
