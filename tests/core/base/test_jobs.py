"""Jobs are processes of their own whose state is read from files."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from core.base import jobs
from core.base.errors import DiskError
from core.base.files import read_json, write_json
from core.base.jobs import Job, JobProgress, append_event, list_jobs, read_events, start_job
from core.base.paths import ROOT
from core.base.process import ProcessMark, end_group, is_alive, mark_of, start_detached
from core.base.progress import SILENT
from core.base.turns import turn_on_the_machine
from core.dataset.project import Project

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_detached_process_lives_in_a_group_of_its_own_and_can_be_ended(tmp_path):
    mark = start_detached(SLEEPER, cwd=tmp_path)
    assert is_alive(mark) and os.getpgid(mark.pid) == mark.pid != os.getpgid(0)
    assert end_group(mark, grace=5)
    assert not is_alive(mark)


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(tmp_path):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    mark = start_detached([sys.executable, "-c", code], cwd=tmp_path, log=tmp_path / "log.txt")
    wait_for(lambda: "up" in (tmp_path / "log.txt").read_text())
    assert end_group(mark, grace=0.5)


def test_a_process_id_that_was_used_again_is_not_taken_for_the_old_process():
    own = mark_of(os.getpid())
    assert own is not None and is_alive(own)
    assert not is_alive(ProcessMark(own.pid, "another time"))


def test_half_a_line_is_left_for_the_next_reading(tmp_path):
    append_event(tmp_path, "start", what="Tagging", total=3)
    with open(tmp_path / "events.jsonl", "a") as file:
        file.write('{"event": "st')
    events, offset = read_events(tmp_path)
    assert [event["event"] for event in events] == ["start"]
    with open(tmp_path / "events.jsonl", "a") as file:
        file.write('ep", "done": 1}\n')
    assert read_events(tmp_path, offset)[0][0]["done"] == 1


def test_a_job_with_an_unknown_stage_fails_with_a_sentence(tmp_path):
    job = start_job(tmp_path, "no-such-stage", {})
    wait_for(lambda: job.status().ended)
    assert job.status().state == "failed"
    assert "No stage is called 'no-such-stage'" in job.status().message


def test_a_killed_job_reads_as_lost_also_from_another_interpreter(tmp_path):
    folder = tmp_path / "jobs" / "x"
    folder.mkdir(parents=True)
    mark = start_detached(SLEEPER, cwd=tmp_path)
    (folder / "settings.json").write_text('{"stage": "tag", "project": "", "settings": {}}')
    (folder / "process.json").write_text(json.dumps(mark.as_dict()))
    JobProgress(folder).start("Tagging", 10)
    assert Job.open(folder).status().state == "running"
    os.kill(mark.pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(mark))
    code = f"from core.base.jobs import Job; from pathlib import Path; print(Job.open(Path({str(folder)!r})).status().state)"
    seen = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "lost"


def test_two_heavy_jobs_take_turns_and_a_killed_holder_frees_the_place(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    code = ("import sys, time; from pathlib import Path\n"
            "from core.base.turns import turn_on_the_machine; from core.base.progress import SILENT\n"
            "with turn_on_the_machine(Path(sys.argv[1]), sys.argv[2], SILENT): print('holding', flush=True); time.sleep(60)")
    mark = start_detached([sys.executable, "-c", code, str(tmp_path / "first"), "the training of mika"], cwd=ROOT, log=tmp_path / "log.txt")
    wait_for(lambda: "holding" in (tmp_path / "log.txt").read_text())
    second = tmp_path / "second"
    second.mkdir()
    waited = start_detached([sys.executable, "-c", code, str(second), "tagging"], cwd=ROOT, log=tmp_path / "log2.txt")
    wait_for(lambda: any("Waiting for the training of mika to end." in event.get("message", "") for event in read_events(second)[0]))
    assert "holding" not in (tmp_path / "log2.txt").read_text()
    os.kill(mark.pid, signal.SIGKILL)
    wait_for(lambda: "holding" in (tmp_path / "log2.txt").read_text())
    end_group(waited)
    with turn_on_the_machine(second, "tagging", SILENT):
        pass


def test_a_light_job_does_not_wait_for_a_training_and_a_heavy_one_says_for_whom(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    project, pictures = Project.create(tmp_path / "cats", "cats"), tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (8, 8)).save(pictures / "a.png")
    with turn_on_the_machine(tmp_path, "the training of mika", SILENT):
        light = start_job(project.folder, "import", {"source": str(pictures)})
        heavy = start_job(project.folder, "tag", {})
        wait_for(lambda: light.status().state == "done" and heavy.status().state == "waiting", 60)
        assert "the training of mika" in heavy.status().message
        heavy.cancel()
        wait_for(lambda: heavy.status().state == "cancelled", 60)


@pytest.mark.parametrize("count", [1, 500])
def test_steps_are_written_sparingly_but_the_last_one_always(tmp_path, count):
    progress = JobProgress(tmp_path)
    progress.start("Working", count)
    for _ in range(count):
        progress.advance()
    steps = [event for event in read_events(tmp_path)[0] if event["event"] == "step"]
    assert steps[-1]["done"] == count and len(steps) <= 2 + count / 4
    assert jobs.STEPS_PER_SECOND == 10


def long_job(tmp_path, megabytes):
    """A job whose events file is as long as that of a stage with very many items."""
    folder = tmp_path / "jobs" / "x"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text('{"stage": "tag", "project": "", "settings": {}}')
    (folder / "process.json").write_text(json.dumps(mark_of(os.getpid()).as_dict()))
    line = json.dumps({"event": "step", "time": 1.0, "done": 7, "item": "a picture with a long name.png", "seconds_left": 5.0}) + "\n"
    append_event(folder, "start", what="Tagging", total=10)
    with open(folder / "events.jsonl", "a") as file:
        file.write(line * (megabytes * 2**20 // len(line)))
    return Job.open(folder)


def test_a_second_look_at_a_job_reads_only_what_is_new(tmp_path):
    job = long_job(tmp_path, 50)
    first = job.status()
    assert (first.state, first.done) == ("running", 7)
    looks = []
    for done in range(8, 13):
        append_event(job.folder, "step", done=done)
        began = time.perf_counter()
        assert job.status().done == done
        looks.append(time.perf_counter() - began)
    assert min(looks) < 0.005


def test_an_events_file_that_shrank_or_was_replaced_is_read_anew(tmp_path):
    job = long_job(tmp_path, 1)
    assert job.status().done == 7
    events = job.folder / "events.jsonl"
    events.write_text('{"event": "start", "what": "Again", "total": 3}\n')
    assert (job.status().what, job.status().done) == ("Again", 0)
    other = job.folder / "other"
    other.write_text('{"event": "start", "what": "Another", "total": 3}\n{"event": "step", "done": 2, "item": "' + "x" * 500 + '"}\n')
    os.replace(other, events)
    assert (job.status().what, job.status().done) == ("Another", 2)


def test_a_line_that_is_no_object_is_passed_over(tmp_path):
    (tmp_path / "events.jsonl").write_text('7\n{"event": "start"}\nnull\n')
    assert [event["event"] for event in read_events(tmp_path)[0]] == ["start"]


def test_a_long_log_is_read_from_its_end(tmp_path):
    job = long_job(tmp_path, 1)
    (job.folder / "log.txt").write_text("".join(f"line {number}\n" for number in range(2_000_000)))
    began = time.perf_counter()
    assert job.log_tail(3).splitlines() == ["line 1999997", "line 1999998", "line 1999999"]
    assert time.perf_counter() - began < 0.05


READ_ONLY = next(place for place in (Path("/sys"), Path("/System")) if place.is_dir())
"""A folder in which nobody can make another one, not even root: of Linux' kernel, of a Mac's system."""


def test_a_job_on_a_full_disk_fails_with_a_sentence(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)  # where a network's disk tells of it; a full disk of one's own is not to be had in a test
    with pytest.raises(DiskError, match="No space left to write .*settings.json"):
        start_job(tmp_path, "tag", {})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [] and list_jobs(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
def test_the_progress_of_a_job_on_a_full_disk_fails_with_a_sentence(tmp_path):
    (tmp_path / "events.jsonl").symlink_to("/dev/full")
    with pytest.raises(DiskError, match="No space left to write .*events.jsonl"):
        JobProgress(tmp_path).start("Tagging", 3)


def test_a_job_in_a_read_only_folder_fails_with_a_sentence():
    with pytest.raises(DiskError, match=f"No permission to write {READ_ONLY / 'lorabook'}"):
        start_job(READ_ONLY / "lorabook", "tag", {})


def test_the_place_on_the_machine_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(READ_ONLY / "lorabook"))
    with pytest.raises(DiskError, match="No permission to write .*machine.lock"), turn_on_the_machine(tmp_path, "tagging", SILENT):
        pass


def test_an_error_of_the_work_itself_is_not_taken_for_one_of_the_place(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    with pytest.raises(PermissionError), turn_on_the_machine(tmp_path, "tagging", SILENT):
        raise PermissionError(13, "Permission denied", "picture.png")


def test_a_job_that_is_cancelled_in_its_first_moment_reads_as_cancelled(tmp_path, monkeypatch):
    """While it still loads, SIGTERM ends it before it can say a word."""
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    job = start_job(tmp_path, "no-such-stage", {})
    assert job.cancel(grace=20)
    assert (job.status().state, job.status().message) == ("cancelled", "Cancelled. What was finished before is kept.")


def test_a_job_that_is_cancelled_before_its_process_is_noted_does_not_begin(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    folder = tmp_path / "jobs" / "x"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text('{"stage": "no-such-stage", "project": "", "settings": {}}')
    assert not Job.open(folder).cancel()
    ran = subprocess.run([sys.executable, "-m", "core.job", str(folder)], cwd=ROOT, check=False)
    assert ran.returncode == 2 and Job.open(folder).status().state == "cancelled"


def test_a_job_that_vanished_before_it_was_cancelled_stays_lost(tmp_path):
    job = long_job(tmp_path, 0)
    (job.folder / "process.json").write_text('{"pid": 1, "started": "never"}')
    assert job.cancel() and job.status().state == "lost"


def test_a_report_is_read_once_and_another_one_anew(tmp_path, monkeypatch):
    folder = tmp_path / "20260101-000000-count"
    folder.mkdir()
    write_json(folder / "settings.json", {"stage": "count", "settings": {}})
    job, reads = Job.open(folder), []
    assert job.status().report == {}
    monkeypatch.setattr(jobs, "read_json", lambda path: reads.append(path.name) or read_json(path))
    write_json(folder / "report.json", {"counted": 3})
    assert [job.status().report for _ in range(3)] == [{"counted": 3}] * 3 and reads.count("report.json") == 1
    write_json(folder / "report.json", {"counted": 4})
    assert job.status().report == {"counted": 4}
    (folder / "report.json").unlink()
    assert job.status().report == {}
