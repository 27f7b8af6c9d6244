"""The queue, the two ways to stop and what watches over the runs, in the Train panel."""

import asyncio
import os
import signal

import pytest

from core.base.jobs import append_event
from core.dataset.project import Project
from core.training import queue
from core.training.guards import GuardSettings, keep_guards, read_guards
from core.training.run import Run
from tests.core.training.fakes import start, start_epochs, wait_for, wait_for_end
from widgets.training.choice import read_settings
from widgets.training.launch import ENQUEUE, START, TrainPanel
from widgets.training.monitor import MonitorPanel

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(session):
    """Two runs of the project on sd-scripts: one works, the other waits."""
    first, second = (Run.create(session.folder, read_settings(session), "sd-scripts") for _ in range(2))
    start_epochs(first, "--delay", 0.2, "--per_epoch", 500)
    wait_for(lambda: "steps:" in "".join(first.log_tail()))
    start(second, "good")
    wait_for(lambda: "waiting" in (second.folder / "events.jsonl").read_text())
    yield first, second
    for run in (second, first):
        run.stop(force=True)
    for run in (second, first):
        wait_for_end(run)


def button(panel, words):
    return next(found for found, _, _ in panel._actions if found.description == words)


def lines(panel):
    return [label for label, _ in panel.queue.list.options]


def test_the_queue_is_shown_only_while_somebody_waits(session, runs):
    first, second = runs
    panel = TrainPanel(session)
    assert lines(panel) == [f"{first.id} in the project Small: is trained now", f"1. {second.id} in the project Small: waits"]
    assert panel.queue.view.layout.display == "" and panel.queue.list.value == str(second.folder)
    assert panel.main.description == ENQUEUE
    panel.queue.out.click()
    assert wait_for_end(second) == "cancelled"
    panel.refresh()
    assert panel.queue.view.layout.display == "none" and panel.main.description == ENQUEUE
    first.stop(force=True)
    wait_for_end(first)
    panel.refresh()
    assert panel.main.description == START


def test_the_button_speaks_of_the_queue_only_while_a_run_holds_it_up_also_one_of_another_project(session, projects):
    other = Project.create(projects / "other", "Other")
    run = Run.create(other.folder, read_settings(session), "sd-scripts")
    start_epochs(run, "--delay", 0.2, "--per_epoch", 500)
    wait_for(run.has_begun)

    async def kernel():
        panel = TrainPanel(session)
        before = panel.main.description
        await asyncio.to_thread(run.stop, force=True)
        await asyncio.to_thread(wait_for_end, run)
        for _ in range(60):
            if panel.main.description == START:
                break
            await asyncio.sleep(0.1)
        after = before, panel.main.description  # nobody refreshed it
        panel.close()
        return after

    assert asyncio.run(kernel()) == (ENQUEUE, START)


def test_a_run_is_held_released_and_the_buttons_say_why_they_cannot(session, runs):
    first, _ = runs
    panel = TrainPanel(session)
    assert panel.queue.earlier.disabled and panel.queue.earlier.tooltip == "It is first."
    assert panel.queue.later.disabled and panel.queue.later.tooltip == "It is last."
    panel.queue.hold.click()
    assert queue.list_queue()[1].state == "held" and panel.queue.hold.description == "Release"
    panel.queue.hold.click()
    assert queue.list_queue()[1].state == "waiting" and panel.queue.hold.description == "Hold"
    panel.queue.list.value = str(first.folder)
    assert panel.queue.hold.disabled and "It is trained now." in panel.queue.hold.tooltip


def test_a_button_is_not_off_for_a_moment_while_the_list_is_drawn_anew(session, runs):
    panel, off = TrainPanel(session), []
    panel.queue.hold.observe(lambda change: off.append(change["new"]), "disabled")
    session.training.hold(runs[1])
    panel.refresh()
    assert lines(panel)[1].endswith("held") and panel.queue.hold.description == "Release"
    assert off == []  # else a press of just then would be lost


def test_an_interrupted_run_is_offered_to_be_started_again(session, run_of_yesterday):
    panel = TrainPanel(session)
    assert lines(panel) == [f"1. {run_of_yesterday.id} in the project Small: interrupted"]
    assert panel.queue.wake.layout.display == "" and not panel.queue.wake.disabled
    assert panel.main.description == START  # it holds nobody up


@pytest.fixture
def run_of_yesterday(session):
    """It waited when the machine was switched off."""
    run = Run.create(session.folder, read_settings(session), "sd-scripts")
    (run.folder / "supervisor.json").write_text('{"attempt": 1, "host": "", "mark": {"pid": 1, "started": "never"}}', encoding="utf-8")
    queue.join(run)
    return run


def test_stop_after_this_epoch_says_what_will_happen_and_stop_now_stays_possible(session, runs):
    panel = TrainPanel(session)
    later, now = button(panel, "Stop after this epoch"), button(panel, "Stop now")
    assert not later.disabled and "sd-scripts cannot be told to stop: it is ended as soon as the present epoch is over" in later.tooltip
    later.click()
    panel._look()
    assert "ends after this epoch. sd-scripts cannot be told to stop" in panel.status.text
    assert later.disabled and not now.disabled


def test_where_no_epochs_are_saved_it_is_said_why_it_cannot_be_stopped_there(session):
    settings = read_settings(session).with_values(saving={"save_every_n_epochs": None})
    run = Run.create(session.folder, settings, "sd-scripts")
    start_epochs(run, "--delay", 0.2, "--per_epoch", 500)
    wait_for(run.has_begun)
    panel = TrainPanel(session)
    later = button(panel, "Stop after this epoch")
    assert later.disabled and "This run saves no epochs" in later.tooltip
    run.stop(force=True)
    wait_for_end(run)


def test_what_watches_over_the_runs_is_kept_at_once_also_for_the_one_at_work(session, runs):
    panel = TrainPanel(session)
    panel.guards.fold.button.value = True
    panel.guards.form.control("memory_retries").widget.value = 7
    assert panel.status.text == "Done: saved." or read_guards(session.folder).memory_retries == 7
    assert read_guards(runs[0].folder).memory_retries == 7
    keep_guards(GuardSettings(memory_retries=2), session.folder)
    panel.refresh()
    assert panel.guards.form.control("memory_retries").widget.value == 2


def test_what_was_changed_on_the_way_and_a_pause_are_shown(session):
    run = Run.create(session.folder, read_settings(session), "sd-scripts")
    start_epochs(run, "--delay", 0.2, "--per_epoch", 500)
    wait_for(run.has_begun)
    append_event(run.folder, "retry", attempt=1, message="The GPU ran out of memory. Tried again with less.", from_step=4)
    append_event(run.folder, "paused", message="Paused before a save: 5 MiB are free on the disk.")
    train, monitor = TrainPanel(session), MonitorPanel(session)
    train._look()
    assert "Paused before a save: 5 MiB are free on the disk." in train.status.text and "Tried again with less." in train.log.text
    assert "Changed on the way" in monitor._facts.value and "5 MiB are free" in monitor.status.text
    run.stop(force=True)
    wait_for_end(run)


def test_a_run_that_failed_before_is_told_calmly_and_one_that_fails_here_is_not(session):
    run = Run.create(session.folder, read_settings(session), "sd-scripts")
    start_epochs(run, "--delay", 0.2, "--per_epoch", 500)
    wait_for(run.has_begun)
    here = TrainPanel(session)
    here._look()
    monitor = MonitorPanel(session)
    os.kill(run.trainer_mark().pid, signal.SIGKILL)
    assert wait_for_end(run) in ("failed", "lost")
    here._look()
    monitor.refresh()
    assert here.status.state == monitor.status.state == "attention"
    for again in (TrainPanel(session), MonitorPanel(session)):
        again._look() if isinstance(again, TrainPanel) else None  # outside a kernel nothing looks by itself
        assert again.status.state == "ready" and again.status.text.startswith("Ready. This run ended today at ")
        again.refresh()
        assert again.status.text.startswith("Ready. This run ended today at ")


def test_without_a_project_nothing_of_it_is_shown(tmp_path):
    from widgets.session import Session

    panel = TrainPanel(Session())
    assert panel.guards.view.layout.display == "none" and panel.queue.view.layout.display == "none"
