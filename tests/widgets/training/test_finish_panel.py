"""The panel of what happens after a run, on real runs, a real process and servers that are played."""

import asyncio
import os
import socket
from typing import ClassVar

import pytest
from PIL import Image

from core.base.files import write_json
from core.base.process import mark_of
from core.base.registry import Entry
from core.training.backends import BACKENDS
from core.training.config import TrainingSettings
from core.training.finish.kept import keep_finish
from core.training.finish.settings import FinishSettings
from core.training.finish.starting import start_finish
from core.training.finish.status import Board, FileReport, is_kept_on, keep_on, read_finish
from core.training.run import Run
from tests.core.training.fakes import start, wait_for
from tests.core.training.finish.ended import ended_run
from tests.core.training.finish.servers import Hub, Vast
from widgets.training.choice import read_settings
from widgets.training.finish import FinishPanel


@pytest.fixture(autouse=True)
def rented(monkeypatch, tmp_path):
    """A machine of Vast.ai, with a token for the Hub."""
    with Hub() as hub, Vast() as vast:
        for name in ("RUNPOD_POD_ID", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
            monkeypatch.delenv(name, raising=False)
        for name, value in (("HF_ENDPOINT", hub.address), ("HF_TOKEN", "hf_good_token"), ("HF_HOME", str(tmp_path / "nothing")),
                            ("HF_HUB_DISABLE_XET", "1"), ("VAST_CONTAINERLABEL", "C.1234"), ("CONTAINER_ID", "1234"),
                            ("CONTAINER_API_KEY", vast.key), ("LORABOOK_VAST_API", vast.address), ("LORABOOK_FINISH_SECOND", "0.02")):
            monkeypatch.setenv(name, value)
        yield hub, vast


def make(session, state=""):
    run = Run.create(session.folder, read_settings(session).with_values(saving={"output_name": "mochi"}), "sd-scripts")
    return ended_run(None, state, run=run) if state else run


def choose(panel, **values):
    panel.form.fill(FinishSettings.make(**{"repo_id": "me/cats", "countdown": 60, **values}))


def now(panel):
    return next(button for button, _, _ in panel._actions if button.description == "Finish the last run now")


def test_it_says_what_is_going_to_happen_and_what_stands_in_the_way(session, monkeypatch):
    panel = FinishPanel(session)
    assert "nothing is uploaded. The machine stays on." in panel._plan.value
    choose(panel, state_meanwhile=True, most_money=4)
    assert "each new state is uploaded there" in panel._plan.value and "After a price of 4" in panel._plan.value
    choose(panel, then="stop", upload_report=True, most_hours=3)
    assert "the finished LoRA and the report are uploaded to the private repository me/cats" in panel._plan.value
    assert "Vast.ai machine 1234 is stopped" in panel._plan.value and "After 3 hours" in panel._plan.value
    assert "lb-error" not in panel._plan.value
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.delenv("CONTAINER_API_KEY")
    panel.refresh()
    assert "There is no token for Hugging Face" in panel._plan.value and "CONTAINER_API_KEY is not set" in panel._plan.value
    panel.form.control("repo_id").widget.value = "no name at all"
    assert "&#x27;no name at all&#x27; is not" in panel._plan.value


def test_destroying_without_an_upload_is_refused_in_the_form(session):
    panel = FinishPanel(session)
    panel.form.control("then").widget.value = "destroy"
    panel.main.click()
    assert "Destroying the machine loses what lies on it" in panel.status.text
    assert not (session.folder / "finish.toml").exists()


def test_the_settings_are_kept_only_when_the_button_is_pressed(session):
    panel = FinishPanel(session)
    choose(panel, then="stop")
    assert not (session.folder / "finish.toml").exists()
    panel.main.click()
    assert panel.status.text == "Done: this is what happens when the next run has ended."
    assert FinishPanel(session).form.value().then == "stop"
    assert "hf_good_token" not in (session.folder / "finish.toml").read_text()


def test_settings_of_another_machine_are_told(session, monkeypatch):
    panel = FinishPanel(session)
    choose(panel, then="destroy")
    panel.main.click()
    monkeypatch.setenv("CONTAINER_ID", "77")
    panel = FinishPanel(session)
    assert "chosen on another machine" in panel.status.text and panel.form.value().then == "nothing"


def test_a_finished_run_is_finished_from_here_and_its_files_are_shown(session, rented):
    run, panel = make(session, "done"), FinishPanel(session)
    choose(panel)
    now(panel).click()
    wait_for(lambda: read_finish(run).ended)
    panel.refresh()
    assert panel.status.text.startswith("Done: 1 file uploaded to me/cats and verified there. The machine stays on.")
    assert "mochi.safetensors" in panel._files.value and "verified" in panel._files.value
    assert panel._countdown.layout.display == "none" and rented[1].asked == []


def nowhere(token, folder):
    return [path for path in folder.rglob("*") if path.is_file() and token.encode() in path.read_bytes()] == []


def test_a_token_that_is_typed_here_is_used_and_stands_in_no_file(session, rented, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    run, panel = make(session, "done"), FinishPanel(session)
    assert panel.token.view.layout.display == "none"  # nothing is to be uploaded
    choose(panel)
    assert panel.token.view.layout.display == "" and "no token for Hugging Face" in panel._plan.value
    panel.token.widget.value = "hf_good_token"
    assert panel.token.widget.value == "" and "no token" not in panel._plan.value
    now(panel).click()
    wait_for(lambda: read_finish(run).ended)
    panel.refresh()
    assert panel.status.text.startswith("Done: 1 file uploaded to me/cats and verified there."), panel.status.text
    panel.main.click()
    assert nowhere("hf_good_token", tmp_path) and "HF_TOKEN" not in os.environ


@pytest.mark.slow
def test_a_run_that_is_begun_later_uploads_with_that_token(session, rented, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setitem(BACKENDS._entries, "fake", Entry("fake", "tests.core.training.fakes:FakeBackend", "Fake"))
    Image.new("RGB", (64, 64)).save(session.dataset.project.images / "0.png")
    panel = FinishPanel(session)
    choose(panel)
    panel.token.widget.value = "hf_good_token"
    panel.main.click()
    (session.folder / "words.txt").write_text("good")
    write_json(session.folder / "model_index.json", {"_class_name": "StableDiffusionPipeline"})
    settings = TrainingSettings().with_values(model={"pretrained_model_name_or_path": str(session.folder)})
    run = session.training.launch(settings, "fake")
    wait_for(lambda: run.state() == "done")
    wait_for(lambda: (status := read_finish(run)) is not None and status.ended)
    assert read_finish(run).message.startswith("1 file uploaded to me/cats and verified there."), read_finish(run).message
    assert nowhere("hf_good_token", tmp_path)


def test_a_failure_is_told_with_its_file(session, rented):
    run, panel = make(session, "done"), FinishPanel(session)
    rented[0].changed = {"mochi": "hash"}
    choose(panel, then="destroy")
    now(panel).click()
    wait_for(lambda: read_finish(run).ended)
    panel.refresh()
    assert panel.status.text.startswith("Needs attention: Not every file lies in me/cats") and "not whole there" in panel._files.value
    assert rented[1].asked == []


@pytest.mark.slow
def test_the_button_keeps_the_machine_on_also_for_a_panel_that_came_later(session, rented, monkeypatch):
    monkeypatch.setenv("LORABOOK_FINISH_SECOND", "0.2")
    run, first = make(session, "done"), FinishPanel(session)
    choose(first, then="destroy")
    now(first).click()
    wait_for(lambda: read_finish(run).state == "countdown")
    panel = FinishPanel(session)  # as after a restart of the kernel
    assert panel._countdown.layout.display == "" and "lb-clock" in panel._clock.value and panel.status.text.startswith("Working: ")
    panel._keep.click()
    assert is_kept_on(run) and "stays on" in panel._clock.value
    wait_for(lambda: read_finish(run).ended)
    panel.refresh()
    assert "'Keep the machine on' was pressed." in panel.status.text and rented[1].asked == []
    monkeypatch.setenv("LORABOOK_FINISH_SECOND", "0.01")
    choose(panel, then="destroy")
    now(panel).click()  # a new wish takes it back
    wait_for(lambda: read_finish(run).state == "stopped")
    assert rented[1].does == ["destroy"]


def test_a_countdown_of_another_project_on_this_machine_is_shown_too(session, projects, tmp_path):
    other = ended_run(projects, "done")
    Board(other).begin()
    board = Board(other)
    board.begin()
    board.say("countdown", "The machine is stopped in 1:05.", seconds_left=65)
    panel = FinishPanel(session)
    assert "1:05" in panel._clock.value
    panel._keep.click()
    assert is_kept_on(other)


def test_while_a_run_is_at_work_new_settings_are_followed_and_it_cannot_be_finished_yet(session, rented):
    run = start(make(session), "polite", "--delay", 0.2, "--steps", 4000)
    wait_for(lambda: run.trainer_mark() is not None)
    panel = FinishPanel(session)
    assert now(panel).disabled and "still at work" in now(panel).tooltip
    choose(panel, then="stop", reminder=True)
    panel.main.click()
    assert panel.status.text.startswith("Working: ")
    wait_for(lambda: read_finish(run).state == "waiting")
    panel.refresh()
    assert "good time for a break" in panel._reminder.value and panel.status.text == "Working: Waiting for the end of the run."
    keep_on(run)
    run.stop(force=True)
    wait_for(lambda: read_finish(run).ended)
    panel.refresh()
    assert "The training has ended." in panel._reminder.value and rented[1].asked == []


@pytest.fixture
def at_work(session, monkeypatch):
    """A run at work whose finish was begun without a token, as the settings that are kept say."""
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("core.training.finish.starting.start_job", _PlayedFinish)
    _PlayedFinish.begun = []
    keep_finish(session.folder, FinishSettings(repo_id="me/cats"))
    run = make(session)
    write_json(run.folder / "supervisor.json", {"attempt": 1, "host": socket.gethostname(), "mark": mark_of(os.getpid()).as_dict()})
    start_finish(run, FinishSettings(repo_id="me/cats"))
    return run


class _PlayedFinish:
    """In the place of a process: what it was started with."""

    begun: ClassVar[list[object]] = []

    def __init__(self, folder, stage, settings, secrets):
        self.begun.append(secrets)

    def mark(self):
        return mark_of(os.getpid())


def test_a_token_goes_at_once_to_a_run_at_work_that_follows_what_stands_here(session, at_work):
    panel = FinishPanel(session)
    assert "no token for Hugging Face" in panel._plan.value and not read_finish(at_work).has_token
    keep_on(at_work)
    panel.token.widget.value = "hf_good_token"
    assert _PlayedFinish.begun == [None, {"HF_TOKEN": "hf_good_token"}] and read_finish(at_work).has_token
    assert f"The run {at_work.id} has the token." in panel._plan.value and "lb-error" not in panel._plan.value
    assert is_kept_on(at_work)  # a token takes no wish back
    panel.token.widget.value = "hf_other_token"
    assert _PlayedFinish.begun[-1] == {"HF_TOKEN": "hf_other_token"}


def test_where_other_settings_stand_there_it_is_said_what_to_press_so_that_a_run_at_work_has_the_token(session, at_work):
    panel = FinishPanel(session)
    choose(panel, upload_samples=True)
    panel.token.widget.value = "hf_good_token"
    assert _PlayedFinish.begun == [None]
    for shown in (panel, FinishPanel(session)):
        assert "does not have the token" in shown._plan.value
        assert "Press &#x27;Use these settings&#x27;, so that the run at work has it too." in shown._plan.value
    panel.main.click()
    assert _PlayedFinish.begun[-1] == {"HF_TOKEN": "hf_good_token"} and "has the token." in panel._plan.value
    choose(panel, upload_report=True)
    panel.token.widget.value = "hf_other_token"  # it has one, but the one before
    assert _PlayedFinish.begun[-1] == {"HF_TOKEN": "hf_good_token"} and "Press &#x27;Use these settings" in panel._plan.value
    panel.main.click()
    assert _PlayedFinish.begun[-1] == {"HF_TOKEN": "hf_other_token"} and "does not have" not in panel._plan.value


def test_after_a_restart_of_the_kernel_the_run_at_work_is_not_said_to_lack_its_token(session, at_work):
    start_finish(at_work, FinishSettings(repo_id="me/cats"), token="hf_good_token")
    panel = FinishPanel(session)
    assert "no token for Hugging Face here any more" in panel._plan.value and "lb-error" not in panel._plan.value


def test_on_colab_the_panel_ends_the_session(session, monkeypatch):
    ended = []
    monkeypatch.setattr("widgets.training.finish.disconnect_if_asked", lambda folder: ended.append(folder))
    run = make(session, "done")
    board = Board(run)
    board.begin()
    FinishPanel(session)
    assert ended == []
    board.say("acting", "Colab session is being stopped.")
    FinishPanel(session)
    assert ended == [run.folder.resolve()]


def test_the_panel_looks_by_itself_in_a_kernel(session):
    run = make(session, "done")
    board = Board(run)
    board.begin()
    board.show("uploading", "0 of 1 files uploaded, 0 verified.", [FileReport("x/mochi.safetensors", 3_000_000, "uploading")])

    async def kernel():
        panel = FinishPanel(session)
        assert "2.9 MiB, is being uploaded" in panel._files.value
        board.show("kept_on", "As chosen.", [FileReport("x/mochi.safetensors", 3_000_000, "verified")])
        for _ in range(100):
            await asyncio.sleep(0.05)
            if panel.status.text == "Done: As chosen.":
                break
        assert panel.status.text == "Done: As chosen." and "2.9 MiB, verified" in panel._files.value
        panel.close()

    asyncio.run(kernel())


def test_nothing_is_shown_without_a_project(projects):
    from widgets.session import Session

    panel = FinishPanel(Session())
    assert panel._plan.value == "" and panel._countdown.layout.display == "none"
