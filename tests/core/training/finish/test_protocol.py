"""The protocol in real processes: what must be true before a machine is stopped, and what keeps it on."""

import json
import os
import signal
import threading
import time

import pytest

from core.base.errors import Cancelled, ConfigError, DiskError, TrainingError
from core.base.files import write_json
from core.base.process import mark_of
from core.base.progress import Progress
from core.training.finish.kept import keep_finish, read_finish_settings
from core.training.finish.machine_use import other_work, unsaved_runs
from core.training.finish.protocol import finish_run
from core.training.finish.starting import finishes, start_finish
from core.training.finish.status import Board, is_safe, keep_on, read_finish
from core.training.finish.tokens import TYPED
from core.training.outputs import list_outputs
from core.training.run import Run
from tests.core.training.fakes import make_run, make_settings, start, wait_for, wait_for_end
from tests.core.training.finish.ended import ended_run, settings, steps


def seen(run):
    status = read_finish(run)
    return status.state if status else ""


def another_run(run, state="done"):
    return ended_run(None, state, run=Run.create(run.project_folder, make_settings(run.project_folder), "sd-scripts"))


def test_upload_verify_countdown_stop(tmp_path, hub, vast):
    run = ended_run(tmp_path)
    report = finish_run(run, settings(then="stop"))
    assert vast.does == ["stop"] and report.act == "stop" and hub.repositories["me/cats"]
    assert report.sentence() == "1 file uploaded to me/cats and verified there. The machine was asked to stop."
    assert steps(run) == ["ended", "uploading", "verified", "countdown", "verified", "acting", "acted"]
    assert seen(run) == "stopped" and is_safe(run)
    assert run.state() == "done"  # what is noted after the end hides it not
    paths = [path for method, path, _ in [*hub.asked, *vast.asked]]
    assert vast.asked[-1][0] == "PUT" and sum("paths-info" in path for path in paths) == 2


def test_nothing_chosen_leaves_the_files_and_the_machine(tmp_path, hub, vast):
    run = ended_run(tmp_path)
    report = finish_run(run, settings(repo_id=""))
    assert report.act == "nothing" and vast.asked == hub.asked == [] and "stays on" in report.sentence()


@pytest.mark.parametrize("then", ["stop", "destroy"])
@pytest.mark.parametrize("wrong", ["hash", "size", "gone"])
def test_a_wrong_file_at_the_far_end_never_stops_the_machine(tmp_path, hub, vast, wrong, then):
    hub.changed = {"mochi.safetensors": wrong}
    run = ended_run(tmp_path)
    with pytest.raises(TrainingError, match="Not every file lies in me/cats"):
        finish_run(run, settings(then=then, upload_epochs=True))
    assert vast.asked == [] and seen(run) == "failed" and "stays on" in read_finish(run).message and not is_safe(run)


def test_a_file_that_vanishes_at_the_far_end_during_the_countdown_keeps_the_machine_on(tmp_path, hub, vast):
    run = ended_run(tmp_path)

    class Spoiler(Progress):
        def report_step(self, item):
            if "countdown" in self.what:
                hub.changed = {"mochi.safetensors": "gone"}

    with pytest.raises(TrainingError, match="it is not there"):
        finish_run(run, settings(then="destroy"), Spoiler())
    assert vast.asked == [] and steps(run)[-2:] == ["not verified", "failed"]


def test_without_token_or_with_a_failing_upload_the_machine_stays_on(tmp_path, hub, vast, monkeypatch):
    hub.failing_puts = 99
    with pytest.raises(TrainingError):
        finish_run(ended_run(tmp_path), settings(then="stop"))
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ConfigError):
        finish_run(ended_run(tmp_path / "two"), settings(then="stop"))
    assert vast.asked == []


def test_a_provider_that_refuses_leaves_the_machine_on_and_says_so(tmp_path, hub, vast):
    vast.faults = [401]
    run = ended_run(tmp_path)
    with pytest.raises(TrainingError, match="does not accept the key"):
        finish_run(run, settings(then="stop"))
    assert seen(run) == "failed" and vast.does == []
    assert vast.key not in (run.folder / "finish.json").read_text() + (run.folder / "events.jsonl").read_text()


@pytest.mark.slow
def test_keep_the_machine_on_in_the_countdown(tmp_path, hub, vast, monkeypatch):
    monkeypatch.setenv("LORABOOK_FINISH_SECOND", "0.05")
    run = ended_run(tmp_path)

    def press():
        wait_for(lambda: seen(run) == "countdown")
        keep_on(run)

    person = threading.Thread(target=press)
    person.start()
    report = finish_run(run, settings(then="destroy"))
    person.join()
    assert report.act == "nothing" and "was pressed" in report.why and vast.asked == [] and seen(run) == "kept_on"
    assert finish_run(run, settings(then="destroy")).act == "nothing"  # a restart of the protocol does not forget it
    run = ended_run(tmp_path, attempt=2, run=run)
    assert finish_run(run, settings(then="stop")).act == "stop"  # it was said of the first attempt


def test_a_countdown_that_cannot_be_seen_stops_nothing(tmp_path, hub, vast, monkeypatch):
    """On a full disk neither the countdown nor the wish to keep the machine on can be written."""
    from core.training.finish import status

    run, full, own = ended_run(tmp_path), [True], status.write_json

    def write(path, values):
        if full and values["state"] == "countdown" and values["seconds_left"] < 30:
            raise DiskError("No space left.")
        own(path, values)

    class Watching(Progress):
        starts = 0

        def report_start(self):
            self.starts += "countdown" in self.what
            if self.starts == 3:
                full.clear()

    monkeypatch.setattr(status, "write_json", write)
    progress = Watching()
    assert finish_run(run, settings(then="stop"), progress).act == "stop"
    assert progress.starts == 3 and vast.does == ["stop"]


def test_a_cancel_of_the_command_keeps_the_machine_on(tmp_path, hub, vast):
    run = ended_run(tmp_path)

    class Impatient(Progress):
        def report_step(self, item):
            if "countdown" in self.what and self.done == 5:
                self.cancel()

    with pytest.raises(Cancelled):
        finish_run(run, settings(then="stop"), Impatient())
    assert vast.asked == [] and seen(run) == "cancelled"


def test_destroying_needs_the_finished_lora(tmp_path, hub, vast):
    run = ended_run(tmp_path, "cancelled")
    assert finish_run(run, settings(then="destroy")).act == "destroy"  # the last saved one counts, since a person asked afterwards
    run = ended_run(tmp_path / "two", "cancelled")
    for path in list_outputs(run.checkpoints):
        path.unlink()
    report = finish_run(run, settings(then="destroy", upload_samples=True))
    assert report.act == "nothing" and "finished LoRA was not verified" in report.why
    assert vast.does == ["destroy"]


def test_other_runs_that_were_not_uploaded_are_not_destroyed(tmp_path, hub, vast):
    run = ended_run(tmp_path)
    other = another_run(run)
    assert unsaved_runs(run) == [other.id]
    assert other.id in finish_run(run, settings(then="destroy")).why and vast.does == []
    finish_run(other, settings())
    assert unsaved_runs(run) == [] and finish_run(run, settings(then="destroy")).act == "destroy"


@pytest.mark.slow
def test_a_failed_run_leaves_the_machine_on_unless_it_was_asked_to_stop_it(tmp_path, hub, vast):
    assert "did not end" in finish_run(ended_run(tmp_path, "failed"), settings(then="stop")).why and vast.does == []
    run = ended_run(tmp_path / "two", "failed")
    report = finish_run(run, settings(then="destroy", after_failure="stop", failure_minutes=5, upload_epochs=True))
    assert report.act == "stop" and vast.does == ["stop"]  # it is never destroyed then
    countdown = [json.loads(line) for line in (run.folder / "events.jsonl").read_text().splitlines() if '"countdown"' in line]
    assert countdown[0]["seconds"] == 300


def test_a_stop_that_empties_the_disk_waits_for_the_finished_lora(tmp_path, hub, runpod, monkeypatch):
    monkeypatch.setattr("core.setup.provider.mount_point", lambda folder: type(folder)("/"))
    run = ended_run(tmp_path)
    assert "loses what lies on it" in finish_run(run, settings(then="stop", repo_id="")).why and runpod.asked == []
    assert finish_run(run, settings(then="stop")).act == "stop" and runpod.does == ["stop"]


def test_a_run_or_job_that_is_at_work_is_waited_for(tmp_path, hub, vast):
    run = ended_run(tmp_path)
    other = start(Run.create(run.project_folder, make_settings(run.project_folder), "sd-scripts"), "slow", "--delay", 0.3, "--steps", 400)
    wait_for(lambda: other.trainer_mark() is not None)
    assert other_work(run) == [f"the run {other.id}"]
    done = []
    finish = threading.Thread(target=lambda: done.append(finish_run(run, settings(then="stop"))))
    finish.start()
    wait_for(lambda: seen(run) == "holding")
    assert other.id in read_finish(run).message and vast.asked == []
    other.stop(force=True)
    finish.join(30)
    assert done[0].act == "stop" and other.state() == "cancelled"


def test_a_job_and_the_upload_of_another_run_count_as_work(tmp_path):
    run = ended_run(tmp_path)
    other, job = another_run(run), run.project_folder / "jobs" / "1-tag"
    Board(other).begin()
    assert other_work(run) == [f"the upload of the run {other.id}"]
    Board(other).say("kept_on", "")
    job.mkdir(parents=True)
    write_json(job / "settings.json", {"stage": "tag", "settings": {}})
    assert other_work(run) == ["the job 1-tag"]  # it has no process yet
    write_json(job / "process.json", mark_of(os.getpid()).as_dict())
    assert other_work(run) == ["the job 1-tag"]
    write_json(job / "process.json", {"pid": os.getpid(), "started": "1"})
    assert other_work(run) == []


def test_work_that_begins_during_the_countdown_ends_it(tmp_path, hub, vast):
    run = ended_run(tmp_path)
    other = another_run(run)

    class Busy(Progress):
        def report_step(self, item):
            if "countdown" in self.what:
                Board(other).begin()

    progress = Busy()
    threading.Thread(target=lambda: (wait_for(lambda: seen(run) == "holding"), progress.cancel())).start()
    with pytest.raises(Cancelled):
        finish_run(run, settings(then="stop"), progress)
    assert vast.asked == []


def test_a_run_that_is_started_again_is_waited_for(tmp_path, hub, vast, monkeypatch):
    run = ended_run(tmp_path, "failed")
    again = []

    class Ladder(Progress):
        def report_step(self, item):
            if "countdown" in self.what and not again:
                again.append(start(run, "good"))

    report = finish_run(run, settings(then="stop", after_failure="stop"), Ladder())
    assert report.act == "stop" and vast.does == ["stop"] and run.attempt() == 2 and run.state() == "done"
    assert [file.name.rpartition("/")[2] for file in report.files] == ["mochi.safetensors"]


@pytest.mark.slow
def test_a_kill_at_any_moment_and_a_restart_never_stop_the_machine_unverified(tmp_path, hub, vast, monkeypatch):
    monkeypatch.setenv("LORABOOK_FINISH_SECOND", "0.05")
    run, hub.delay = ended_run(tmp_path), 0.3
    for state in ("uploading", "verifying", "countdown"):
        job = start_finish(run, settings(then="destroy"))
        wait_for(lambda state=state: seen(run) == state)
        os.kill(job.mark().pid, signal.SIGKILL)
        wait_for(lambda: seen(run) == "lost")
        assert vast.asked == []
    hub.changed = {"mochi.safetensors": "hash"}
    job = start_finish(run, settings(then="destroy"))
    wait_for(lambda: seen(run) == "failed")
    assert vast.asked == [] and job.status().state == "failed"
    hub.changed = {}
    start_finish(run, settings(then="destroy"))
    wait_for(lambda: seen(run) == "stopped")
    assert vast.does == ["destroy"]


@pytest.mark.slow
def test_the_supervisor_begins_it_with_the_run_and_secrets_stay_out_of_files(tmp_path, hub, vast):
    run = make_run(tmp_path)
    keep_finish(run.project_folder, settings(then="stop", upload_report=True))
    assert wait_for_end(start(run, "good")) == "done"
    wait_for(lambda: seen(run) == "stopped", 60)
    wait_for(lambda: not finishes(run), 30)  # its process ends a moment after it has said so
    assert vast.does == ["stop"]
    for path in run.project_folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"hf_good_token" not in data and vast.key.encode() not in data, path


@pytest.mark.slow
def test_a_typed_token_reaches_the_finish_and_not_the_trainer(tmp_path, hub, vast, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    run = make_run(tmp_path)
    keep_finish(run.project_folder, settings())
    assert wait_for_end(start(run, "environment", token="hf_good_token")) == "done"
    wait_for(lambda: read_finish(run).ended, 60)
    assert read_finish(run).has_token and read_finish(run).message.startswith("1 file uploaded"), read_finish(run).message
    known = run.log.read_text()
    assert "PYTHONUNBUFFERED" in known and "HF_TOKEN" not in known and TYPED not in known


def test_a_finish_says_whether_it_has_a_token(tmp_path, hub, vast, monkeypatch):
    run = ended_run(tmp_path)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ConfigError):
        finish_run(run, settings())
    assert not read_finish(run).has_token
    monkeypatch.setenv("HF_TOKEN", "hf_good_token")
    finish_run(run, settings())
    assert read_finish(run).has_token


@pytest.mark.slow
def test_a_limit_stops_the_run_gently_and_the_protocol_goes_on(tmp_path, hub, vast):
    run = make_run(tmp_path)
    keep_finish(run.project_folder, settings(then="stop", most_money=0.5 / 3600))  # a second of a machine at half a dollar an hour
    start(run, "polite", "--delay", 0.2, "--steps", 4000)
    wait_for(lambda: seen(run) == "stopped", 60)
    assert run.state() == "cancelled" and vast.does == ["stop"] and "limit" in steps(run)
    assert any("checkpoints/mochi-step" in name for name in hub.repositories["me/cats"])
    assert any(method == "GET" for method, _, _ in vast.asked)  # the price was asked


@pytest.mark.slow
def test_a_run_that_is_stopped_by_hand_leaves_everything_as_it_is(tmp_path, hub, vast):
    run = make_run(tmp_path)
    keep_finish(run.project_folder, settings(then="stop"))
    start(run, "polite", "--delay", 0.2, "--steps", 4000)
    wait_for(lambda: seen(run) == "waiting" and run.trainer_mark())
    time.sleep(0.5)
    run.stop()
    wait_for(lambda: seen(run) == "kept_on", 60)
    assert vast.asked == [] and hub.asked == [] and "stopped by hand" in read_finish(run).message


def test_settings_that_were_chosen_on_another_machine_leave_this_one_on(tmp_path, vast, monkeypatch):
    run = ended_run(tmp_path)
    chosen = settings(then="destroy", most_hours=2.5)
    keep_finish(run.project_folder, chosen)
    assert read_finish_settings(run.project_folder) == (chosen, "")
    monkeypatch.setenv("CONTAINER_ID", "99")
    kept, note = read_finish_settings(run.project_folder)
    assert kept == chosen.changed(then="nothing") and "Vast.ai machine 1234" in note


def test_a_run_that_was_never_started_cannot_be_finished(tmp_path):
    with pytest.raises(TrainingError, match="never started"):
        finish_run(make_run(tmp_path), settings())
