"""From where a run goes on, and what sd-scripts must be told so that each epoch is trained once."""

import pytest

from core.training.outputs import newest_good_state
from core.training.resuming import furthest_state, resume_arguments
from tests.core.training.fake_trainer import write_lora, write_state
from tests.core.training.fakes import make_run

LENGTH = "  num epochs / epoch数: 10\n  total optimization steps / 学習ステップ数: 200\n"


def state_of(run, name, step, epoch):
    folder = run.checkpoints / f"mochi-{name}-state"
    write_state(folder, step)
    (folder / "train_state.json").write_text(f'{{"current_epoch": {epoch}, "current_step": {step}}}')
    return folder


@pytest.mark.parametrize(("accumulated", "taken_up", "name", "step", "epoch", "arguments", "at"), [
    (1, 0, "000003", 60, 3, ["--initial_epoch", "4"], 60),
    (4, 0, "000003", 60, 3, ["--initial_epoch", "4"], 60),
    (1, 60, "000005", 40, 5, ["--initial_epoch", "6"], 100),  # it counted from the last start
    (1, 0, "step00000050", 50, 3, ["--skip_until_initial_step"], 50),
    (1, 60, "step00000010", 10, 4, ["--initial_epoch", "4"], 60),
    (2, 0, "step00000050", 50, 3, ["--initial_epoch", "3"], 40)])
def test_sd_scripts_goes_on_with_the_right_epoch(tmp_path, accumulated, taken_up, name, step, epoch, arguments, at):
    run = make_run(tmp_path, schedule={"gradient_accumulation_steps": accumulated})
    run.log.write_text(LENGTH, encoding="utf-8")
    if taken_up:
        run.note("launch", attempt=2, resumed_from=taken_up)
    state_of(run, name, step, epoch)
    state = furthest_state(run)
    assert resume_arguments(run, state) == arguments and state.step == at


@pytest.mark.parametrize(("buckets", "batch", "accumulated", "steps"), [
    ((7, 3), 2, 1, 3), ((7, 3), 1, 1, 5), ((7, 3), 1, 4, 2), ((), 2, 1, 40), ((), 2, 3, 14)])
def test_several_processes_begin_with_the_right_epoch(tmp_path, buckets, batch, accumulated, steps):
    """sd-scripts divides twice where it is told the epoch. Without buckets in the log the printed batches of each process are believed."""
    run = make_run(tmp_path, machines={"num_processes": 2}, data={"batch_size": batch},
                   schedule={"gradient_accumulation_steps": accumulated})
    told = "".join(f"INFO bucket {number}: resolution (512, 512), count: {count}\n" for number, count in enumerate(buckets))
    run.log.write_text(f"=== attempt 1, from step 0 ===\n{told}{told}  num batches per epoch / 1epoch: 40\n{LENGTH}", encoding="utf-8")
    state_of(run, "000003", 60, 3)
    assert resume_arguments(run, furthest_state(run)) == ["--initial_step", str(3 * steps)]


LEARNED = [f"INFO bucket {number}: resolution (512, 512), count: 20" for number in range(3)]
MEASURED = ["INFO [Prepare validation dataset 0]", "INFO bucket 0: resolution (512, 512), count: 2"]


@pytest.mark.parametrize("lines", [
    [*LEARNED, *MEASURED], [*LEARNED, *LEARNED, *MEASURED, *MEASURED],
    [*LEARNED, LEARNED[0], *MEASURED, *LEARNED[1:], *MEASURED],  # a second process that is a little later
    ["INFO bucket 3: resolution (512, 512), count: 99", *MEASURED, "=== attempt 2, from step 0 ===", *LEARNED, *MEASURED]])
def test_pictures_that_are_only_measured_do_not_shorten_the_epoch(tmp_path, lines):
    """sd-scripts tells their buckets behind the others, from bucket 0 again (library/config_util.py, "Prepare validation dataset")."""
    run = make_run(tmp_path, machines={"num_processes": 2}, data={"batch_size": 2, "validation_split": 0.1})
    run.log.write_text("\n".join(["=== attempt 1, from step 0 ===", *lines, LENGTH]), encoding="utf-8")
    state_of(run, "000003", 45, 3)
    assert resume_arguments(run, furthest_state(run)) == ["--initial_step", "45"]


def test_without_a_log_the_states_own_count_is_believed(tmp_path):
    run = make_run(tmp_path)
    state_of(run, "000003", 60, 3)
    assert furthest_state(run).step == 60


def test_the_furthest_state_is_that_of_the_last_epoch_though_its_count_began_anew(tmp_path):
    run = make_run(tmp_path)
    state_of(run, "000003", 60, 3)
    state_of(run, "000004", 20, 4)
    assert furthest_state(run).folder.name == "mochi-000004-state"


def test_the_built_in_trainers_states_say_it_all(tmp_path):
    run = make_run(tmp_path, "builtin")
    state_of(run, "000003", 60, 3)
    state = furthest_state(run)
    assert resume_arguments(run, state) == [] and state.step == 60 and resume_arguments(run, None) == []


def test_states_and_files_that_hold_no_numbers_are_set_aside(tmp_path):
    run = make_run(tmp_path)
    state_of(run, "000003", 60, 3)
    lost = state_of(run, "000004", 80, 4)
    write_lora(lost / "model.safetensors", float("nan"))
    write_lora(run.checkpoints / "mochi-000004.safetensors", float("nan"))
    write_lora(run.checkpoints / "mochi-000003.safetensors")
    assert newest_good_state(run.checkpoints, "mochi").folder.name == "mochi-000003-state"
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["mochi-000003-state", "mochi-000003.safetensors",
                                                                       "mochi-000004-state.nan", "mochi-000004.safetensors.nan"]
