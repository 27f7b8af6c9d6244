"""sd-scripts with two processes on one machine, by accelerate's launcher over gloo: what several GPUs do, on a processor.

As `test_sd_scripts_run`; twice the memory, for each process has a model of its own.
"""

import json
import math
import os
import signal
from pathlib import Path

import pytest

from core.base.process import marked_processes
from core.dataset.project import Project
from core.training import launch as launching
from core.training.backends.accelerate import free_port
from core.training.config.counting import count_steps
from core.training.config.sources import image_counts
from core.training.manager import TrainingManager
from core.training.outputs import list_outputs
from core.training.resuming import furthest_state, resume_arguments
from core.training.watching.company import MARK, mark_for
from tests.core.training.fakes import wait_for, wait_for_end
from tests.integration.real_runs import SQUARES, Finished, launch, train, watch
from tests.tiny_models import make_pictures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

TWO = {"num_processes": 2, "network_train_unet_only": True, "sample_prompts": "[]", "batch_size": 1, "lr_warmup_steps": 0,
       "resolution": 64, "max_bucket_reso": 128}
"""Four pictures, one at a time: two steps an epoch for each of two processes."""
PATIENCE = 1700


@pytest.fixture(autouse=True)
def one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def together(squares: TrainingManager) -> Finished:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        prompts = json.dumps(["mikoneko --w 64 --h 64 --s 2 --d 5", "mikoneko, smiling --w 64 --h 64 --s 2 --d 6"])
        return train(squares, "sd-scripts", **{**TWO, "sample_prompts": prompts}, output_name="together", max_train_epochs=2)


def test_they_make_as_many_steps_as_we_count(squares, together):
    settings = together.run.settings()
    totals = count_steps(settings, image_counts(settings))
    assert (totals.batches_per_epoch, totals.batches_of_process, totals.steps_per_epoch, totals.steps) == (4, 2, 2, 4)
    assert together.last.step == together.last.total == totals.steps
    assert together.metadata["ss_steps"] == str(totals.steps) and together.metadata["ss_num_batches_per_epoch"] == "2"


def test_both_train_and_one_saves(together):
    log = together.run.log.read_text(encoding="utf-8")
    assert "loading model for process 0/2" in log and "loading model for process 1/2" in log
    assert [path.name for path in list_outputs(together.run.checkpoints)] == ["together-000001.safetensors", "together.safetensors"]
    assert together.last.output == together.run.project_folder / "output" / "together.safetensors"


def test_they_share_the_sample_pictures(together):
    assert sorted((sample.epoch, sample.number) for sample in together.last.samples) == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_only_the_progress_of_the_main_process_is_counted(together):
    steps = [status.step for status in together.seen]
    assert steps == sorted(steps) and steps[-1] == 4
    assert [point.step for point in together.last.curve] == [1, 2, 3, 4]
    assert all(point.loss is not None and math.isfinite(point.loss) for point in together.last.curve)


def test_it_stops_after_an_epoch_and_goes_on_with_the_next_one(squares):
    """Also: nothing of it is left behind, and each epoch is trained once."""
    run = squares.run(launch(squares, "sd-scripts", **TWO, output_name="stopped", max_train_epochs=3))
    wait_for(lambda: squares.status(run.id).step >= 1, PATIENCE)
    assert len(marked_processes(MARK, mark_for(run)[MARK])) >= 3
    squares.stop(run.id, after_epoch=True)
    assert wait_for_end(run, PATIENCE) == "cancelled", run.log_tail()
    assert not marked_processes(MARK, mark_for(run)[MARK])
    state = furthest_state(run)
    assert state is not None and (state.folder.name, state.step) == ("stopped-000001-state", 2)
    assert resume_arguments(run, state) == ["--initial_step", "2"]
    launching.resume(run)
    finished = watch(squares, run.id)
    assert finished.last.state == "done" and (finished.last.step, finished.last.total) == (6, 6), finished.last.sentence()
    second = run.log.read_text(encoding="utf-8").split("=== attempt 2")[1]
    assert "epoch 2/3" in second and "epoch 3/3" in second and "epoch 1/3" not in second
    assert finished.metadata["ss_epoch"] == "3"


def test_one_that_fails_takes_the_other_along_and_is_named(squares):
    run = squares.run(launch(squares, "sd-scripts", **TWO, output_name="killed", max_train_epochs=3))
    wait_for(lambda: squares.status(run.id).step >= 1, PATIENCE)
    pids = marked_processes(MARK, mark_for(run)[MARK])
    rank = {pid: dict(line.split("=", 1) for line in Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in line).get("RANK")
            for pid in pids}
    os.kill(next(pid for pid, number in rank.items() if number == "1"), signal.SIGKILL)
    assert wait_for_end(run, PATIENCE) == "failed"
    sentence = squares.status(run.id).sentence()
    assert "The trainer was killed (signal 9)" in sentence and "It was process 1 of the training." in sentence
    assert not marked_processes(MARK, mark_for(run)[MARK])


def test_two_machines_train_together_and_the_main_one_saves(squares, home, monkeypatch):
    """Two on one machine, with a queue each, as on two: one process each."""
    port = free_port()
    apart = {**TWO, "num_machines": 2, "main_process_ip": "127.0.0.1", "main_process_port": port, "max_train_epochs": 1}
    main = squares.run(launch(squares, "sd-scripts", **apart, machine_rank=0, output_name="main"))
    monkeypatch.setenv("LORABOOK_PROJECTS", str(home / "others"))
    project = Project.create(home / "others" / "other", "other", trigger="mikoneko")
    make_pictures(project.images, SQUARES)
    other = TrainingManager.open(project.folder)
    helper = watch(other, launch(other, "sd-scripts", **apart, machine_rank=1, output_name="main"))
    monkeypatch.setenv("LORABOOK_PROJECTS", str(home / "projects"))
    finished = watch(squares, main.id)
    assert (finished.last.state, finished.last.step) == ("done", 2), finished.last.sentence()
    assert helper.last.state == "done" and "The LoRA lies on the main machine." in helper.last.sentence(), helper.last.sentence()
    assert (squares.project.folder / "output" / "main.safetensors").is_file() and not list(project.folder.glob("output/*"))
