"""A stage that fails in a job or on the command line is told by its cause."""

import errno
import json
import os
import signal

import pytest

from core import cli
from core.base.jobs import Job
from core.base.settings import Settings
from core.job import run_job
from core.stages import STAGES, Stage


class Hungry(Settings):
    """A stage without settings."""


class Desk:
    """A manager whose stages fail."""

    @classmethod
    def open(cls, project):
        return cls()

    def eat(self, settings, progress):
        return bytearray(1 << 60)

    def stumble(self, settings, progress):
        raise ValueError("nobody expected this")


@pytest.fixture
def stage(monkeypatch, tmp_path):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the handlers of this process stay its own

    def add(method):
        monkeypatch.setitem(STAGES, method, Stage(method, "Test", f"{__name__}:Hungry", f"{__name__}:Desk", method, heavy=False))
        return method

    return add


def job_of(folder, stage):
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps({"stage": stage, "project": str(folder), "settings": {}}))
    return folder


def test_a_job_that_runs_out_of_memory_says_so(stage, tmp_path):
    folder = job_of(tmp_path / "job", stage("eat"))
    assert run_job(folder) == 1
    status = Job.open(folder).status()
    assert status.state == "failed" and "memory (not the GPU's) was not enough. Close other programs" in status.message


def test_a_job_that_stumbles_over_a_bug_says_where_its_story_is(stage, tmp_path, capsys):
    folder = job_of(tmp_path / "job", stage("stumble"))
    assert run_job(folder) == 1
    message = Job.open(folder).status().message
    assert message == f"This is a bug in Lorabook (ValueError: nobody expected this). The whole story is in {folder / 'log.txt'}."
    assert "Traceback" in capsys.readouterr().err


def test_the_command_line_says_that_memory_ran_out(stage, tmp_path, capsys):
    assert cli.main([stage("eat"), str(tmp_path), "--json"]) == 1
    written = capsys.readouterr()
    assert "was not enough" in json.loads(written.out)["error"] and "Traceback" not in written.err


def test_the_command_line_keeps_the_traceback_of_a_bug(stage, tmp_path):
    with pytest.raises(ValueError, match="nobody"):
        cli.main([stage("stumble"), str(tmp_path)])


def test_a_job_leaves_its_last_word_on_a_disk_that_became_full(stage, tmp_path, monkeypatch):
    folder = job_of(tmp_path / "job", stage("eat"))
    taken = folder / "process.json"
    taken.write_text("{}")

    def while_full(call):
        def full_until_a_block_is_freed(*arguments):
            if taken.exists():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*arguments)
        return full_until_a_block_is_freed

    # A disk of which every block is taken, the last one by the process mark: no file grows (write) and none is kept (fsync).
    monkeypatch.setattr(os, "write", while_full(os.write))
    monkeypatch.setattr(os, "fsync", while_full(os.fsync))
    assert run_job(folder) == 1
    assert not taken.exists()
    assert Job.open(folder).status().state == "failed"
    assert "No space left" in Job.open(folder).status().message
