"""A real run of sd-scripts with pictures kept for validation: its loss stands in the curve, and it ends as ever."""

import pytest

from core.training.manager import TrainingManager
from tests.integration.real_runs import Finished, train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def finished(manager: TrainingManager) -> Finished:
    return train(manager, "sd-scripts", output_name="validated", validation_split=0.4, validate_every_n_steps=2,
                 max_validation_steps=1, max_train_epochs=1, batch_size=1, sample_prompts="[]")


def test_the_validation_loss_of_steps_and_epochs_stands_in_the_curve(finished):
    validated = {point.step: point.validation for point in finished.last.curve if point.validation is not None}
    assert finished.last.total == 3 and set(validated) == {2, 3} and finished.last.validation_loss == validated[3]
    assert all(0 < loss < 10 for loss in validated.values())


def test_the_course_of_the_machine_is_kept_and_the_run_has_ended_as_ever(finished):
    assert finished.last.usage and finished.last.usage[0].disk_free > 0
    assert finished.run.end()["exit_code"] == 0 and finished.last.norms.off == ""
    assert "lorabook_start" not in finished.run.log.read_text()
