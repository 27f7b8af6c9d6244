"""Packages that settings need are looked for in the trainer's own environment, before anything is loaded."""

import sys
from pathlib import Path

import pytest

from core.training.backends.packages import check_packages, needed_packages
from core.training.config import TrainingSettings


def needed(**changes):
    return {package for package, _, _ in needed_packages(TrainingSettings().with_values(**changes))}


@pytest.mark.parametrize(("changes", "package"), [
    ({"network": {"network_type": "dora"}}, "lycoris"), ({"optimizer": {"optimizer_type": "pytorch_optimizer.CAME"}}, "pytorch_optimizer"),
    ({"optimizer": {"optimizer_type": "adamw8bit"}}, "bitsandbytes"), ({"optimizer": {"optimizer_type": "DAdaptLion"}}, "dadaptation"),
    ({"optimizer": {"optimizer_type": "someone.Optimizer"}}, "someone"), ({"memory": {"xformers": True}}, "xformers"),
    ({"memory": {"attn_mode": "flash"}, "model": {"family": "anima"}}, "flash_attn"), ({"logging": {"log_with": "wandb"}}, "wandb")])
def test_what_the_settings_need(changes, package):
    assert package in needed(**changes)


def test_what_does_not_act_needs_nothing():
    assert needed(optimizer={"optimizer_type": "AdamW"}, memory={"attn_mode": "flash"}) == {"tensorboard"}


def test_what_is_not_there_is_an_error_with_the_command_and_a_way_without():
    settings = TrainingSettings().with_values(optimizer={"optimizer_type": "no_such_package_here.Optimizer"})
    found = [one for one in check_packages(settings, Path(sys.executable)) if "no_such_package_here" in one.what]
    assert [one.level for one in found] == ["error"] and "pip install no_such_package_here" in found[0].remedy
    assert found[0].fix == ()  # another optimizer with these rates and arguments would be another training
    assert not [one for one in check_packages(TrainingSettings().with_values(optimizer={"optimizer_type": "AdamW"}), Path(sys.executable))
                if "torch" in one.what]


def test_an_environment_that_does_not_run_is_told(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    assert [one.level for one in check_packages(TrainingSettings(), broken)] == ["warning"]
