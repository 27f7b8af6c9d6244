"""Real runs of sd-scripts that fail, each in its own way: what a person reads is one sentence that says why.

As `test_sd_scripts_run`. What the check would find before the start is put in the way after it, as happens on a machine where others work.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.training import launch as launching
from core.training.guards import GuardSettings
from core.training.manager import TrainingManager
from core.training.run import Run
from tests.core.training.fakes import wait_for, wait_for_end
from tests.integration.real_runs import short_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PATIENCE = 1700
UNET_ONLY = {"network_train_unet_only": True, "network_dim": 4, "network_alpha": 2, "conv_dim": None, "conv_alpha": None}


def begin(manager: TrainingManager, guards: GuardSettings | None = None, **parts: dict[str, object]) -> Run:
    """A run that was not checked, ready to be launched."""
    made = short_settings(manager, network=UNET_ONLY, saving={"output_name": "failing", "save_state": False})
    return launching.prepare(manager.project.folder, made.with_values(**parts), "sd-scripts", guards)


def sentence_of(manager: TrainingManager, run: Run) -> str:
    """What a person reads of a run that failed."""
    assert wait_for_end(run, PATIENCE) == "failed", run.log_tail()
    return manager.status(run.id).sentence()


@pytest.fixture
def missing(squares: TrainingManager, tmp_path: Path) -> Run:
    return begin(squares, model={"pretrained_model_name_or_path": str(tmp_path / "gone.safetensors")})


@pytest.fixture
def wrong(squares: TrainingManager, tmp_path: Path) -> Run:
    (tmp_path / "page.safetensors").write_text("<!DOCTYPE html><html>Sign in to download this model</html>" * 20)
    return begin(squares, model={"pretrained_model_name_or_path": str(tmp_path / "page.safetensors")})


@pytest.fixture
def cut_off(squares: TrainingManager, tmp_path: Path, home: Path) -> Run:
    """A download that ended early."""
    with open(home / "model" / "model.safetensors", "rb") as whole:
        (tmp_path / "half.safetensors").write_bytes(whole.read(1 << 22))
    return begin(squares, model={"pretrained_model_name_or_path": str(tmp_path / "half.safetensors")})


@pytest.fixture
def unreadable(squares: TrainingManager, tmp_path: Path) -> Run:
    """A picture that was cut off in a copy: its header is whole, so that its size is known."""
    shutil.copytree(squares.project.images, tmp_path / "images")
    broken = sorted((tmp_path / "images").glob("*.png"))[1]
    broken.write_bytes(broken.read_bytes()[:90])
    return begin(squares, data={"subsets": [{"image_dir": str(tmp_path / "images"), "num_repeats": 1}]})


@pytest.fixture
def no_optimizer(squares: TrainingManager) -> Run:
    return begin(squares, optimizer={"optimizer_type": "NoSuchOptimizer"})


@pytest.fixture
def no_pictures(squares: TrainingManager, tmp_path: Path) -> Run:
    (tmp_path / "empty").mkdir()
    return begin(squares, data={"subsets": [{"image_dir": str(tmp_path / "empty"), "num_repeats": 1}]})


@pytest.fixture
def no_tokenizer(squares: TrainingManager, tmp_path: Path) -> Run:
    """A folder in which the wanted one is missing; the network is not asked where one is given."""
    return begin(squares, model={"tokenizer_cache_dir": str(tmp_path / "tokenizers")})


@pytest.fixture
def absurd_rate(squares: TrainingManager) -> Run:
    """A rate at the form's end, and a decay that makes weights infinite with the first step."""
    return begin(squares, schedule={"max_train_epochs": 3},
                 optimizer={"optimizer_type": "AdamW", "learning_rate": 1.0, "unet_lr": 1.0, "optimizer_args": ["weight_decay=1e38"]})


@pytest.fixture
def full_disk(squares: TrainingManager) -> Iterator[Run]:
    """Checkpoints on a disk of 1 MiB, without the guard that would wait for room."""
    run = begin(squares, GuardSettings(disk_pause=False))
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(run.checkpoints)],
                                           capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield run
    subprocess.run(["umount", "-l", str(run.checkpoints)], check=False)


@pytest.mark.parametrize(("kind", "said"), [
    ("missing", "The base model is missing: "),
    ("wrong", "A model file is broken or not what its name says"),
    ("cut_off", "A model file is broken or not what its name says"),
    ("unreadable", "images/01.png."),
    ("no_optimizer", "The trainer knows no optimizer NoSuchOptimizer."),
    ("no_pictures", "The trainer found no pictures to train on"),
    ("no_tokenizer", "The model's tokenizer is not there."),
    ("absurd_rate", "The loss became NaN at step 2."),
    ("full_disk", "The disk is full"),
])
def test_the_sentence_says_why(squares, request, kind, said):
    run = launching.launch(request.getfixturevalue(kind))
    sentence = sentence_of(squares, run)
    print(f"{kind}: {sentence}")
    assert said in sentence and "Traceback" not in sentence
    assert not list((run.project_folder / "output").glob("failing*"))


def test_a_killed_trainer_is_told(squares):
    run = launching.launch(begin(squares, schedule={"max_train_epochs": 20}))
    wait_for(lambda: squares.status(run.id).step >= 1, PATIENCE)
    os.kill(run.trainer_mark().pid, signal.SIGKILL)
    assert "The trainer was killed (signal 9)" in sentence_of(squares, run)


def test_a_trainer_that_stands_still_is_told_and_ended(squares):
    guards = GuardSettings(on_stall="stop", stall_factor=3, stall_minutes=0.1)
    run = launching.launch(begin(squares, guards, schedule={"max_train_epochs": 50}))
    wait_for(lambda: squares.status(run.id).step >= 7, PATIENCE)
    os.kill(run.trainer_mark().pid, signal.SIGSTOP)
    assert "No step came for" in sentence_of(squares, run)
