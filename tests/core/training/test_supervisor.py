"""The supervisor: how a training ends is judged by what it left behind, and nobody has to watch it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.base.errors import DatasetError
from core.base.paths import ROOT
from core.base.process import ProcessMark, is_alive, mark_of
from core.dataset.manager import DatasetManager
from core.dataset.project import Project
from core.dataset.rejecting import RejectSettings
from core.dataset.renaming import RenameSettings
from core.training.config.pair import pair_in, read_tables, write_pair
from core.training.guards import GuardSettings, keep_guards
from core.training.monitor import read_status
from core.training.outputs import take_snapshot
from core.training.watching.judging import judge
from core.training.watching.output import LogWriter
from tests.core.dataset.small_things import picture
from tests.core.training.fake_trainer import write_lora
from tests.core.training.fakes import make_run, start, wait_for, wait_for_end


@pytest.fixture(autouse=True)
def own_machine(tmp_path, monkeypatch):
    """A queue of its own, so that tests do not wait for a real training on this machine."""
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))


def mean_steps(run):
    return len([line for line in run.log_tail() if line.startswith("steps:")])


def test_a_whole_new_lora_makes_the_run_done_and_is_copied_into_the_project(tmp_path):
    run = start(make_run(tmp_path), "good")
    assert wait_for_end(run) == "done"
    lora = run.project_folder / "output" / "mochi.safetensors"
    assert lora.read_bytes() == (run.checkpoints / "mochi.safetensors").read_bytes()
    assert run.end()["output"] == str(lora) and run.end()["exit_code"] == 0
    assert not list((run.project_folder / "output").glob(".*"))


def test_the_log_has_one_line_for_each_redraw_and_no_secret(tmp_path):
    run = start(make_run(tmp_path), "good", env={"HF_TOKEN": "hf_not_for_the_log"})
    wait_for_end(run)
    text = run.log.read_text()
    assert "\r" not in text and "steps:  50%|###| 2/4" in text and "学習開始" in text
    assert "token is ***" in text and "hf_not_for_the_log" not in text


def test_caches_that_are_older_than_what_they_were_made_of_go_when_a_run_begins(tmp_path):
    run = make_run(tmp_path)
    folder = Path(read_tables(pair_in(run.folder).dataset)["datasets"][0]["subsets"][0]["image_dir"])
    for name, seconds in (("old.png", 200), ("old.txt", 200), ("old_0064x0048_sd.npz", 100), ("old_te_outputs.npz", 100),
                          ("new.png", 100), ("new_0064x0048_sd.npz", 200)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (seconds, seconds))
    wait_for_end(start(run, "good"))
    assert sorted(path.name for path in folder.glob("*.npz")) == ["new_0064x0048_sd.npz"]


def test_an_exit_code_does_not_matter_when_the_lora_is_new_and_whole(tmp_path):
    run = start(make_run(tmp_path), "late")
    assert wait_for_end(run) == "done"
    assert run.end()["exit_code"] == 3 and "code 3" in (run.folder / "events.jsonl").read_text()


def test_exit_code_0_without_a_lora_is_a_failure(tmp_path):
    run = start(make_run(tmp_path), "silent")
    assert wait_for_end(run) == "failed"
    assert run.end()["cause"]["kind"] == "no_data" and run.end()["exit_code"] == 0


def test_a_lora_of_an_earlier_attempt_is_no_success(tmp_path):
    run = make_run(tmp_path)
    write_lora(run.checkpoints / "mochi.safetensors")
    assert wait_for_end(start(run, "silent")) == "failed"
    assert not list((run.project_folder / "output").iterdir())


def test_another_lora_of_the_same_name_is_not_overwritten(tmp_path):
    run = make_run(tmp_path)
    other = run.project_folder / "output" / "mochi.safetensors"
    write_lora(other, value=7.0)
    before = other.read_bytes()
    assert wait_for_end(start(run, "good")) == "done"
    assert other.read_bytes() == before and run.end()["output"].endswith("mochi-2.safetensors")


def test_out_of_memory_is_named(tmp_path):
    run = make_run(tmp_path)
    keep_guards(GuardSettings(memory_retries=0), run.folder)
    assert wait_for_end(start(run, "oom")) == "failed"
    assert run.end()["cause"]["kind"] == "out_of_memory" and "GPU ran out of memory" in run.end()["message"]


def test_weights_that_are_no_numbers_are_no_success(tmp_path):
    run = start(make_run(tmp_path), "nan")
    assert wait_for_end(run) == "failed"
    assert run.end()["cause"]["kind"] == "nan_loss" and not list((run.project_folder / "output").iterdir())


def test_a_file_that_was_cut_off_in_a_save_is_set_aside(tmp_path):
    run = start(make_run(tmp_path), "cut")
    assert wait_for_end(run) == "failed"
    assert [path.name for path in run.checkpoints.glob("*.incomplete")] == ["mochi.safetensors.incomplete"]
    assert not (run.checkpoints / "mochi.safetensors").exists()


def test_a_killed_trainer_is_a_failure_with_its_cause(tmp_path):
    run = start(make_run(tmp_path), "slow", "--delay", 0.2, "--steps", 200)
    wait_for(lambda: mean_steps(run) > 1)
    os.kill(run.trainer_mark().pid, signal.SIGKILL)
    assert wait_for_end(run) == "failed"
    assert run.end()["cause"]["kind"] == "killed" and "signal 9" in run.end()["message"] and run.end()["exit_code"] == -9


def test_a_killed_trainer_and_supervisor_leave_a_lost_run(tmp_path):
    run = start(make_run(tmp_path), "slow", "--delay", 0.2, "--steps", 200)
    wait_for(lambda: mean_steps(run) > 1)
    for mark in (run.supervisor_mark(), run.trainer_mark()):
        os.kill(mark.pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(run.trainer_mark()))
    assert wait_for_end(run) == "lost"
    assert run.log_tail(1)[0].startswith("steps:")


def test_a_process_id_that_is_used_again_does_not_make_a_lost_run_look_alive(tmp_path):
    run = start(make_run(tmp_path), "slow", "--delay", 0.2, "--steps", 200)
    wait_for(run.trainer_mark)
    for mark in (run.supervisor_mark(), run.trainer_mark()):
        os.kill(mark.pid, signal.SIGKILL)
    own = mark_of(os.getpid())
    for name in ("supervisor.json", "trainer.json"):
        values = json.loads((run.folder / name).read_text())
        (run.folder / name).write_text(json.dumps({**values, "mark": ProcessMark(own.pid, "long ago").as_dict()}))
    assert run.state() == "lost"


def test_stopping_in_the_first_second_works(tmp_path):
    run = start(make_run(tmp_path), "slow", "--delay", 0.2, "--steps", 200)
    run.stop()
    assert wait_for_end(run, 10) == "cancelled"
    assert run.trainer_mark() is None and not run.log.exists()  # the trainer was not even started
    assert read_status(run).message == "The training had not begun."


def test_stopping_while_the_trainer_is_still_loading_works(tmp_path):
    run = start(make_run(tmp_path), "slow", "--delay", 30)
    trainer = wait_for(run.trainer_mark)
    run.stop()
    assert wait_for_end(run, 10) == "cancelled" and not is_alive(trainer)


def test_stop_lets_the_trainer_save_a_whole_checkpoint(tmp_path):
    run = start(make_run(tmp_path), "polite", "--delay", 0.2, "--steps", 200)
    wait_for(lambda: mean_steps(run) > 1)
    run.stop()
    assert run.state() in ("stopping", "cancelled")
    assert wait_for_end(run) == "cancelled"
    assert "-step" in run.end()["checkpoint"] and not list(run.checkpoints.glob("*.incomplete"))
    assert f"The last saved LoRA is {Path(run.end()['checkpoint']).name}." in read_status(run).message


@pytest.mark.slow
def test_after_a_stop_it_is_said_what_a_trainer_that_ends_at_once_has_kept(tmp_path):
    run = start(make_run(tmp_path), "slow", "--delay", 0.2, "--steps", 10)
    wait_for(lambda: mean_steps(run) > 6)
    run.stop()
    assert wait_for_end(run, 10) == "cancelled"
    assert read_status(run).message == "The last saved LoRA is mochi-000001.safetensors. It can go on from step 5."
    bare = start(make_run(tmp_path / "two"), "slow", "--delay", 0.2, "--steps", 200)
    wait_for(lambda: mean_steps(bare) > 1)
    bare.stop()
    assert wait_for_end(bare, 10) == "cancelled"
    assert read_status(bare).message == "It had saved no LoRA yet. There is no saved state to go on from."


NO_SPACE = {"event": "failed", "message": "No space left to write x.safetensors (0 MiB free).", "hint": "Free some space and run it again."}


@pytest.mark.parametrize(("told", "lines"), [
    ([NO_SPACE], []),
    ([], ["Traceback (most recent call last):", "OSError: [Errno 28] No space left on device"])])
def test_a_save_that_fails_at_a_stop_is_a_failure_with_its_cause(tmp_path, told, lines):
    """Also where the disk was too full even for the trainer's last word."""
    run = make_run(tmp_path)
    end = judge(run, take_snapshot(run.checkpoints), 1, True, told, lines, False)
    assert end["state"] == "failed" and end["cause"]["kind"] == "disk_full" and "Free some space" in end["message"]


@pytest.mark.parametrize("told", [[], [{"event": "cancelled"}]])
def test_a_stop_that_went_well_is_no_failure(tmp_path, told):
    run = make_run(tmp_path)
    assert judge(run, take_snapshot(run.checkpoints), -15, True, told, ["steps: 1/2"], False)["state"] == "cancelled"


def test_a_trainer_that_is_deaf_to_stop_is_ended_after_the_grace(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_STOP_GRACE", "0.5")
    run = start(make_run(tmp_path), "deaf", "--delay", 0.2, "--steps", 200)
    wait_for(lambda: mean_steps(run) > 1)
    trainer = run.trainer_mark()
    run.stop()
    assert wait_for_end(run, 10) == "cancelled" and not is_alive(trainer)


def test_force_does_not_wait_for_the_grace(tmp_path):
    run = start(make_run(tmp_path), "deaf", "--delay", 0.2, "--steps", 200)
    wait_for(lambda: mean_steps(run) > 1)
    run.stop(force=True)
    assert wait_for_end(run, 10) == "cancelled"


def test_stop_ends_a_trainer_whose_supervisor_is_gone(tmp_path):
    run = start(make_run(tmp_path), "slow", "--delay", 0.2, "--steps", 500)
    wait_for(lambda: mean_steps(run) > 1)
    os.kill(run.supervisor_mark().pid, signal.SIGSTOP)  # alive, but it hears nothing and the pipe stays open
    trainer = run.trainer_mark()
    os.kill(run.supervisor_mark().pid, signal.SIGKILL)
    run.stop()
    wait_for(lambda: not is_alive(trainer))
    assert run.state() in ("cancelled", "lost")


def test_children_that_the_trainer_leaves_behind_are_ended(tmp_path):
    run = start(make_run(tmp_path), "child")
    began = time.monotonic()
    assert wait_for_end(run) == "done"
    assert time.monotonic() - began < 8  # the log's pipe was not held open by the child


def test_a_program_that_does_not_exist_is_a_sentence(tmp_path):
    run = make_run(tmp_path)
    start(run, "good")
    wait_for_end(run)
    (run.folder / "command.json").write_text(json.dumps({"argv": ["/no/such/python"], "cwd": str(tmp_path), "env": {}}))
    from core.training.launch import start_supervisor

    start_supervisor(run, 2)
    assert wait_for_end(run) == "failed" and "/no/such/python" in run.end()["message"]


@pytest.mark.slow
def test_another_kernel_finds_the_run(tmp_path):
    """A fresh interpreter launches, ends at once, and this one follows the run to its end."""
    run = make_run(tmp_path)
    code = ("import sys; from pathlib import Path; from core.training.run import Run; from tests.core.training.fakes import start;"
            "start(Run.open(Path(sys.argv[1])), 'slow', '--delay', 0.2, '--steps', 10)")
    subprocess.run([sys.executable, "-c", code, str(run.folder)], cwd=ROOT, check=True, timeout=60)
    assert run.state() == "running"
    assert wait_for_end(run) == "done"


@pytest.mark.slow
def test_a_second_run_waits_for_the_first(tmp_path):
    first = start(make_run(tmp_path / "one"), "slow", "--delay", 0.1, "--steps", 20)
    wait_for(first.trainer_mark)
    second = start(make_run(tmp_path / "two"), "good")
    wait_for(lambda: "waiting" in (second.folder / "events.jsonl").read_text())
    assert second.trainer_mark() is None and second.state() == "running"
    assert wait_for_end(second) == "done" and first.state() == "done"


def test_a_run_that_waits_for_its_turn_can_be_stopped(tmp_path):
    first = start(make_run(tmp_path / "one"), "slow", "--delay", 0.1, "--steps", 500)
    wait_for(first.trainer_mark)
    second = start(make_run(tmp_path / "two"), "good")
    wait_for(lambda: read_status(second).message)
    assert read_status(second).phase == "Waiting for its turn"
    second.stop()
    assert wait_for_end(second, 10) == "cancelled" and second.trainer_mark() is None
    first.stop(force=True)
    wait_for_end(first)


def test_a_log_that_cannot_be_written_does_not_end_the_training(tmp_path):
    writer = LogWriter(None, tmp_path / "no folder" / "log.txt", [])
    writer.write(["one"])
    writer.write(["two"])
    assert [line.partition(":")[0] for line in writer.tail] == ["one", "[Errno 2] No such file or directory", "two"]


def test_the_heartbeat_tells_the_time_and_the_gpus(tmp_path):
    run = start(make_run(tmp_path), "good")
    wait_for_end(run)
    assert abs(run.heartbeat()["time"] - time.time()) < 30 and isinstance(run.heartbeat()["gpus"], list)


def test_a_failed_run_says_its_cause_before_its_log(tmp_path):
    run = make_run(tmp_path)
    keep_guards(GuardSettings(memory_retries=0), run.folder)
    wait_for_end(start(run, "oom"))
    status = read_status(run)
    assert status.cause.kind == "out_of_memory" and status.log
    assert status.sentence().startswith("Needs attention: The GPU ran out of memory.")


def in_project(project, *names):
    for number, name in enumerate(names):
        picture(project.images / f"{name}.png", colour=(number, 0, 0))
        (project.images / f"{name}.txt").write_text(f"mochi, {name}")
        (project.images / f"{name}_0064x0048_sdxl.npz").write_bytes(b"latents")
    return DatasetManager(project)


def acts_of(dataset):
    return [lambda: dataset.rename(RenameSettings.make(name="x")), lambda: dataset.reject(RejectSettings(images=("a",)))]


def listing(dataset):
    return sorted(path.name for path in dataset.project.images.iterdir())


def test_while_a_training_reads_the_images_none_is_renamed_or_rejected(tmp_path):
    run = make_run(tmp_path)
    dataset = in_project(Project(run.project_folder), "a", "b")
    before = listing(dataset)
    start(run, "slow", "--delay", 0.2, "--steps", 500)
    wait_for(run.trainer_mark)
    for act in acts_of(dataset):
        with pytest.raises(DatasetError, match=r"are being trained on \(mochi in the project cats\), so nothing was re.*ed") as told:
            act()
        assert "stop it in the Trainer notebook" in told.value.hint
    assert listing(dataset) == before
    dataset.save_caption("a", "mochi, other", dataset.read_caption("a").revision)
    run.stop(force=True)
    wait_for_end(run)
    assert [dataset.reject(RejectSettings(images=("a",))).done, dataset.rename(RenameSettings.make(name="x")).done] == [["a.png"], 1]


def test_the_images_of_another_project_are_held_too_and_those_of_no_project_do_not_matter(tmp_path):
    run, other = make_run(tmp_path), in_project(Project.create(tmp_path / "dogs", "dogs"), "a")
    picture(tmp_path / "loose" / "c.png")
    (tmp_path / "link").symlink_to(other.project.images)
    folders = [tmp_path / "link", tmp_path / "loose"]
    write_pair(run.settings().with_values(data={"subsets": [{"image_dir": str(folder)} for folder in folders]}), run.folder)
    start(run, "slow", "--delay", 0.2, "--steps", 500)
    wait_for(run.trainer_mark)
    for act in acts_of(other):
        with pytest.raises(DatasetError, match=r"images of 'dogs' are being trained on \(mochi in the project cats\)"):
            act()
    own = in_project(Project(run.project_folder), "a")
    assert own.reject(RejectSettings(images=("a",))).done == ["a.png"]  # nobody reads them
    run.stop(force=True)
    wait_for_end(run)
    assert other.rename(RenameSettings.make(name="x")).done == 1


def test_a_trainer_whose_supervisor_was_killed_still_holds_the_images_and_lets_go_when_it_is_killed(tmp_path):
    run = make_run(tmp_path)
    dataset = in_project(Project(run.project_folder), "a", "b")
    start(run, "slow", "--delay", 60)
    wait_for(lambda: "epoch 1/2" in "".join(run.log_tail()))  # from here on it writes nothing, and so does not miss its reader
    trainer = run.trainer_mark()
    os.kill(run.supervisor_mark().pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(run.supervisor_mark()))
    for act in acts_of(dataset):
        with pytest.raises(DatasetError, match="being trained on"):
            act()
    os.kill(trainer.pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(trainer))
    assert dataset.rename(RenameSettings.make(name="x")).done == 2


@pytest.mark.slow
def test_a_training_waits_until_images_are_moved_and_can_be_stopped_meanwhile(tmp_path):
    run = make_run(tmp_path)
    with Project(run.project_folder).not_in_training("rejected"):
        start(run, "good")
        wait_for(run.heartbeat)
        time.sleep(1.0)
        assert run.trainer_mark() is None and run.state() == "running"
    assert wait_for_end(run) == "done"
    with Project(run.project_folder).not_in_training("rejected"):
        start(run, "good").stop()
        assert wait_for_end(run) == "cancelled"


@pytest.mark.parametrize(("rank", "code", "state"), [(1, 0, "done"), (0, 0, "failed"), (1, 1, "failed")])
def test_a_machine_that_only_helps_is_done_without_a_file(tmp_path, rank, code, state):
    run = make_run(tmp_path, machines={"num_processes": 2, "num_machines": 2, "machine_rank": rank, "main_process_ip": "10.0.0.4"})
    write_pair(run.settings(), run.folder)
    end = judge(run, take_snapshot(run.checkpoints), code, False, [], ["steps: 100%"], False)
    assert end["state"] == state and ("The LoRA lies on the main machine." in end["message"]) == (state == "done")
