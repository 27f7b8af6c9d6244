"""The queue of runs: one order for all projects and kernels of a machine, which the waiting supervisors keep to."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from core.base.errors import TrainingError
from core.base.paths import ROOT
from core.base.process import is_alive
from core.cli import main
from core.training import launch, queue
from core.training.monitor import read_status
from core.training.run import Run
from tests.core.training.fakes import make_run, start, wait_for, wait_for_end


@pytest.fixture(autouse=True)
def own_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))


@pytest.fixture
def at_work(tmp_path):
    """A run that holds the machine until the test ends it."""
    run = start(make_run(tmp_path / "first"), "slow", "--delay", 0.1, "--steps", 5000)
    wait_for(run.trainer_mark)
    yield run
    run.stop(force=True)
    wait_for_end(run)


def waiting(tmp_path, *names, mode="good"):
    """Runs of other projects that wait, in this order."""
    found = []
    for name in names:
        run = start(make_run(tmp_path / name), mode)
        wait_for(lambda made=run: "waiting" in (made.folder / "events.jsonl").read_text())
        found.append(run)
    return found


def shown():
    return [(queued.run.project_folder.parent.name, queued.state, queued.place) for queued in queue.list_queue()]


def begun_at(run):
    return next(json.loads(line)["time"] for line in (run.folder / "events.jsonl").read_text().splitlines() if '"trainer"' in line)


def end_all(*runs):
    for run in runs:
        run.stop(force=True)
    for run in runs:
        wait_for_end(run)


def test_the_queue_shows_who_works_and_who_waits_in_which_place(tmp_path, at_work):
    runs = waiting(tmp_path, "a", "b")
    assert shown() == [("first", "working", 0), ("a", "waiting", 1), ("b", "waiting", 2)]
    assert queue.list_queue()[1].project == "cats"
    assert read_status(runs[0]).phase == "Waiting for its turn" and "Waiting for the training of mochi" in read_status(runs[0]).message
    assert read_status(runs[1]).message == "Place 2 in the queue of this machine. It begins by itself."
    end_all(*runs)
    assert shown() == [("first", "working", 0)]


@pytest.mark.slow
def test_runs_begin_in_the_order_of_the_queue_and_a_moved_one_earlier(tmp_path, at_work):
    a, b, c = waiting(tmp_path, "a", "b", "c")
    queue.move(c, 1)
    assert [name for name, _, _ in shown()] == ["first", "c", "a", "b"]
    queue.move(c, 2)
    queue.move(b, 99)
    assert [name for name, _, _ in shown()] == ["first", "a", "c", "b"]
    at_work.stop(force=True)
    for run in (a, b, c):
        assert wait_for_end(run) == "done"
    assert begun_at(a) < begun_at(c) < begun_at(b)


@pytest.mark.slow
def test_a_held_run_lets_others_pass_and_begins_when_it_is_released(tmp_path, at_work):
    a, b = waiting(tmp_path, "a", "b")
    queue.set_hold(a, True)
    wait_for(lambda: read_status(a).phase == "Held in the queue")
    at_work.stop(force=True)
    assert wait_for_end(b) == "done"
    assert a.state() == "running" and not a.has_begun() and shown() == [("a", "held", 1)]
    queue.set_hold(a, False)
    assert wait_for_end(a) == "done"


def test_a_waiting_run_is_taken_out_and_can_be_launched_later(tmp_path, at_work):
    (a,) = waiting(tmp_path, "a")
    queue.take_out(a)
    assert wait_for_end(a) == "cancelled" and shown() == [("first", "working", 0)]
    assert launch.resume_point(a) is None  # it begins at step 0
    with pytest.raises(TrainingError, match="works already"):
        queue.take_out(at_work)
    with pytest.raises(TrainingError, match="is cancelled, not in the queue"):
        queue.move(a, 1)


@pytest.mark.slow
def test_a_killed_supervisor_holds_nobody_up_and_its_run_can_be_waked(tmp_path, at_work, monkeypatch):
    a, b = waiting(tmp_path, "a", "b")
    os.kill(a.supervisor_mark().pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(a.supervisor_mark()))
    assert shown() == [("first", "working", 0), ("a", "gone", 1), ("b", "waiting", 2)]
    at_work.stop(force=True)
    assert wait_for_end(b) == "done"
    assert shown() == [("a", "gone", 1)]
    monkeypatch.setattr(launch, "plain_command", lambda run: json.loads((run.folder / "command.json").read_text()))
    assert launch.wake_queue() == [Run(a.folder.resolve())]
    assert wait_for_end(a) == "done" and shown() == []


def test_many_processes_that_join_at_once_lose_none(tmp_path):
    runs = [make_run(tmp_path / f"p{number}") for number in range(4)]
    code = ("import sys; from pathlib import Path; from core.training import queue; from core.training.run import Run\n"
            "for _ in range(20): queue.join(Run(Path(sys.argv[1])))")
    processes = [subprocess.Popen([sys.executable, "-c", code, str(run.folder)], cwd=ROOT) for run in runs]
    stop = threading.Event()
    torn = []

    def look():
        while not stop.is_set():
            try:
                json.loads(queue.queue_file().read_text())
            except FileNotFoundError:
                pass
            except ValueError as error:
                torn.append(error)
            time.sleep(0.001)

    thread = threading.Thread(target=look)
    thread.start()
    assert [process.wait(60) for process in processes] == [0] * 4
    stop.set()
    thread.join()
    entries = json.loads(queue.queue_file().read_text())
    assert sorted(entry["run"] for entry in entries) == sorted(str(run.folder.resolve()) for run in runs) and torn == []


def test_a_damaged_file_counts_as_empty_and_a_run_whose_folder_is_gone_is_forgotten(tmp_path):
    queue.queue_file().write_text("[{", encoding="utf-8")
    run = make_run(tmp_path / "a")
    queue.join(run)
    shutil.rmtree(run.folder)
    other = make_run(tmp_path / "b")
    queue.join(other)
    assert [entry["run"] for entry in json.loads(queue.queue_file().read_text())] == [str(other.folder.resolve())]


@pytest.mark.slow
def test_the_command_line_shows_and_changes_the_queue(tmp_path, at_work, capsys):
    a, b = waiting(tmp_path, "a", "b")
    assert main(["queue"]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[0] == f"-  working  {at_work.id} in the project cats" and told.count("waiting") == 2
    assert main(["queue", "--move", str(b.folder), "1", "--json"]) == 0
    assert [line["place"] for line in json.loads(capsys.readouterr().out)["queue"]] == [0, 1, 2] and shown()[1][0] == "b"
    assert main(["queue", "--hold", str(b.folder)]) == 0 and shown()[1][1] == "held"
    assert main(["queue", "--release", str(b.folder)]) == 0 and shown()[1][1] == "waiting"
    assert main(["queue", "--move", "nobody", "1"]) == 1 and "is not in the queue" in capsys.readouterr().err
    assert main(["queue", "--take-out", str(b.folder)]) == 0
    assert wait_for_end(b) == "cancelled"
    end_all(a)
