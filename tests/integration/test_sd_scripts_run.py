"""A real run of sd-scripts from the command line, and the same run by the built-in trainer: what comes out must be alike.

A full-size SD 1.5 of random weights on a CPU; needs 8 GB of memory, 5 GB of disk and a few minutes. Runs where a checkout of sd-scripts
with its environment is given: SD_SCRIPTS_DIR (and SD_SCRIPTS_PYTHON, where the environment does not lie in it).
"""

import json
import math

import pytest

from core.training.evaluation import EvaluationSettings
from core.training.manager import TrainingManager
from tests.integration.real_runs import BATCH_SIZE, EPOCHS, SIZES, Finished, train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ATTENTION_AND_TEXT, CONVOLUTIONS = 264, 86
"""Modules of SD 1.5 that networks.lora takes: 192 of the U-Net and 72 of the text encoder; with conv_dim those of its convolutions too."""
SAME_IN_BOTH = ("ss_steps", "ss_epoch", "ss_num_epochs", "ss_max_train_steps", "ss_num_batches_per_epoch", "ss_num_train_images",
                "ss_num_reg_images", "ss_network_dim", "ss_network_alpha", "ss_network_module", "ss_base_model_version", "ss_learning_rate",
                "ss_unet_lr", "ss_text_encoder_lr", "ss_optimizer", "ss_lr_scheduler", "ss_lr_warmup_steps", "ss_seed", "ss_clip_skip",
                "ss_max_token_length", "ss_mixed_precision", "ss_min_snr_gamma", "ss_tag_frequency", "ss_dataset_dirs", "ss_sd_model_name",
                "ss_new_sd_model_hash", "ss_training_comment", "modelspec.architecture", "modelspec.encoder_layer",
                "modelspec.prediction_type", "modelspec.trigger_phrase")
"""What both must say alike. Left out: names and times, and what sd-scripts only says without a dataset_config."""


@pytest.fixture(scope="module")
def by_sd_scripts(manager: TrainingManager) -> Finished:
    return train(manager, "sd-scripts")


@pytest.fixture(scope="module")
def by_builtin(manager: TrainingManager, by_sd_scripts: Finished) -> Finished:
    """After the other one, so that memory for one of them is enough."""
    return train(manager, "builtin")


def buckets(finished: Finished) -> list[tuple[tuple[int, int], int]]:
    """Size and number of pictures of each bucket that has any, in the file's order."""
    found = json.loads(finished.metadata["ss_datasets"])[0]["bucket_info"]["buckets"]
    in_order = [found[number] for number in sorted(found, key=int)]
    return [(tuple(bucket["resolution"]), bucket["count"]) for bucket in in_order if bucket["count"]]


@pytest.mark.parametrize("name", ["by_sd_scripts", "by_builtin"])
def test_the_monitor_sees_how_it_goes_on(name, request):
    finished: Finished = request.getfixturevalue(name)
    total = finished.last.total
    steps = [status.step for status in finished.seen]
    assert steps == sorted(steps) and steps[-1] == total and len(set(steps)) >= total // 2
    assert {status.epoch for status in finished.seen} >= {1, 2} and finished.last.epochs == EPOCHS
    assert {status.phase for status in finished.seen} >= {"Loading the model", "Training"}
    assert [point.step for point in finished.last.curve] == list(range(1, total + 1))
    assert all(point.loss is not None and math.isfinite(point.loss) for point in finished.last.curve)
    assert any(status.seconds_left for status in finished.seen) and finished.last.lr
    assert [sample.epoch for sample in finished.last.samples] == [1, 2] and len(finished.last.checkpoints) == EPOCHS
    assert finished.last.output == finished.run.project_folder / "output" / f"{finished.run.output_name}.safetensors"


@pytest.mark.parametrize("name", ["by_sd_scripts", "by_builtin"])
def test_gradients_and_changes_of_the_layers_are_measured_inside(name, request):
    """Each step has its gradient, and the layers bear the names of the modules in the file."""
    finished: Finished = request.getfixturevalue(name)
    norms = finished.last.norms
    assert norms.off == "" and [step for step, _, _ in norms.gradient] == list(range(1, finished.last.total + 1))
    assert all(length and length > 0 for _, length, _ in norms.gradient)
    assert {change.name for change in norms.layers} == {tensor.split(".")[0] for tensor in finished.tensors}
    still = {change.name for change in norms.layers if not change.update}
    assert all("_layers_11_" in name for name in still), still  # with CLIP skip 2 the last layer of the text encoder is not asked
    assert len(still) <= 6 and all(change.share < 1 for change in norms.layers)
    assert [part for part, _ in norms.parts] == ["text encoder", "U-Net"] and finished.last.spending.seconds > 1


def test_both_sort_the_pictures_into_the_same_buckets(by_sd_scripts, by_builtin):
    assert buckets(by_sd_scripts) == buckets(by_builtin)
    assert len(buckets(by_builtin)) == 3 and sum(count for _, count in buckets(by_builtin)) == len(SIZES)


def test_both_make_the_same_number_of_steps(by_sd_scripts, by_builtin):
    batches = sum(math.ceil(count / BATCH_SIZE) for _, count in buckets(by_builtin))
    assert by_sd_scripts.last.total == by_builtin.last.total == by_sd_scripts.last.step == by_builtin.last.step == EPOCHS * batches
    assert by_sd_scripts.metadata["ss_steps"] == by_builtin.metadata["ss_steps"] == str(EPOCHS * batches)


def test_both_files_have_the_same_names_shapes_and_kind_of_numbers(by_sd_scripts, by_builtin):
    assert by_sd_scripts.tensors == by_builtin.tensors
    assert len(by_builtin.tensors) == 3 * (ATTENTION_AND_TEXT + CONVOLUTIONS)


def test_both_files_tell_the_same_of_themselves(by_sd_scripts, by_builtin):
    theirs, ours = by_sd_scripts.metadata, by_builtin.metadata
    assert {name: ours.get(name) for name in SAME_IN_BOTH} == {name: theirs.get(name) for name in SAME_IN_BOTH}
    assert None not in [theirs.get(name) for name in SAME_IN_BOTH]


def test_the_evaluation_puts_every_module_of_both_files_on_the_model(manager, by_sd_scripts, by_builtin):
    files = [str(finished.last.output) for finished in (by_sd_scripts, by_builtin)]
    report = manager.evaluate(EvaluationSettings(run=by_sd_scripts.run.id, lora=files, prompts=["mikoneko"], seeds=[1], steps=2))
    assert [(column.applied, column.in_file) for column in report.columns[1:]] == [(ATTENTION_AND_TEXT + CONVOLUTIONS,) * 2] * 2
    assert all(column.changed > 0 for column in report.columns[1:]) and len(report.pictures) == 3
    assert not [warning for warning in report.warnings if "no place" in warning or "left out" in warning]


def test_the_report_of_a_run_of_sd_scripts_is_whole(manager, by_sd_scripts):
    page = manager.report(by_sd_scripts.run.id).read_text(encoding="utf-8")
    assert by_sd_scripts.run.id in page and "sd-scripts" in page and "data:image" in page
