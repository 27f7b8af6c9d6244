"""What a check says of this machine: its GPU's precision, what a machine without one does, and how long the training takes there."""

import json
from pathlib import Path

import pytest

from core.base.paths import DEMO_ASSETS
from core.dataset.project import Project
from core.setup import hardware
from core.training import duration
from core.training.config import TrainingSettings
from core.training.config.presets import load_preset
from core.training.duration import is_small, rough_time
from core.training.fitting import fit_to_project
from core.training.machine import check_gpus, check_machine
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
    monkeypatch.setattr(hardware, "CPUS", Path("/nowhere"))
    monkeypatch.setattr(hardware, "CGROUPS", Path("/nowhere"))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(count)), raising=False)


def put_nvidia_smi(folder, monkeypatch, name, capability):
    """A stand-in for a program that a machine without a GPU cannot have."""
    program = folder / "nvidia-smi"
    program.write_text(f'#!/bin/sh\ncase "$*" in *query-gpu*) echo "{name}, 550.54, 15360, 15000, {capability}";; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    put_torch(folder, monkeypatch)


def put_torch(folder, monkeypatch, **says):
    """A stand-in for the trainer's Python, with a torch that this machine cannot have; it notes each call. Returns: the note's path."""
    answer = {"version": "2.8", "cuda": "12.4", "sees": True, "error": "", **says}
    python = folder / "torch" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    (folder / "torch" / "lib" / "python3.11" / "site-packages").mkdir(parents=True, exist_ok=True)
    python.write_text(f"#!/bin/sh\necho asked >> {folder}/asked\necho '{json.dumps(answer)}'\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    return folder / "asked"


def character(project, **changes):
    """The settings of a newcomer: fp16, AdamW8bit, 512 px, 200 pictures an epoch, batches of 2, 10 epochs."""
    return fit_to_project(load_preset("sd15_character"), project).with_values(**{"model": FULL, **changes})


def said(project, settings, backend="builtin"):
    return {finding.level: str(finding) for finding in reversed(check_machine(settings, backend, project.folder))}


@pytest.mark.parametrize(("name", "capability", "found"), [("Tesla T4", "7.5", True), ("Tesla V100", "7.0", True),
                                                           ("NVIDIA A100", "8.0", False), ("NVIDIA B200", "10.0", False),
                                                           ("Old driver", "[N/A]", False)])
@pytest.mark.parametrize("backend", ["builtin", "sd-scripts"])
def test_a_gpu_without_the_precision_is_told_before_hours_are_lost(project, tmp_path, monkeypatch, name, capability, found, backend):
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
    assert time.endswith("This training takes about 11 hours: 1000 steps of about 40 s (a rough estimate for this machine's 2 cores).")
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
        return duration.step_work(character(project, **changes)) / (duration.CORE_SPEED * hardware.cpu_cores())

    small = seconds(data={"resolution": 128})
    assert 3.8 < small < 4.7  # measured: 4.25 s
    assert seconds() > 8 * small and seconds(data={"batch_size": 4}) == 2 * seconds()
    assert seconds(model={**FULL, "family": "sdxl"}) > 2 * seconds() > 2 * seconds(memory={"gradient_checkpointing": False})
    assert seconds(network={"network_train_unet_only": True}) < seconds()
    before = seconds()
    put_cores(monkeypatch, 8)
    assert seconds() == before / 4
    assert duration._cores_words() == "this machine's 8 cores"


def test_the_demo_model_is_exempt_and_one_that_is_not_here_counts_as_of_full_size(project, no_gpu):
    demo = fit_to_project(load_preset("demo"), project).with_values(model={"pretrained_model_name_or_path": str(DEMO_ASSETS / "model")})
    (told,) = check_machine(demo, "builtin", project.folder)
    assert told.level == "info" and "so small that a processor is enough" in told.what
    assert is_small(demo) and not is_small(character(project)) and not is_small(TrainingSettings())


def test_a_small_trial_of_a_full_model_is_told_without_a_warning(project, no_gpu):
    trial = character(project, data={"resolution": 128}, schedule={"max_train_epochs": 1}, memory={"mixed_precision": "no"},
                      optimizer={"optimizer_type": "AdamW"})
    assert list(said(project, trial)) == ["info"] and "about 7 min: 100 steps" in said(project, trial)["info"]


def test_without_pictures_only_a_step_is_told(tmp_path, no_gpu, monkeypatch):
    put_cores(monkeypatch, 1)
    empty = Project.create(tmp_path / "empty", "empty")
    assert "A step takes about 80 s (a rough estimate for this machine's one core)." in said(empty, character(empty))["warning"]


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


@pytest.mark.parametrize(("says", "why"), [({"sees": False}, "torch 2.8 does not see the GPU."),
                                           ({"sees": False, "cuda": None}, "torch 2.8 was built without CUDA.")])
@pytest.mark.parametrize("backend", ["builtin", "sd-scripts"])
def test_a_gpu_that_torch_does_not_see_is_a_machine_without_one_and_told_as_such(project, tmp_path, monkeypatch, says, why, backend):
    put_nvidia_smi(tmp_path, monkeypatch, "NVIDIA A100", "8.0")
    put_torch(tmp_path, monkeypatch, **says)
    monkeypatch.setenv("SD_SCRIPTS_PYTHON", str(tmp_path / "torch" / "bin" / "python"))
    trouble, time, *others = check_machine(character(project), backend, project.folder)
    assert trouble.level == "warning" and trouble.remedy and "installer.py" in trouble.remedy
    assert trouble.what == f"A GPU is there, but torch does not see it: {why} So the training would run on the processor."
    assert time.level == "warning" and "hours: 1000 steps" in time.what and "No NVIDIA GPU" not in time.what
    assert ["torch does not see the GPU" in finding.what for finding in others[:2]] == [True, True]


def test_a_demo_on_the_processor_beside_a_gpu_is_told_too(project, tmp_path, monkeypatch):
    put_nvidia_smi(tmp_path, monkeypatch, "NVIDIA A100", "8.0")
    put_torch(tmp_path, monkeypatch, sees=False)
    demo = fit_to_project(load_preset("demo"), project).with_values(model={"pretrained_model_name_or_path": str(DEMO_ASSETS / "model")})
    assert ["A GPU is there, but torch does not see it" in str(found) for found in check_machine(demo, "builtin", project.folder)] == [True]


def test_a_gpu_that_torch_sees_and_cannot_use_is_an_error(project, tmp_path, monkeypatch):
    put_nvidia_smi(tmp_path, monkeypatch, "NVIDIA B200", "10.0")
    put_torch(tmp_path, monkeypatch, error="no kernel image is available")
    (finding,) = check_machine(character(project), "builtin", project.folder)
    assert finding.level == "error" and "cannot use it: no kernel image is available" in finding.what


def test_torch_is_asked_once_until_something_is_installed_and_never_by_a_launch(project, tmp_path, monkeypatch):
    put_nvidia_smi(tmp_path, monkeypatch, "NVIDIA A100", "8.0")
    asked = put_torch(tmp_path, monkeypatch, sees=False)
    assert check_machine(character(project), "builtin", project.folder, deep=False) == [] and not asked.exists()
    for _ in range(3):
        check_machine(character(project), "builtin", project.folder)
    assert asked.read_text() == "asked\n"
    assert len(check_machine(character(project), "builtin", project.folder, deep=False)) == 4  # what is known is used
    (tmp_path / "torch" / "lib" / "python3.11" / "site-packages" / "torch-2.8.dist-info").mkdir()
    put_torch(tmp_path, monkeypatch, sees=True)
    assert check_machine(character(project), "builtin", project.folder) == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    put_torch(tmp_path, monkeypatch, sees=False)
    assert "unset CUDA_VISIBLE_DEVICES" in check_machine(character(project), "builtin", project.folder)[0].remedy


def test_a_trainer_whose_torch_does_not_start_is_left_to_the_doctor(project, tmp_path, monkeypatch):
    put_nvidia_smi(tmp_path, monkeypatch, "NVIDIA A100", "8.0")
    (tmp_path / "torch" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    assert check_machine(character(project), "builtin", project.folder) == []


def test_sample_pictures_and_the_encoding_of_the_pictures_take_their_time(project, no_gpu):
    def hours(**changes):
        return said(project, character(project, **changes))["warning"]

    def prompts(*given, **values):
        return {"sampling": {"sample_prompts": list(given), **values}}

    assert "sample" not in hours()
    assert "about 13 hours: 1000 steps of about 40 s, and 20 sample pictures (a rough" in hours(**prompts("a cat", "a dog"))
    assert "and 1 sample picture (" in hours(**prompts("a cat", sample_every_n_epochs=10))
    assert "and 11 sample pictures (" in hours(**prompts("a cat", sample_at_first=True))
    assert "and 5 sample pictures (" in hours(**prompts("a cat", sample_every_n_epochs=None, sample_every_n_steps=200))
    assert "sample" not in hours(**prompts("a cat", sample_every_n_epochs=None))
    totals = duration._totals(character(project))
    of_one, count = duration._work_beside_steps(character(project, **prompts("a cat", sample_every_n_epochs=10)), totals)
    none, _ = duration._work_beside_steps(character(project), totals)
    assert count == 1 and of_one - none == 512 * 512 * (28 * 2 * 3.1e6 + duration.DECODE_PIXEL)
    small, _ = duration._work_beside_steps(character(project, **prompts("a cat --w 256 --h 256 --s 14", sample_every_n_epochs=10)), totals)
    assert small - none < (of_one - none) / 7
    assert none == 20 * 512 * 512 * duration.ENCODE_PIXEL
    assert duration._work_beside_steps(character(project, data={"cache_latents": False}), totals) == (0, 0)
    assert duration.step_work(character(project, data={"cache_latents": False})) > 1.3 * duration.step_work(character(project))


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
    for other in ({"batch_size": 1}, {"cache_latents": False}):
        assert "a rough estimate" in said(project, settings.with_values(data=other))["warning"]
    monkeypatch.undo()
    put_nvidia_smi(tmp_path, monkeypatch, "Tesla T4", "7.5")
    (finding,) = check_machine(settings, "builtin", project.folder)
    assert finding.level == "info" and finding.what.startswith("This training takes about 8 min: 1000 steps of about 0.5 s (as fast as")


@pytest.mark.parametrize(("seconds", "words"), [(0.04, "0.04 s"), (2.4, "2 s"), (47.2, "47 s"), (600, "10 min"), (47_000, "13 hours"),
                                                (400_000, "5 days")])
def test_times_are_no_more_exact_than_an_estimate(seconds, words):
    assert rough_time(seconds) == words


def test_a_run_of_another_trainer_tells_its_time_by_its_log_and_is_read_once(project, no_gpu, monkeypatch):
    settings = character(project)
    run = Run.create(project.folder, settings, "sd-scripts")
    run.log.write_text("running training\nsteps:  40%|####      | 400/1000 [06:40<10:00,  2.50s/it, avr_loss=0.1]\n", encoding="utf-8")
    wanted = (2.5, f"as fast as the run {run.id}")
    assert duration._former_speed(settings, "sd-scripts", project.folder, on_gpu=False) == wanted
    assert duration._former_speed(settings, "builtin", project.folder, on_gpu=False) is None
    assert duration._former_speed(settings.with_values(data={"batch_size": 7}), "sd-scripts", project.folder, on_gpu=False) is None
    read = duration._pace_of.cache_info().misses + duration._work_written.cache_info().misses
    assert duration._former_speed(settings, "sd-scripts", project.folder, on_gpu=False) == wanted
    assert duration._pace_of.cache_info().misses + duration._work_written.cache_info().misses == read
    run.log.write_text(run.log.read_text().replace("2.50s/it", "4.00s/it") + "\n", encoding="utf-8")
    assert duration._former_speed(settings, "sd-scripts", project.folder, on_gpu=False)[0] == 4.0
def gpus(*names):
    return tuple(hardware.Gpu(name, "550.54", 24_000, 24_000, "8.9") for name in names)


@pytest.mark.parametrize(("there", "machines", "level", "said", "fix"), [
    (gpus("A", "A"), {"num_processes": 2}, "", "", {}),
    (gpus("A"), {"gpu_ids": "0"}, "", "", {}),
    (gpus("A", "B"), {"gpu_ids": "1"}, "", "", {}),
    (gpus("A", "A"), {"num_processes": 4, "num_machines": 2}, "", "", {}),
    (gpus("A", "A"), {"num_processes": 3}, "error", "3 GPUs of this machine are to train together, but it has 2 GPUs",
     {"num_processes": 2}),
    (gpus("A"), {"num_processes": 4, "num_machines": 2}, "error", "2 GPUs of this machine are to train together, but it has 1 GPU.",
     {"num_processes": 2}),
    (gpus("A", "A"), {"gpu_ids": "0,2"}, "error", "GPU 2 is chosen, but this machine has 2 GPUs, numbered from 0", {"gpu_ids": None}),
    (gpus("A", "B"), {"num_processes": 2}, "warning", "are not alike (A, B)", {}),
    (gpus("A", "B", "A"), {"num_processes": 2, "gpu_ids": "0,2"}, "", "", {})])
def test_the_gpus_that_are_to_train_are_there(there, machines, level, said, fix):
    found = check_gpus(there, TrainingSettings().with_values(machines=machines))
    assert [one.level for one in found] == ([level] if level else [])
    assert all(said in one.what and one.remedy and dict(getattr(one, "fix", ())) == fix for one in found)


def test_without_a_gpu_several_processes_share_the_processor(project, no_gpu):
    settings = fit_to_project(TrainingSettings().with_values(machines={"num_processes": 2}), project)
    said = [found.what for found in check_machine(settings, "sd-scripts", project.folder, deep=False)]
    assert any("2 processes are to train together on this machine, and no NVIDIA GPU was found" in what for what in said)


def test_what_was_measured_is_told_before_any_estimate(project, no_gpu, monkeypatch):
    from core.training.measuring import outlook

    assert "a rough estimate" in said(project, character(project))["warning"]
    monkeypatch.setattr(outlook, "measured_time", lambda *_: duration.Expected(2.0, "measured 2026-11-22 12:03", 100, 0, 3240.0))
    assert "This training takes about 54 min (measured 2026-11-22 12:03)." in said(project, character(project))["info"]
