"""A trainer's processes are ended and paused with it, also those in sessions of their own, as torch's launcher starts them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.base.files import write_json
from core.base.process import is_alive, mark_of, marked_processes
from core.dataset.project import Project
from core.training.config import TrainingSettings
from core.training.launch import start_supervisor
from core.training.measuring.measured import place_of_measuring
from core.training.measuring.stage import _clear
from core.training.run import Run
from core.training.watching.company import MARK, mark_for, signal_company
from tests.core.training.fakes import make_run, wait_for, wait_for_end

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found by /proc")

LAUNCHER = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True)
pathlib.Path("child").write_text(str(child.pid))
print("loading the model", flush=True)
{rest}
"""


@pytest.fixture(autouse=True)
def own_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))


def launch(tmp_path, rest):
    """A run whose trainer starts a process in a session of its own. Returns: the run, and the mark of that process."""
    run = make_run(tmp_path)
    argv = [sys.executable, "-c", LAUNCHER.format(rest=rest)]
    write_json(run.folder / "command.json", {"argv": argv, "cwd": str(run.folder), "env": {}})
    run.note("launch", attempt=1, backend=run.backend, resumed_from=0)
    start_supervisor(run, 1)
    wait_for(lambda: (run.folder / "child").exists() and (run.folder / "child").read_text())
    return run, mark_of(int((run.folder / "child").read_text()))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["forced", "killed from outside", "by itself"])
def test_nothing_of_a_trainer_is_left_behind(tmp_path, how):
    run, child = launch(tmp_path, "time.sleep(1)" if how == "by itself" else "time.sleep(120)")
    assert is_alive(child)
    if how == "forced":
        run.stop(force=True)
    elif how == "killed from outside":
        os.kill(run.trainer_mark().pid, signal.SIGKILL)
    assert wait_for_end(run) == ("cancelled" if how == "forced" else "failed")
    wait_for(lambda: not is_alive(child))


@pytest.mark.slow
def test_without_its_supervisor_a_forced_stop_ends_them_too(tmp_path):
    run, child = launch(tmp_path, "time.sleep(120)")
    os.kill(run.supervisor_mark().pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(run.supervisor_mark()))
    run.stop(force=True)
    wait_for(lambda: not is_alive(child))


@pytest.mark.parametrize("leader", ["lives", "has ended", "is not known"])
def test_the_next_short_run_ends_every_process_that_outlived_the_job_of_the_last(tmp_path, leader):
    project = Project.create(tmp_path / "p", "p")
    run = Run.create(place_of_measuring(project), TrainingSettings(), "builtin")
    wait, other = [sys.executable, "-c", "import time; time.sleep(60)"], {MARK: "/another/run"}
    made = [subprocess.Popen(wait, env={**os.environ, **env}, start_new_session=True) for env in (mark_for(run), mark_for(run), other)]
    try:
        wait_for(lambda: {one.pid for one in made[:2]} <= set(marked_processes(MARK, mark_for(run)[MARK])))  # it has a mark once it began
        if leader != "is not known":
            write_json(run.folder / "trainer.json", {"attempt": 1, "mark": mark_of(made[0].pid).as_dict()})
        if leader == "has ended":
            made[0].kill()
            made[0].wait()
        _clear(place_of_measuring(project))
        wait_for(lambda: all(one.poll() is not None for one in made[:2]))
        assert made[2].poll() is None
    finally:
        for one in made:
            one.kill()
            one.wait()


def test_a_pause_reaches_all_and_nobody_else(tmp_path):
    run, other = make_run(tmp_path), {MARK: "/another/run"}
    wait = [sys.executable, "-c", "import time; time.sleep(60)"]
    made = [subprocess.Popen(wait, env={**os.environ, **env}, start_new_session=True) for env in (mark_for(run), mark_for(run), other)]

    def states():
        return [Path(f"/proc/{one.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T" for one in made]

    try:
        assert signal_company(run, made[0].pid, signal.SIGSTOP)
        wait_for(lambda: states() == [True, True, False])
        signal_company(run, made[0].pid, signal.SIGCONT)
        wait_for(lambda: states() == [False, False, False])
    finally:
        for one in made:
            one.kill()
            one.wait()
    assert not signal_company(run, made[0].pid, signal.SIGCONT)
