"""Steps and files, by sd-scripts' arithmetic."""

import pytest

from core.base.errors import ConfigError
from core.training.config import Subset, TrainingSettings
from core.training.config.counting import count_steps, repeats_of_images


def settings(repeats=(10,), **changes):
    subsets = [{"image_dir": f"/p/{number}", "num_repeats": count} for number, count in enumerate(repeats)]
    made = TrainingSettings().with_values(data={"subsets": subsets, "batch_size": 2})
    return made.with_values(**changes) if changes else made


def test_real_runs_of_sd_scripts_are_counted_as_it_printed():
    """6 pictures, batch size 1, 2 epochs: 12 steps. 4 pictures, 2 steps, a file at each step: 1 epoch, 3 files."""
    by_epochs = settings((1,), data={"batch_size": 1}, schedule={"max_train_epochs": 2})
    assert (count_steps(by_epochs, [6]).steps, count_steps(by_epochs, [6]).images) == (12, 6)
    by_steps = settings((1,), data={"batch_size": 1}, schedule={"max_train_epochs": None, "max_train_steps": 2},
                        saving={"save_every_n_epochs": None, "save_every_n_steps": 1})
    totals = count_steps(by_steps, [4])
    assert (totals.batches_per_epoch, totals.epochs, totals.saves) == (4, 1, 3)


def test_each_buckets_last_batch_counts():
    one = count_steps(settings((1,)), [5])
    many = count_steps(settings((1,)), [5], {(512, 512): 3, (448, 576): 1, (576, 448): 1})
    assert (one.batches_per_epoch, many.batches_per_epoch) == (3, 4)


def test_accumulation_rounds_each_epoch_up():
    totals = count_steps(settings((1,), schedule={"gradient_accumulation_steps": 4, "max_train_epochs": 3}), [10])
    assert (totals.batches_per_epoch, totals.steps_per_epoch, totals.steps) == (5, 2, 6)


def test_steps_without_epochs_round_the_epochs_up():
    totals = count_steps(settings((1,), schedule={"max_train_epochs": None, "max_train_steps": 12}), [10])
    assert (totals.steps, totals.epochs) == (12, 3)


def test_without_any_length_it_is_sd_scripts_default():
    assert count_steps(settings((1,), schedule={"max_train_epochs": None}), [10]).steps == 1600


def test_files_are_counted_with_the_last_one_once():
    totals = count_steps(settings((1,), saving={"save_every_n_epochs": 2, "save_every_n_steps": 10}), [10])
    assert totals.steps == 50
    assert totals.saves == 4 + 5 + 1


@pytest.mark.parametrize(("repeats", "counts", "expected"), [
    ((2, 1), (3, 4), [[2, 2, 2], [2, 2, 1, 1]]),
    ((1, 1), (2, 5), [[1, 1], [1, 1, 0, 0, 0]]),
    ((5, 3), (1, 1), [[5], [5]]),
])
def test_regularisation_pictures_are_as_many_as_the_pictures_to_learn(repeats, counts, expected):
    subsets = [Subset(image_dir="/a", num_repeats=repeats[0]), Subset(image_dir="/b", num_repeats=repeats[1], is_reg=True)]
    assert repeats_of_images(subsets, counts) == expected


def test_nothing_to_train_from_is_an_error():
    with pytest.raises(ConfigError, match="no picture"):
        count_steps(settings(), [0])
    with pytest.raises(ConfigError, match="1 folders, but 2 counts"):
        count_steps(settings(), [1, 2])


def test_several_gpus_share_the_batches_as_the_settings_say():
    """Five pictures one at a time on two processes: a real run made three steps in each of two epochs."""
    made = settings((1,), data={"batch_size": 1}, schedule={"max_train_epochs": 2}, machines={"num_processes": 2})
    totals = count_steps(made, [5])
    assert (totals.batches_per_epoch, totals.batches_of_process, totals.steps_per_epoch, totals.steps) == (5, 3, 3, 6)
    assert count_steps(made, [5], processes=1).steps == 10
