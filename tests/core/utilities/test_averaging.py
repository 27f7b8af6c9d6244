"""The checkpoints of a run averaged: the mean of what they do, not of their factors."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core.base.errors import ConfigError
from core.utilities.merging.averaging import AverageSettings, average_loras, checkpoints_of, shares
from tests.core.utilities.layers import best_of_rank, layer, update_of, write

NAME = "lora_unet_up_blocks_1_resnets_0_conv1"


def run(tmp_path, count=4):
    """Checkpoints of a run that moves a little at each; their updates."""
    start, _ = layer("linear")
    updates = []
    for number in range(count):
        move, _ = layer("linear", 1 + number)
        roles = {end: value + (0.1 * move[end] if end != ".alpha" else 0) for end, value in start.items()}
        name = f"mika-{number + 1:06d}" if number < count - 1 else "mika"
        write(tmp_path / f"{name}.safetensors", {NAME: roles})
        updates.append(update_of(load_file(tmp_path / f"{name}.safetensors"), NAME))
    return updates


@pytest.mark.parametrize("method", ["mean", "ema"])
def test_the_average_is_that_of_the_updates_and_its_rank_that_of_the_run(tmp_path, method):
    updates = run(tmp_path)
    report = average_loras(AverageSettings.make(files=(str(tmp_path),), average_method=method, ema_decay=0.6, device="cpu"))
    wanted = updates[0]
    for number, update in enumerate(updates[1:], 2):
        wanted = wanted + (update - wanted) / number if method == "mean" else 0.6 * wanted + 0.4 * update
    best, error = best_of_rank(wanted, 4)
    state = load_file(tmp_path / f"mika-000001-{method}.safetensors")
    assert state[f"{NAME}.lora_down.weight"].shape[0] == 4 and report.error == pytest.approx(error, rel=1e-3)
    assert float((update_of(state, NAME) - best).norm() / best.norm()) < 1e-5
    exact = average_loras(AverageSettings.make(files=[str(path) for path in checkpoints_of([str(tmp_path)])[0]], average_method=method,
                                               ema_decay=0.6, new_rank=16, save_to=str(tmp_path / "exact.safetensors"), device="cpu"))
    if method == "mean":
        assert exact.error == 0 and "mean of 0.25 × mika-000001.safetensors" in exact.sentence()


def test_the_order_is_that_of_the_run_and_the_shares_make_one(tmp_path):
    run(tmp_path, 3)
    (tmp_path / "mika-step00000250.safetensors").write_bytes((tmp_path / "mika.safetensors").read_bytes())
    assert [path.name for path in checkpoints_of([str(tmp_path)])[0]] == [
        "mika-000001.safetensors", "mika-000002.safetensors", "mika-step00000250.safetensors", "mika.safetensors"]
    assert sum(shares(7, 0.9)) == pytest.approx(1) and shares(3, 0.5) == (0.25, 0.25, 0.5) and shares(2) == (0.5, 0.5)


def test_steps_that_the_files_tell_count_more_than_the_numbers_in_their_names(tmp_path):
    for name, steps in (("mika-000002", 400), ("mika-step00000250", 250), ("mika-000001", 200), ("mika", 600)):
        write(tmp_path / f"{name}.safetensors", {NAME: layer("linear")[0]}, {"ss_steps": str(steps)})
    assert [path.stem for path in checkpoints_of([str(tmp_path)])[0]] == ["mika-000001", "mika-step00000250", "mika-000002", "mika"]


def test_what_was_made_of_checkpoints_is_not_averaged_with_them_and_two_runs_are_not_mixed(tmp_path):
    run(tmp_path, 3)
    for name in ("mika-r16", "mika-000001-mean", "other"):
        write(tmp_path / f"{name}.safetensors", {NAME: layer("linear")[0]})
    report = average_loras(AverageSettings.make(files=(str(tmp_path),), save_to=str(tmp_path / "again.safetensors"), device="cpu"))
    assert [Path(name).stem for name, _ in report.sources] == ["mika-000001", "mika-000002", "mika"]
    assert report.notes[-1] == "Not of this run, and left out: mika-000001-mean.safetensors, mika-r16.safetensors, other.safetensors."
    write(tmp_path / "other-000001.safetensors", {NAME: layer("linear")[0]})
    with pytest.raises(ConfigError, match="has checkpoints of several runs: mika, other"):
        average_loras(AverageSettings.make(files=(str(tmp_path),)))


def checkpoints(tmp_path, output_name, *names):
    for name in names:
        write(tmp_path / f"{name}.safetensors", {NAME: layer("linear")[0]}, {"ss_output_name": output_name} if output_name else {})
    return [path.stem for path in checkpoints_of([str(tmp_path)])[0]]


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("name", ["mika-2", "mika-240115"])
def test_the_last_file_of_a_run_whose_name_ends_in_a_number_is_of_the_run(tmp_path, name, told):
    names = [f"{name}-000001", f"{name}-000002", name]
    assert checkpoints(tmp_path, name if told else "", *names) == names


def test_versions_are_no_checkpoints_of_one_run(tmp_path):
    with pytest.raises(ConfigError, match="There is only 1 checkpoint"):
        checkpoints(tmp_path, "", "v-1", "v-2", "v-3")


def test_a_file_that_is_broken_and_not_of_the_run_is_only_left_out(tmp_path):
    (tmp_path / "half.safetensors").write_bytes(b"half")
    assert checkpoints(tmp_path, "mika", "mika-000001", "mika") == ["mika-000001", "mika"]


@pytest.mark.parametrize("kind", ["linear", "conv", "loha", "lokr", "lokr factors", "lokr conv", "lokr tucker"])
def test_each_layer_keeps_the_rank_that_its_own_updates_have(tmp_path, kind):
    updates = []
    for number in (1, 2):
        own, update = layer(kind, number, rank=2)
        other = layer("linear", number, rank=8)[0]
        write(tmp_path / f"mika-{number:06d}.safetensors", {NAME: own, "lora_unet_down_blocks_0_proj_in": other})
        updates.append(update)
    report = average_loras(AverageSettings.make(files=(str(tmp_path),), save_to=str(tmp_path / "out.safetensors"), device="cpu"))
    whole = sum(updates) / 2
    rank = int(torch.linalg.matrix_rank(updates[0].flatten(1)))
    ranks = {plan.name: plan.new_rank for plan in report.layers}
    assert ranks == {NAME: rank, "lora_unet_down_blocks_0_proj_in": 8}
    best = best_of_rank(whole, rank)[0]
    assert float((update_of(load_file(report.file), NAME).flatten() - best.flatten()).norm() / best.norm()) < 1e-5


def test_one_checkpoint_alone_has_no_average(tmp_path):
    run(tmp_path, 1)
    with pytest.raises(ConfigError, match="There is only 1 checkpoint"):
        average_loras(AverageSettings.make(files=(str(tmp_path),)))


def test_the_mean_of_the_factors_would_be_another_one(tmp_path):
    updates = run(tmp_path, 2)
    states = [load_file(tmp_path / f"{name}.safetensors") for name in ("mika-000001", "mika")]
    up, down = (sum(state[f"{NAME}.lora_{side}.weight"] for state in states) / 2 for side in ("up", "down"))
    mean = sum(updates) / 2
    assert float((0.5 * up.double() @ down.double() - mean).norm() / torch.linalg.norm(mean)) > 1e-3
