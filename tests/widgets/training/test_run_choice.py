"""Which run the panels look at."""

import json
import os

import pytest

from core.base.process import mark_of
from core.training.run import Run, note_supervisor
from widgets.session import Session
from widgets.training.choice import read_settings
from widgets.training.monitor import MonitorPanel
from widgets.training.run_choice import RunPicker


@pytest.fixture
def make(session):
    """Makes runs, one after another; `time` puts them in order."""
    def made(created: float) -> Run:
        run = Run.create(session.folder, read_settings(session), "builtin")
        info = run.info | {"created": created}
        (run.folder / "run.json").write_text(json.dumps(info))
        return run
    return made


def queue(run: Run) -> None:
    note_supervisor(run, 1, mark_of(os.getpid()))


def begin(run: Run) -> None:
    (run.folder / "trainer.json").write_text(json.dumps({"attempt": 1, "mark": mark_of(os.getpid()).as_dict()}))


def end(run: Run, state: str) -> None:
    run.note("end", attempt=1, state=state)


def test_the_run_that_is_trained_is_followed_until_the_person_chooses_another(session, make):
    picker = RunPicker(session)
    picker.look()
    assert picker.chosen == "" and picker.list.options == (("no run yet", ""),)
    first = make(1.0)
    queue(first)
    begin(first)
    second = make(2.0)
    queue(second)
    picker.look()
    assert picker.chosen == first.id  # the other one waits
    assert [words for words, _ in picker.list.options] == [f"{second.id} (waiting)", f"{first.id} (training)"]
    end(first, "done")
    begin(second)
    picker.look()
    assert picker.chosen == second.id
    assert [words for words, _ in picker.list.options] == [f"{second.id} (training)", f"{first.id} (finished)"]
    picker.list.value = first.id
    third = make(3.0)
    end(second, "failed")
    queue(third)
    begin(third)
    picker.look()
    assert picker.chosen == first.id  # chosen by hand
    picker.list.value = third.id
    fourth = make(4.0)
    end(third, "cancelled")
    queue(fourth)
    picker.look()
    assert picker.chosen == fourth.id  # the present one was chosen: it is followed again


def test_one_choice_holds_for_every_panel_of_the_project(session, make, tmp_path):
    runs = [make(1.0), make(2.0)]
    monitor, report = RunPicker(session), RunPicker(session)
    session.subscribe(monitor.look)
    session.subscribe(report.look)
    session.tell()
    assert monitor.chosen == report.chosen == runs[1].id
    monitor.list.value = runs[0].id
    assert report.chosen == runs[0].id
    runs[0].folder.rename(tmp_path / "gone")
    report.look()
    assert report.chosen == runs[1].id
    other = Session()
    other.open(session.folder)
    session.open(session.folder)
    assert session.chosen_run == other.chosen_run == ""


def test_the_monitor_goes_on_with_the_run_that_waited_without_a_press(session, make):
    first = make(1.0)
    queue(first)
    begin(first)
    second = make(2.0)
    queue(second)
    panel = MonitorPanel(session)
    assert panel.picker.chosen == first.id and panel._watching
    end(first, "done")
    assert panel._keep_looking()  # the other one waits still, and will be followed
    begin(second)
    assert panel._keep_looking() and panel.picker.chosen == second.id
    assert [words for words, _ in panel.picker.list.options] == [f"{second.id} (training)", f"{first.id} (finished)"]
    end(second, "done")
    assert not panel._keep_looking()
