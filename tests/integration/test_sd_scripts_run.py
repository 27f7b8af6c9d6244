"""A real run of sd-scripts from the command line, and the same run by the built-in trainer: what comes out must be alike.

A full-size SD 1.5 of random weights on a CPU; needs 8 GB of memory, 5 GB of disk and a few minutes. Runs where a checkout of sd-scripts
with its environment is given: SD_SCRIPTS_DIR (and SD_SCRIPTS_PYTHON, where the environment does not lie in it).
"""

import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from core.base.paths import ROOT
from core.dataset.project import Project
from core.diffusion.kinds import read_header
from core.training.backends.sd_scripts import SdScriptsBackend
from core.training.evaluation import EvaluationSettings
from core.training.manager import TrainingManager
from core.training.monitor import RunStatus
from core.training.run import Run
from tests.full_size import make_full_size
from tests.tiny_models import make_pictures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SIZES = [(160, 160), (130, 128), (300, 100), (260, 90), (100, 300)]
BATCH_SIZE, EPOCHS = 2, 2
ATTENTION_AND_TEXT, CONVOLUTIONS = 264, 86
"""Modules of SD 1.5 that networks.lora takes: 192 of the U-Net and 72 of the text encoder; with conv_dim those of its convolutions too."""
SAME_IN_BOTH = ("ss_steps", "ss_epoch", "ss_num_epochs", "ss_max_train_steps", "ss_num_batches_per_epoch", "ss_num_train_images",
                "ss_num_reg_images", "ss_network_dim", "ss_network_alpha", "ss_network_module", "ss_base_model_version", "ss_learning_rate",
                "ss_unet_lr", "ss_text_encoder_lr", "ss_optimizer", "ss_lr_scheduler", "ss_lr_warmup_steps", "ss_seed", "ss_clip_skip",
                "ss_max_token_length", "ss_mixed_precision", "ss_min_snr_gamma", "ss_tag_frequency", "ss_dataset_dirs", "ss_sd_model_name",
                "ss_new_sd_model_hash", "ss_training_comment", "modelspec.architecture", "modelspec.encoder_layer",
                "modelspec.prediction_type")
"""What both must say alike. Left out: names and times, and what sd-scripts only says without a dataset_config."""


@dataclass
class Finished:
    """One run that has ended, with what the monitor saw on the way."""

    run: Run
    seen: list[RunStatus]

    @property
    def last(self) -> RunStatus:
        return self.seen[-1]

    @property
    def header(self) -> dict[str, Any]:
        assert self.last.output is not None
        return read_header(self.last.output)

    @property
    def metadata(self) -> dict[str, str]:
        return self.header["__metadata__"]

    @property
    def tensors(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Name to kind of number and shape."""
        return {name: (value["dtype"], tuple(value["shape"])) for name, value in self.header.items() if name != "__metadata__"}


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingManager]:
    """A project with pictures of several proportions, beside the model in a folder that goes at the end."""
    if not os.environ.get("SD_SCRIPTS_DIR"):
        pytest.skip("SD_SCRIPTS_DIR names no checkout of sd-scripts")
    if problem := SdScriptsBackend.missing():
        pytest.skip(problem.what)
    folder = tmp_path_factory.mktemp("real")
    if shutil.disk_usage(folder).free < 5 << 30:
        pytest.skip("less than 5 GiB are free on the disk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LORABOOK_PROJECTS", str(folder / "projects"))  # a queue of its own
        make_full_size(folder / "model")
        project = Project.create(folder / "projects" / "real", "real", trigger="mikoneko")
        make_pictures(project.images, SIZES)
        yield TrainingManager.open(project.folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def by_sd_scripts(manager: TrainingManager) -> Finished:
    return train(manager, "sd-scripts")


@pytest.fixture(scope="module")
def by_builtin(manager: TrainingManager, by_sd_scripts: Finished) -> Finished:
    """After the other one, so that memory for one of them is enough."""
    return train(manager, "builtin")


def train(manager: TrainingManager, backend: str) -> Finished:
    """Launch as a person does who has no notebook, then look at it as a panel does."""
    model = manager.project.folder.parent.parent / "model"
    flags = {"preset": "sd15_character", "backend": backend, "pretrained_model_name_or_path": model / "model.safetensors",
             "tokenizer_cache_dir": model / "tokenizers", "resolution": 128, "min_bucket_reso": 64, "max_bucket_reso": 256,
             "batch_size": BATCH_SIZE, "max_train_epochs": EPOCHS, "network_dim": 4, "network_alpha": 2, "conv_dim": 2, "conv_alpha": 1,
             "optimizer_type": "AdamW", "mixed_precision": "no", "max_data_loader_n_workers": 0, "lr_warmup_steps": 1,
             "output_name": backend, "subsets": json.dumps([{"image_dir": str(manager.project.images), "num_repeats": 1}]),
             "sample_prompts": json.dumps(["mikoneko, red hair --w 128 --h 128 --s 2 --d 5"])}
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    argv = [sys.executable, "-m", "core", "train", str(manager.project.folder), *words, "--json"]
    answer = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    run, seen = manager.run(json.loads(answer.stdout)["run"]), list[RunStatus]()
    deadline = time.monotonic() + 1200
    while not seen or not seen[-1].ended:
        assert time.monotonic() < deadline, f"{seen[-1].sentence()}\n" + "\n".join(seen[-1].log[-20:])
        time.sleep(0.2)
        seen.append(manager.status(run.id))
    assert seen[-1].state == "done", f"{seen[-1].sentence()}\n" + "\n".join(seen[-1].log[-40:])
    return Finished(run, seen)


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
