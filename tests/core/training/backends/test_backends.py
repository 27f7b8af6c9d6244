"""Backends: each is documented, says what it lacks, and turns a run's folder into a command."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from core.base.errors import ConfigError, TrainingError
from core.base.paths import DEMO_ASSETS, ROOT
from core.training.backends import BACKENDS
from core.training.backends.builtin import OPTIMIZER_PACKAGES
from core.training.backends.sd_scripts import START, checkout, interpreter
from core.training.config import TrainingSettings, for_run
from core.training.config.families import TRAINED_MODELS, script_for
from core.training.config.pair import write_pair

SCRIPTS = {name: model.script for name, model in TRAINED_MODELS.items()}


@dataclass(frozen=True)
class Folder:
    folder: Path


@pytest.fixture
def run(tmp_path):
    return made_run(tmp_path / "run")


def made_run(folder, **changes):
    settings = TrainingSettings().with_values(
        model={"pretrained_model_name_or_path": "/models/model.safetensors", **changes.pop("model", {})},
        data={"subsets": [{"image_dir": "/p"}], **changes.pop("data", {})}, optimizer=changes.pop("optimizer", {"optimizer_type": "AdamW"}),
        **changes)
    write_pair(for_run(settings, folder), folder)
    return Folder(folder)


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    """A folder laid out as a checkout with its environment."""
    folder = tmp_path / "sd-scripts"
    for name in (*SCRIPTS.values(), ".venv/bin/python"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    monkeypatch.setenv("SD_SCRIPTS_DIR", str(folder))
    monkeypatch.delenv("SD_SCRIPTS_PYTHON", raising=False)
    return folder


@pytest.mark.parametrize("entry", list(BACKENDS), ids=lambda entry: entry.name)
def test_every_backend_is_documented_and_has_the_methods(entry):
    assert f"`{entry.name}`" in (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    backend = BACKENDS.load(entry.name)
    assert all(callable(getattr(backend, name)) for name in ("command", "missing", "check"))


def test_an_unknown_backend_is_named():
    with pytest.raises(ConfigError, match="builtin, sd-scripts"):
        BACKENDS.load("sdscripts")


def test_the_built_in_trainer_runs_in_this_python_on_the_pair(run):
    command = BACKENDS.load("builtin").command(run)
    assert command.argv == [sys.executable, str(ROOT / "custom" / "train_lora.py"), "--config_file", str(run.folder / "config.toml"),
                            "--dataset_config", str(run.folder / "dataset.toml"), "--run_dir", str(run.folder)]
    assert command.cwd == ROOT


def test_the_built_in_trainer_takes_the_default_settings(run):
    assert BACKENDS.load("builtin").check(run) == []


def test_the_built_in_trainer_opens_only_what_lies_on_this_machine(tmp_path):
    """It would end with "does not exist" after the launch; sd-scripts downloads such a model."""
    run = made_run(tmp_path, model={"pretrained_model_name_or_path": "runwayml/stable-diffusion-v1-5", "vae": "stabilityai/sd-vae-ft-mse"})
    findings = BACKENDS.load("builtin").check(run)
    assert [finding.level for finding in findings] == ["error", "error"]
    assert "'runwayml/stable-diffusion-v1-5' is a name on Hugging Face" in findings[0].what and "sd-scripts backend" in findings[0].remedy


def test_the_built_in_trainer_looks_at_what_the_model_is(tmp_path):
    (tmp_path / "old.ckpt").write_bytes(b"x")
    (finding,) = BACKENDS.load("builtin").check(made_run(tmp_path, model={"pretrained_model_name_or_path": str(tmp_path / "old.ckpt")}))
    assert finding.level == "error" and "old.ckpt is not a .safetensors file" in finding.what


def test_the_built_in_trainer_says_what_it_cannot_do(tmp_path):
    run = made_run(tmp_path, data={"cache_latents": False}, memory={"full_fp16": True})
    findings = BACKENDS.load("builtin").check(run)
    assert [finding.level for finding in findings] == ["error"]
    assert "full_fp16" in findings[0].what


@pytest.mark.parametrize(("data", "words", "fix"), [
    ({"resolution": 64}, "", {}), ({"resolution": 56}, "The resolution is 56 x 56", {"resolution": 48}),
    ({"resolution": 64, "resolution_height": 72}, "The resolution is 64 x 72", {"resolution": 64, "resolution_height": 64}),
    ({"resolution": 64, "enable_bucket": True, "min_bucket_reso": 32, "bucket_reso_steps": 8}, "The bucket step (bucket_reso_steps) is 8",
     {"bucket_reso_steps": 16}),
    ({"resolution": 64, "enable_bucket": True, "min_bucket_reso": 32, "bucket_reso_steps": 32}, "", {})])
def test_sizes_that_the_model_cannot_take_are_found_before_it_is_loaded(tmp_path, data, words, fix):
    model = {"pretrained_model_name_or_path": str(DEMO_ASSETS / "model")}
    run = made_run(tmp_path, model=model, data={"enable_bucket": False, **data})
    found = [finding for finding in BACKENDS.load("builtin").check(run) if "takes sides that are multiples of 16" in finding.what]
    assert len(found) == bool(words) and all(words in one.what and dict(one.fix) == fix for one in found)


def test_an_optimizer_whose_package_is_not_here_is_found_before_the_launch(tmp_path, monkeypatch):
    monkeypatch.setitem(OPTIMIZER_PACKAGES, "AdamW8bit", "a_package_that_is_not_here")
    finding = BACKENDS.load("builtin").check(made_run(tmp_path, optimizer={"optimizer_type": "AdamW8bit"}))[0]
    assert "AdamW8bit needs the package a_package_that_is_not_here" in finding.what
    assert "AdamW" in finding.remedy


def test_the_built_in_trainer_caches_captions_of_sd15_and_sd_scripts_does_not(tmp_path):
    run = made_run(tmp_path, data={"cache_text_encoder_outputs": True, "shuffle_caption": False}, network={"network_train_unet_only": True})
    assert BACKENDS.load("builtin").check(run) == []
    assert len(BACKENDS.load("sd-scripts").check(run)) == 1


@pytest.mark.parametrize(("family", "script"), SCRIPTS.items())
def test_sd_scripts_runs_the_familys_script_in_its_own_environment(trainer, tmp_path, family, script):
    run = made_run(tmp_path / "run", model={"family": family})
    command = BACKENDS.load("sd-scripts").command(run)
    assert command.argv == [str(trainer / ".venv/bin/python"), str(START), script, "--config_file", str(run.folder / "config.toml"),
                            "--dataset_config", str(run.folder / "dataset.toml")]
    assert START.is_file() and command.env["LORABOOK_RUN"] == str(run.folder)
    assert command.cwd == trainer
    assert command.env["COLUMNS"] == "200"
    assert command.env["PYTHONPATH"] == ""
    assert "HF_HUB_OFFLINE" not in command.env


def test_with_tokenizers_given_the_hub_is_not_asked(trainer, tmp_path):
    run = made_run(tmp_path / "run", model={"tokenizer_cache_dir": str(tmp_path)})
    assert BACKENDS.load("sd-scripts").command(run).env["HF_HUB_OFFLINE"] == "1"


def test_its_python_is_not_resolved_through_the_environments_link(trainer):
    python = trainer / ".venv/bin/python"
    python.unlink()
    python.symlink_to(sys.executable)
    assert interpreter() == python


def test_another_python_can_be_named(trainer, monkeypatch, tmp_path):
    monkeypatch.setenv("SD_SCRIPTS_PYTHON", sys.executable)
    assert interpreter() == Path(sys.executable)
    monkeypatch.setenv("SD_SCRIPTS_PYTHON", str(tmp_path / "gone"))
    assert "gone does not exist" in BACKENDS.load("sd-scripts").missing().what


def test_a_missing_checkout_and_a_missing_environment_have_the_remedy(trainer, monkeypatch, run):
    backend = BACKENDS.load("sd-scripts")
    assert backend.missing() is None
    (trainer / ".venv/bin/python").unlink()
    assert "no Python environment" in backend.missing().what
    (trainer / SCRIPTS["sdxl"]).unlink()
    assert "has no sdxl_train_network.py" in backend.missing().what
    monkeypatch.setenv("SD_SCRIPTS_DIR", str(trainer / "gone"))
    assert "installer.py --trainer sd-scripts" in backend.missing().remedy
    with pytest.raises(TrainingError, match="gone does not exist"):
        backend.command(run)


def test_without_variables_the_checkout_lies_among_the_trainers(monkeypatch, tmp_path):
    monkeypatch.delenv("SD_SCRIPTS_DIR", raising=False)
    monkeypatch.setenv("LORABOOK_TRAINERS", str(tmp_path))
    assert checkout() == tmp_path / "sd-scripts"


def test_a_folder_without_a_pair_is_named(trainer, tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        BACKENDS.load("sd-scripts").command(Folder(tmp_path))


def test_a_family_without_a_script_is_named():
    with pytest.raises(ConfigError, match="'flux'"):
        script_for("flux")


def test_looking_at_the_backends_imports_no_heavy_package():
    import subprocess

    code = ("import sys; from core.training.backends import BACKENDS; [BACKENDS.load(name).missing() for name in BACKENDS.names()]; "
            "print([name for name in ('torch', 'diffusers', 'transformers', 'numpy', 'PIL') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.strip() == "[]"


def test_rex_is_brought_to_sd_scripts_as_a_class_with_its_steps(trainer, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number, size in enumerate([(64, 64)] * 3 + [(32, 96)] * 2):  # two batches and one: a step more than if all were of one size
        Image.new("RGB", size).save(images / f"{number}.png")
    run = made_run(tmp_path / "run", schedule={"lr_scheduler": "rex", "max_train_epochs": 4, "lr_warmup_steps": 0.25},
                   data={"subsets": [{"image_dir": str(images)}], "batch_size": 3, "resolution": 64, "min_bucket_reso": 32,
                         "bucket_reso_steps": 32})
    command = BACKENDS.load("sd-scripts").command(run)
    told = command.argv[command.argv.index("--lr_scheduler_type"):]
    assert told == ["--lr_scheduler_type", "lorabook_schedules.Rex", "--lr_warmup_steps", "0", "--lr_scheduler_args", "total_steps=8",
                    "warmup_steps=2", "lowest=0.0"]
    assert (Path(command.env["PYTHONPATH"]) / "lorabook_schedules.py").is_file()


def test_of_several_processes_rex_hears_of_so_many_times_the_steps(trainer, tmp_path):
    """Each process moves the schedule on at every step: five batches are three steps an epoch for two processes."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(5):
        Image.new("RGB", (512, 512)).save(images / f"{number}.png")
    run = made_run(tmp_path / "run", schedule={"lr_scheduler": "rex", "max_train_epochs": 2, "lr_warmup_steps": 1},
                   data={"subsets": [{"image_dir": str(images)}], "batch_size": 1}, machines={"num_processes": 2})
    argv = BACKENDS.load("sd-scripts").command(run).argv
    assert argv[-3:] == ["total_steps=12", "warmup_steps=2", "lowest=0.0"]
