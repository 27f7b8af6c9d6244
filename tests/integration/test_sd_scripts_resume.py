"""sd-scripts stopped after an epoch and taken up again, with accumulated batches and with another batch: each epoch is trained once.

As `test_sd_scripts_run`: a full-size SD 1.5 of random weights on a CPU, where SD_SCRIPTS_DIR names a checkout with its environment.
"""

import json
import re
from pathlib import Path

import pytest

from core.base.tensor_headers import read_header
from core.training import launch
from core.training.config.pair import write_pair
from core.training.resuming import furthest_state
from core.training.run import Run
from tests.core.training.fakes import wait_for, wait_for_end
from tests.integration.real_runs import short_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

EPOCHS = 3
SCHEDULE = {"max_train_epochs": EPOCHS, "gradient_accumulation_steps": 2, "lr_scheduler": "linear", "lr_warmup_steps": 0}
"""An epoch of two steps of two times two pictures."""
PATIENCE = 1700
"""Seconds; a machine with much else to do is slow."""


def epochs_in(log: Path) -> list[list[int]]:
    """The epochs that begin, by attempt."""
    attempts = log.read_text(encoding="utf-8").split("=== attempt ")[1:]
    return [[int(number) for number in re.findall(rf"^epoch (\d+)/{EPOCHS}\s*$", lines, re.MULTILINE)] for lines in attempts]


def test_each_epoch_is_trained_once_also_when_it_goes_on_with_another_batch(squares):
    run: Run = squares.launch(short_settings(squares, schedule=SCHEDULE), "sd-scripts")
    wait_for(lambda: squares.status(run.id).step >= 1, PATIENCE)
    squares.stop(run.id, after_epoch=True)
    assert wait_for_end(run, PATIENCE) == "cancelled", run.log_tail()
    state = furthest_state(run)
    assert state is not None and (state.folder.name, state.step) == (f"{run.output_name}-000001-state", 2)
    spared = run.settings().with_values(data={"batch_size": 1}, schedule={"gradient_accumulation_steps": 4})
    write_pair(spared, run.folder)
    launch.launch(run, state)
    argv = json.loads((run.folder / "command.json").read_text())["argv"]
    assert argv[-2:] == ["--initial_epoch", "2"]
    assert wait_for_end(run, PATIENCE) == "done", run.log_tail()
    first, second = epochs_in(run.log)
    assert first in ([1], [1, 2]) and second == [2, 3]  # the next one may have begun when the saved one was found whole
    status = squares.status(run.id)
    assert (status.step, status.total) == (6, 6) and [point.step for point in status.curve][-1] == 6
    rates = {point.step: point.lr for point in status.curve if point.lr}
    assert max(rates[6].values()) < max(rates[1].values())  # the schedule went on
    assert read_header(status.output).metadata["ss_epoch"] == str(EPOCHS)
