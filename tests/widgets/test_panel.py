"""The frame of all panels: status words, errors as sentences, jobs that are taken up again, buttons that say why not."""

import asyncio
import errno
import os
import threading
import time
from datetime import datetime

import ipywidgets as ipw
import pytest

from core.base.errors import ConfigError, DiskError
from core.base.files import write_json
from core.base.findings import Finding
from core.base.jobs import Job, append_event
from core.base.process import mark_of
from core.dataset.project import Project, folder_for
from widgets import panel as panel_module
from widgets.panel import Panel, Work
from widgets.pieces import findings_list, let_go, row, table
from widgets.session import Session


class CountingPanel(Panel):
    name = "counting"
    title = "Count"
    purpose = "Counts."
    button = "Count"
    stage = "count"
    answer: object = "counted."

    def run(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def make_job(project, state="running", number=1) -> Job:
    folder = project.jobs / f"2026010{number}-000000-count"
    folder.mkdir(parents=True)
    write_json(folder / "settings.json", {"stage": "count", "project": str(project.folder), "settings": {}})
    write_json(folder / "process.json", mark_of(os.getpid()).as_dict())
    append_event(folder, "start", what="Counting", total=40)
    append_event(folder, "step", done=3, seconds_left=150.0)
    if state != "running":
        append_event(folder, state, message=f"{state} it is.")
    return Job(folder)


def press(panel: Panel, answer: object) -> str:
    panel.answer = answer
    panel.main.click()
    return panel.status.text


def test_without_a_project_the_button_is_disabled_and_says_why():
    panel = CountingPanel(Session(), 3)
    assert panel.main.disabled
    assert "No project is open yet" in panel.main.tooltip
    assert panel.status.text == "Ready as soon as a project is open: open one in the Project panel."


def test_opening_a_project_makes_every_panel_ready(project):
    session = Session()
    panel = CountingPanel(session)
    session.open(project.folder)
    assert (panel.main.disabled, panel.status.text) == (False, "Ready")


def test_what_run_returns_becomes_the_words_of_the_status_line(session):
    panel = CountingPanel(session)
    assert press(panel, "counted.") == "Done: counted."
    assert press(panel, Work("counting", lambda: 4, lambda found: f"{found} found.")) == "Done: 4 found."


def test_what_was_worked_out_for_a_project_that_is_not_open_any_more_is_not_shown(project, projects, session):
    other, shown = Project.create(folder_for("Other"), "Other"), []
    panel = CountingPanel(session)
    assert press(panel, Work("counting", lambda: session.open(other.folder), shown.append)) == "Ready"
    assert shown == [] and not panel.main.disabled


@pytest.mark.parametrize(("levels", "state", "words"), [((), "done", "Done: looked at."), (("info",), "done", "Done: looked at."),
                                                        (("info", "warning"), "blocked", "Done: looked at."),
                                                        (("warning", "error"), "attention", "Needs attention: looked at.")])
def test_a_check_is_told_in_the_colour_of_the_worst_that_it_found(session, levels, state, words):
    panel = CountingPanel(session)
    assert press(panel, Work("looking", lambda: [Finding(level, "x") for level in levels], lambda found: "looked at.")) == words
    assert panel.status.state == state
    panel.refresh()
    assert (panel.status.state, panel.status.text) == (state, words)


def test_a_studio_error_becomes_its_sentence_and_leaves_no_traceback(session):
    panel = CountingPanel(session)
    assert press(panel, ConfigError("The rate is 5.", "Lower it.")) == "Needs attention: The rate is 5. Lower it."
    assert panel.log.text == ""
    assert press(panel, Work("counting", lambda: 1 / 0, str)).startswith("Needs attention: This is a bug in Lorabook")


def test_what_was_found_of_the_machine_is_still_told_when_a_project_is_opened(project):
    class Machine(CountingPanel):
        needs_project = False

    session = Session()
    panel, other = Machine(session), CountingPanel(session)
    press(panel, "this machine is ready.")
    session.open(project.folder)
    assert (panel.status.text, other.status.text) == ("Done: this machine is ready.", "Ready")


def test_what_was_told_stands_until_something_else_is_missing(session):
    missing = ["Nothing is there."]

    class NeedingPanel(CountingPanel):
        def blocked(self):
            return missing[0]

    panel = NeedingPanel(session)
    assert panel.status.text == "Needs attention: Nothing is there."
    panel.guard(lambda: "nothing came.")
    panel.refresh()
    assert (panel.status.text, panel.main.disabled) == ("Done: nothing came.", True)
    missing[0] = "The drive is gone."
    panel.refresh()
    assert panel.status.text == "Needs attention: The drive is gone."
    missing[0] = ""
    panel.refresh()
    assert (panel.status.text, panel.main.disabled) == ("Done: nothing came.", False)


def test_any_other_error_is_called_a_bug_of_lorabook_with_the_traceback_in_the_log(session):
    panel = CountingPanel(session)
    assert press(panel, KeyError("gone")).startswith("Needs attention: This is a bug in Lorabook (KeyError")
    assert "Traceback" in panel.log.text and "KeyError" in panel.log.text


def test_a_running_job_is_taken_up_by_a_panel_that_is_shown_later(project, session):
    make_job(project)
    panel = CountingPanel(session)
    assert panel.status.text == "Working 3 of 40: Counting"
    assert panel.status.fraction == pytest.approx(3 / 40)
    assert panel.status.left == "about 2 min left"
    assert panel.main.disabled and panel.stop.layout.display == ""


@pytest.mark.parametrize(("state", "words"), [("done", "Done: done it is."), ("failed", "Needs attention: failed it is."),
                                              ("cancelled", "Done: cancelled it is.")])
def test_the_end_of_a_job_is_told_in_fixed_words(project, session, state, words):
    job = make_job(project)
    panel = CountingPanel(session)
    append_event(job.folder, state, message=f"{state} it is.")
    panel.refresh()
    assert panel.status.text == words
    assert not panel.main.disabled and panel.stop.layout.display == "none"


def test_a_killed_job_reads_as_lost_not_as_running(project, session):
    job = make_job(project)
    panel = CountingPanel(session)
    write_json(job.folder / "process.json", {"pid": 1, "started": "never"})
    panel.refresh()
    assert panel.status.text.startswith("Needs attention: The process ended without a word")


@pytest.mark.parametrize("state", ["failed", "lost"])
def test_what_went_wrong_before_the_panel_was_there_is_told_calmly_with_its_time(project, session, state, monkeypatch):
    with monkeypatch.context() as then:
        then.setattr("core.base.jobs.time.time", lambda: datetime(2020, 3, 4, 14, 5).timestamp())
        job = make_job(project, "running" if state == "lost" else state)
    if state == "lost":
        write_json(job.folder / "process.json", {"pid": 1, "started": "never"})
    panel = CountingPanel(session)
    assert panel.status.text.startswith("Ready. The last time on 4 March 2020 at 14:05 it did not end well: ")
    assert panel.status.state == "ready" and ("failed it is." in panel.status.text) == (state == "failed") and not panel.main.disabled
    told = panel.status.text
    panel.refresh()
    assert panel.status.text == told  # it stands like a result
    make_job(project, "done", number=2)
    assert CountingPanel(session).status.text == "Done: done it is."  # what came after it counts


def test_what_goes_wrong_while_one_looks_is_told_as_such(project, session):
    job = make_job(project)
    panel = CountingPanel(session)
    append_event(job.folder, "failed", message="failed it is.")
    panel.refresh()
    assert panel.status.state == "attention"


def test_what_goes_wrong_after_a_look_back_that_failed_is_told_as_such_too(project, session, monkeypatch):
    def away(*_):
        raise DiskError("The drive is away.")

    with monkeypatch.context() as then:
        then.setattr("widgets.panel.newest_job", away)
        panel = CountingPanel(session)
    job = make_job(project)
    panel.follow(job)
    append_event(job.folder, "failed", message="failed it is.")
    panel._look()
    assert panel.status.state == "attention" and "failed it is." in panel.status.text


def test_a_bug_is_told_with_what_is_known_only(session):
    """Work may have written before it stumbled."""
    panel = CountingPanel(session)
    assert "as they were" not in press(panel, Work("counting", lambda: 1 / 0, str))


class Drive:
    """A network drive under a panel's looks: it goes away and comes back."""

    def __init__(self) -> None:
        self.there, self.looks = True, 0

    def look(self) -> bool:
        self.looks += 1
        if not self.there:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected", "/content/drive/x")
        return True


def test_a_drive_that_goes_away_is_told_once_looked_at_more_seldom_and_found_again(session, monkeypatch):
    monkeypatch.setattr("widgets.kernel_loop.SLOW_SECONDS", 0.2)

    async def show():
        panel, drive, told = CountingPanel(session), Drive(), []
        panel.status.observe(lambda change: told.append(change["new"]), "text")
        drive.there = False
        panel.loop.repeat(panel.patient(drive.look), 0.001)
        await asyncio.sleep(0.5)
        looks, drive.there = drive.looks, True
        await asyncio.sleep(0.5)
        panel.close()
        return panel, told, looks, drive.looks

    panel, told, looks, at_last = asyncio.run(show())
    assert len(told) == 1 and "drive failed at /content/drive/x" in told[0]
    assert 2 <= looks <= 4 and at_last > looks + 20
    assert panel.log.text.count("Traceback") == 1


def test_a_job_on_a_drive_that_went_away_is_followed_to_its_end_when_it_is_back(project, session, monkeypatch):
    monkeypatch.setattr("widgets.kernel_loop.SLOW_SECONDS", 0.05)
    monkeypatch.setattr(panel_module, "POLL_SECONDS", 0.01)
    job = make_job(project)

    async def show() -> list[str]:
        panel, told = CountingPanel(session), []
        panel.status.observe(lambda change: told.append(change["new"]), "text")
        mark, away = job.folder / "process.json", job.folder / "away"
        mark.rename(away)
        mark.mkdir()
        mark.rmdir()
        mark.symlink_to("/proc/self/mem")  # opens, but reading it is an I/O error, as on a broken drive
        await asyncio.sleep(0.2)
        append_event(job.folder, "done", message="40 counted.")
        mark.unlink()
        away.rename(mark)
        await asyncio.sleep(0.3)
        panel.close()
        return told

    told = asyncio.run(show())
    assert any(words.startswith("Needs attention") for words in told) and told[-1] == "Done: 40 counted."


def test_warnings_of_a_job_stand_in_the_log(project, session):
    job = make_job(project)
    append_event(job.folder, "warning", message="a.png is broken.")
    append_event(job.folder, "done", message="39 counted.")
    panel = CountingPanel(session)
    assert panel.status.text == "Done: 39 counted. 1 note in the log."
    assert "a.png is broken." in panel.log.text


def test_a_panel_that_was_let_go_hears_no_more(project, session):
    panel = CountingPanel(session)
    panel.say("done", "Done: kept.")
    panel.close()
    panel.update = lambda: pytest.fail("it was let go")
    session.tell()


def test_findings_say_their_level_in_words_and_hold_no_markup_of_others():
    shown = findings_list([Finding("info", "<b>40</b> pictures."), Finding("error", "a.png is broken.", "Take it out.")])
    assert shown.index("Must be mended") < shown.index("Good to know")
    assert "<b>40</b>" not in shown and "&lt;b&gt;40" in shown
    assert "&lt;i&gt;" in table([("Name", "<i>")])


def test_what_was_let_go_leaves_no_widget_in_the_kernel():
    from ipywidgets.widgets.widget import _instances

    before = set(_instances)
    box = row(ipw.Button(description="one"), ipw.HBox([ipw.Text(), ipw.Checkbox()]))
    assert len(set(_instances) - before) > 10
    let_go(box)
    assert set(_instances) == before


def test_what_the_first_press_makes_impossible_is_not_done_by_the_second_one(session):
    async def kernel():
        panel, runs = CountingPanel(session), []
        panel.answer = Work("counting", lambda: runs.append(1) or time.sleep(0.3), lambda _: "counted.")
        panel.main.click()
        panel.main.click()
        while panel._busy or not runs:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        assert runs == [1] and panel.status.text == "Done: counted."
        panel.close()

    asyncio.run(kernel())


def test_a_press_that_must_wait_for_a_work_is_done_after_it(session):
    async def kernel():
        panel, runs = CountingPanel(session), []
        other = panel.action("Other", lambda: Work("other", lambda: runs.append("other"), lambda _: "other."), alone=True)
        plain = panel.action("Plain", lambda: runs.append("plain"))
        panel.guard(lambda: Work("by itself", lambda: time.sleep(1) or runs.append("first"), lambda _: "first."))
        other.click()
        plain.click()
        await asyncio.sleep(0.4)
        other.click()
        deadline = time.monotonic() + 10
        while (panel._busy or len(runs) < 3) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        assert runs == ["plain", "first", "other"], "only what acts on what the work may change waits; pressed twice it counts once"
        other.click()
        while len(runs) < 4 and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        assert runs[3:] == ["other"]
        panel.close()

    asyncio.run(kernel())


def test_a_press_that_waits_is_done_though_the_buttons_cannot_be_looked_at_just_then(session):
    async def kernel():
        panel, runs, gone = CountingPanel(session), [], []

        def blocked():
            if gone:
                raise OSError("the drive is gone")
            return ""

        panel.action("Other", lambda: None, blocked)
        panel.guard(lambda: Work("by itself", lambda: time.sleep(0.1), lambda _: "first."))
        panel.when_free(lambda: runs.append(1))
        gone.append(True)
        while panel._busy:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)
        assert runs == [1]
        panel.close()

    asyncio.run(kernel())


def test_a_press_is_not_done_where_the_work_before_it_brought_something_new(session):
    async def kernel():
        panel, runs, there = CountingPanel(session), [], {"a", "b"}
        panel.guard(lambda: Work("by itself", lambda: time.sleep(0.1), lambda _: "first."))
        panel.when_free(lambda: runs.append("fewer"), about=lambda: there & {"a"})
        panel.when_free(lambda: runs.append("more"), about=lambda: there)
        there.symmetric_difference_update({"b", "c"})
        while panel._busy:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)
        assert runs == ["fewer"] and "has changed meanwhile, so nothing was done" in panel.status.text
        panel.close()

    asyncio.run(kernel())


def test_a_press_that_waits_is_not_done_in_another_project(session):
    async def kernel():
        panel, runs = CountingPanel(session), []
        panel.guard(lambda: Work("by itself", lambda: time.sleep(0.3), lambda _: "first."))
        panel.when_free(lambda: runs.append(1))
        session.open(Project.create(folder_for("another"), "another").folder)
        while panel._busy:
            await asyncio.sleep(0.02)
        assert runs == []
        panel.close()

    asyncio.run(kernel())


def test_a_control_that_changes_in_another_thread_is_heard_in_the_panels_own(session):
    async def kernel():
        panel, threads, done = CountingPanel(session), [], asyncio.Event()

        def act():
            threads.append(threading.get_ident())
            done.set()
            raise ConfigError("It is too many.")

        heard = panel.heard(act)
        threading.Thread(target=lambda: heard({"new": 1})).start()
        await asyncio.wait_for(done.wait(), 5)
        assert threads == [threading.get_ident()] and panel.status.text == "Needs attention: It is too many."
        panel.close()

    asyncio.run(kernel())
