"""What a check says of this machine: its GPU's precision, what a machine without one does, and how long the training takes there."""

from pathlib import Path

import pytest

from core.base.paths import DEMO_ASSETS
from core.dataset.project import Project
from core.training import machine
from core.training.config import TrainingSettings
from core.training.config.presets import load_preset
from core.training.fitting import fit_to_project
from core.training.machine import check_machine, is_small, rough_time
from core.training.manager import TrainingManager
from core.training.run import Run
from tests.core.training.test_fitting import make_pictures

FULL = {"pretrained_model_name_or_path": "/models/not/here.safetensors"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    put_cores(monkeypatch, 2)
    made = Project.create(tmp_path / "cats", "cats", trigger="mochi")
    make_pictures(made.images, 20)
    return made


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr("core.setup.hardware.SMI_PLACES", ())
    monkeypatch.setenv("PATH", "/nowhere")


def put_cores(monkeypatch, count):
    """A machine of so many cores."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(count)), raising=False)


def put_nvidia_smi(folder, monkeypatch, name, capability):
    """A stand-in for a program that a machine without a GPU cannot have."""
    program = folder / "nvidia-smi"
    program.write_text(f'#!/bin/sh\ncase "$*" in *query-gpu*) echo "{name}, 550.54, 15360, 15000, {capability}";; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def character(project, **changes):
    """The settings of a newcomer: fp16, AdamW8bit, 512 px, 200 pictures an epoch, batches of 2, 10 epochs."""
    return fit_to_project(load_preset("sd15_character"), project).with_values(**{"model": FULL, **changes})


def said(project, settings, backend="builtin"):
    return {finding.level: str(finding) for finding in reversed(check_machine(settings, backend, project.folder))}


@pytest.mark.parametrize(("name", "capability", "found"), [("Tesla T4", "7.5", True), ("Tesla V100", "7.0", True),
                                                           ("NVIDIA A100", "8.0", False), ("NVIDIA B200", "10.0", False),
                                                           ("Old driver", "[N/A]", False)])
@pytest.mark.parametrize("backend", ["builtin", "sd-scripts"])
def test_a_gpu_without_bf16_is_told_before_hours_are_lost(project, tmp_path, monkeypatch, name, capability, found, backend):
    put_nvidia_smi(tmp_path, monkeypatch, name, capability)
    checked = TrainingManager.open(project.folder).check(load_preset("sdxl_character"), backend)
    findings = [finding for finding in checked if "bf16" in finding.what]
    assert bool(findings) == found
    if found:
        assert findings[0].level == "error" and name in findings[0].what
        assert findings[0].remedy == "Set 'Precision' (mixed_precision) to fp16."


def test_on_a_gpu_nothing_is_said_of_fp16_of_the_optimizer_and_of_the_time(project, tmp_path, monkeypatch):
    put_nvidia_smi(tmp_path, monkeypatch, "Tesla T4", "7.5")
    assert check_machine(character(project), "builtin", project.folder) == []
    full = check_machine(load_preset("sdxl_character").with_values(memory={"full_bf16": True}), "builtin", project.folder)
    assert ["'All in bf16' (full_bf16) off" in finding.remedy for finding in full] == [True]


def test_without_a_gpu_the_newcomers_settings_get_a_warning_each_for_time_precision_and_optimizer(project, no_gpu):
    found = check_machine(character(project), "builtin", project.folder)
    assert [finding.level for finding in found] == ["warning"] * 3 and all(finding.remedy for finding in found)
    time, precision, optimizer = (finding.what for finding in found)
    assert time.endswith("This training takes about 13 hours: 1000 steps of about 47 s (a rough estimate for this machine's 2 cores).")
    assert time.startswith("No NVIDIA GPU was found" if not Path("/dev/nvidia0").exists() else "An NVIDIA device is there")
    assert "fp16" in precision and "the built-in trainer computes in full precision instead" in precision
    assert "AdamW8bit" in optimizer


def test_the_check_of_the_front_desk_says_so_too(project, no_gpu):
    found = TrainingManager.open(project.folder).check(character(project))
    assert sum("no NVIDIA GPU was found" in finding.what or "This training takes" in finding.what for finding in found) == 3


def test_settings_for_a_processor_leave_only_the_time_to_be_told(project, no_gpu):
    made = character(project, memory={"mixed_precision": "no"}, optimizer={"optimizer_type": "AdamW"})
    assert ["This training takes" in finding.what for finding in check_machine(made, "builtin", project.folder)] == [True]


@pytest.mark.parametrize(("precision", "words"), [("fp16", "sd-scripts refuses to train"), ("bf16", "sd-scripts imitates it")])
def test_sd_scripts_without_a_gpu_is_said_to_refuse_or_to_crawl(project, no_gpu, precision, words):
    found = check_machine(character(project, memory={"mixed_precision": precision}), "sd-scripts", project.folder)
    assert any(words in finding.what for finding in found)


def test_sd_scripts_on_a_mac_is_not_judged(project, no_gpu, monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert check_machine(character(project), "sd-scripts", project.folder) == []
    assert len(check_machine(character(project), "builtin", project.folder)) == 3


def test_more_pixels_pictures_and_a_larger_family_take_longer_and_more_cores_less(project, no_gpu, monkeypatch):
    def seconds(**changes):
        return machine._seconds_by_work(character(project, **changes))

    small = seconds(data={"resolution": 128})
    assert 3 < small < 8  # measured: 5 s
    assert seconds() > 8 * small and seconds(data={"batch_size": 4}) == 2 * seconds()
    assert seconds(model={**FULL, "family": "sdxl"}) > 2 * seconds() > 2 * seconds(memory={"gradient_checkpointing": False})
    assert seconds(network={"network_train_unet_only": True}) < seconds()
    before = seconds()
    put_cores(monkeypatch, 8)
    assert seconds() == before / 4


def test_the_demo_model_is_exempt_and_one_that_is_not_here_counts_as_of_full_size(project, no_gpu):
    demo = fit_to_project(load_preset("demo"), project).with_values(model={"pretrained_model_name_or_path": str(DEMO_ASSETS / "model")})
    assert check_machine(demo, "builtin", project.folder) == []
    assert is_small(demo) and not is_small(character(project)) and not is_small(TrainingSettings())


def test_a_small_trial_of_a_full_model_is_told_without_a_warning(project, no_gpu):
    trial = character(project, data={"resolution": 128}, schedule={"max_train_epochs": 1}, memory={"mixed_precision": "no"},
                      optimizer={"optimizer_type": "AdamW"})
    assert list(said(project, trial)) == ["info"] and "about 8 min: 100 steps" in said(project, trial)["info"]


def test_without_pictures_only_a_step_is_told(tmp_path, no_gpu, monkeypatch):
    put_cores(monkeypatch, 1)
    empty = Project.create(tmp_path / "empty", "empty")
    assert "A step takes about 93 s (a rough estimate for this machine's one core)." in said(empty, character(empty))["warning"]


def test_a_driver_that_does_not_answer_is_named(project, tmp_path, monkeypatch):
    put_nvidia_smi(tmp_path, monkeypatch, "", "")
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    assert said(project, character(project))["warning"].startswith("nvidia-smi lists no GPU: the driver does not answer")


@pytest.mark.parametrize("there", [True, False])
def test_an_environment_of_sd_scripts_without_bitsandbytes_is_told(project, tmp_path, monkeypatch, there):
    put_nvidia_smi(tmp_path, monkeypatch, "Tesla T4", "7.5")
    packages = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    (packages / ("bitsandbytes" if there else "torch")).mkdir(parents=True)
    (tmp_path / "env" / "bin").mkdir()
    (tmp_path / "env" / "bin" / "python").touch()
    monkeypatch.setenv("SD_SCRIPTS_PYTHON", str(tmp_path / "env" / "bin" / "python"))
    found = check_machine(character(project), "sd-scripts", project.folder)
    assert [f"is not in the environment {tmp_path / 'env'}" in finding.what for finding in found] == ([] if there else [True])
    assert check_machine(character(project), "builtin", project.folder) == []


def make_run(project, settings, seconds, device):
    run = Run.create(project.folder, settings, "builtin")
    run.note("start", total_steps=1000, epochs=10, device=device)
    for step in (1, 2):
        run.note("step", step=step, epoch=1, loss=0.1, seconds=seconds)
    return run


def test_a_former_run_of_the_same_work_tells_the_time(project, no_gpu, tmp_path, monkeypatch):
    settings = character(project)
    make_run(project, settings, 0.5, "cuda")
    assert "a rough estimate" in said(project, settings)["warning"]  # that was another machine
    run = make_run(project, settings, 60.0, "cpu")
    assert f"about 17 hours: 1000 steps of about 60 s (as fast as the run {run.id})" in said(project, settings)["warning"]
    assert "a rough estimate" in said(project, settings.with_values(data={"batch_size": 1}))["warning"]
    monkeypatch.undo()
    put_nvidia_smi(tmp_path, monkeypatch, "Tesla T4", "7.5")
    (finding,) = check_machine(settings, "builtin", project.folder)
    assert finding.level == "info" and finding.what.startswith("This training takes about 8 min: 1000 steps of about 0.5 s (as fast as")


@pytest.mark.parametrize(("seconds", "words"), [(0.04, "0.04 s"), (2.4, "2 s"), (47.2, "47 s"), (600, "10 min"), (47_000, "13 hours"),
                                                (400_000, "5 days")])
def test_times_are_no_more_exact_than_an_estimate(seconds, words):
    assert rough_time(seconds) == words
