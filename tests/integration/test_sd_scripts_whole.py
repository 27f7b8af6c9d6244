"""Real runs of sd-scripts as a person has them: with samples, validation and states, stopped and taken up, one after the other.

As `test_sd_scripts_run`.
"""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from core.base.files import read_json
from core.base.jobs import read_events
from core.training.config import TrainingSettings
from core.training.manager import TrainingManager
from core.training.outputs import newest_state
from tests.core.training.fakes import wait_for, wait_for_end
from tests.integration.real_runs import Finished, short_settings, watch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

PATIENCE = 1700
UNET_ONLY = {"network_train_unet_only": True, "network_dim": 4, "network_alpha": 2, "conv_dim": None, "conv_alpha": None}
SAMPLES = {"sample_prompts": ["mikoneko, red hair --w 64 --h 64 --s 2 --d 5"], "sample_every_n_epochs": 1, "sample_at_first": True}


def few_steps(manager: TrainingManager, **parts: Mapping[str, Any]) -> TrainingSettings:
    """Two steps an epoch, of two pictures each."""
    folder = {"subsets": [{"image_dir": str(manager.project.images), "num_repeats": 1}]}
    return short_settings(manager, network=UNET_ONLY, data=folder, **parts)


@pytest.fixture(scope="module")
def everything(squares: TrainingManager) -> Finished:
    """Two epochs with samples before and after, a quarter of the pictures held back, and a state at each epoch."""
    made = few_steps(squares, sampling=SAMPLES, schedule={"max_train_epochs": 2},
                     saving={"output_name": "everything", "save_every_n_epochs": 1, "save_state": True})
    made = made.with_values(data={"validation_split": 0.25, "validation_seed": 7, "validate_every_n_epochs": 1})
    return watch(squares, squares.launch(made, "sd-scripts").id)


def test_samples_validation_and_states_come_with_it(everything):
    last = everything.last
    assert last.state == "done", last.sentence()
    assert [sample.moment for sample in last.samples] == ["before", "epoch 1", "epoch 2"]
    assert {status.phase for status in everything.seen} >= {"Training", "Drawing sample pictures"}
    state = newest_state(everything.run.checkpoints, "everything")
    assert state is not None and {path.name for path in state.folder.iterdir()} >= {"optimizer.bin", "train_state.json"}
    assert last.validation_loss is not None and math.isfinite(last.validation_loss)


def test_stopped_at_once_it_goes_on_from_its_last_epoch(squares):
    made = few_steps(squares, schedule={"max_train_epochs": 3},
                     saving={"output_name": "again", "save_every_n_epochs": 1, "save_state": True})
    run = squares.launch(made, "sd-scripts")
    wait_for(lambda: newest_state(run.checkpoints, "again") and squares.status(run.id).step >= 3, PATIENCE)
    squares.stop(run.id)
    assert wait_for_end(run, PATIENCE) == "cancelled"
    assert run.end()["message"] == "The last saved LoRA is again-000001.safetensors. It can go on from step 2."
    squares.resume(run.id)
    finished = watch(squares, run.id)
    assert finished.last.state == "done" and finished.last.step == finished.last.total == 6, finished.last.sentence()
    assert [point.step for point in finished.last.curve] == list(range(1, 7))


def test_two_runs_wait_for_each_other(squares):
    short = {"max_train_epochs": None, "max_train_steps": 1}
    first, second = (squares.launch(few_steps(squares, schedule=short, saving={"output_name": name}), "sd-scripts")
                     for name in ("one", "two"))
    assert [queued.run.id for queued in squares.queue()] == [first.id, second.id]
    assert watch(squares, second.id).last.state == first.state() == "done"
    begun = next(event["time"] for event in read_events(second.folder)[0] if event["event"] == "trainer")
    assert first.end()["time"] <= begun and squares.queue() == []
    assert {path.stem for path in (squares.project.folder / "output").glob("*.safetensors")} >= {"one", "two"}
    assert read_json(second.folder / "command.json")["argv"]
