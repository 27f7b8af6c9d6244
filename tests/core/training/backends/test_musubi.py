"""musubi-tuner as a backend: three stages as one run, in a small checkout of the same shape; a stop, a failure and a resume in each."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from core.base.errors import TrainingError
from core.base.tensor_headers import read_header
from core.dataset.project import Project
from core.training.backends import BACKENDS
from core.training.backends.accelerate import START
from core.training.config import TrainingSettings
from core.training.config.facts import DATA, FILES
from core.training.config.pair import read_tables
from core.training.launch import launch, resume
from core.training.monitor.lines import LogParser
from core.training.monitor.samples import list_samples
from core.training.outputs import newest_state
from core.training.run import Run
from tests.core.training.fakes import wait_for, wait_for_end

FAKE = Path(__file__).parents[1] / "fake_musubi"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout whose scripts take the real ones' arguments and train nothing; `mode` says what goes wrong."""
    folder = tmp_path / "musubi"
    shutil.copytree(FAKE, folder / "src")
    (folder / "mode.txt").write_text("")
    for name, value in (("MUSUBI_DIR", folder), ("MUSUBI_PYTHON", sys.executable), ("FAKE_FACTS", DATA / FILES["musubi"]),
                        ("FAKE_MODE", folder / "mode.txt"), ("LORABOOK_STOP_GRACE", 20)):
        monkeypatch.setenv(name, str(value))
    return folder


def make_run(tmp_path, **changes):
    project = Project.create(tmp_path / "cats", "cats", trigger="mochi")
    for name in ("a", "b"):
        (project.images / f"{name}.png").write_bytes(b"x")
        (project.images / f"{name}.txt").write_text("mochi sits")
    settings = TrainingSettings().with_values(
        model={"family": "flux2_klein", "pretrained_model_name_or_path": "/m/klein.safetensors", "vae": "/m/ae.safetensors",
               "text_encoder": "/m/qwen.safetensors"},
        data={"subsets": [{"image_dir": str(project.images)}]}, saving={"output_name": "mochi"}, schedule={"max_train_epochs": 3},
        sampling={"sample_prompts": ["mochi"]}, memory={"fp8_base": True, "fp8_scaled": True, "vae_batch_size": 3, "fp8_vl": True})
    return Run.create(project.folder, settings.with_values(**changes) if changes else settings, "musubi")


def log_of(run):
    return run.log.read_text(encoding="utf-8")


def stages_of(run):
    begun = [line for line in log_of(run).splitlines() if line.startswith("=== stage") and "ended" not in line]
    return [line.split(": ")[1].removesuffix(" ===") for line in begun]


@pytest.mark.slow
def test_three_stages_are_one_run(checkout, tmp_path):
    run = launch(make_run(tmp_path, saving={"metadata_trigger_phrase": "mochi, cat"}))
    assert wait_for_end(run) == "done", log_of(run)
    assert stages_of(run) == ["encoding pictures", "reading captions", "training"]
    assert {path.name for path in (run.folder / "cache" / "01").iterdir()} == {
        "a_0512x0512_f2k9b.safetensors", "b_0512x0512_f2k9b.safetensors", "a_f2k9b_te.safetensors", "b_f2k9b_te.safetensors"}
    assert {path.name for path in (run.project_folder / "images").iterdir()} >= {"a.png", "a.txt"}
    assert not list((run.project_folder / "images").glob("*.safetensors"))
    assert "latents of a, version klein-base-9b" in log_of(run)
    saved = [run.project_folder / "output" / "mochi.safetensors", *run.checkpoints.glob("*.safetensors")]
    assert len(saved) == 4 and {read_header(file).metadata["modelspec.trigger_phrase"] for file in saved} == {"mochi, cat"}
    assert read_header(saved[0]).metadata["modelspec.title"] == "mochi"


@pytest.mark.slow
def test_another_try_tells_it_the_new_settings_and_its_state(checkout, tmp_path):
    from core.training.watching.retries import Retry, begin_again

    run = launch(make_run(tmp_path))
    assert wait_for_end(run) == "done", log_of(run)
    state = newest_state(run.checkpoints, run.output_name)
    begin_again(run, 2, Retry("out_of_memory", "Less.", run.settings().with_values(memory={"blocks_to_swap": 5})))
    train = read_tables(run.folder / "musubi" / "train.toml")
    stages = json.loads((run.folder / "musubi" / "stages.json").read_text())["stages"]
    assert train["blocks_to_swap"] == 5
    assert (str(state.folder.resolve()) if state else "") == stages[-1]["argv"][3]


def test_several_gpus_train_and_one_encodes(checkout, tmp_path):
    run = make_run(tmp_path, machines={"num_processes": 2, "gpu_ids": "0,1"}, schedule={"lr_warmup_steps": 50, "lr_scheduler": "cosine"})
    command = BACKENDS.load("musubi").command(run)
    first, second, training = json.loads((run.folder / "musubi" / "stages.json").read_text())["stages"]
    assert training["argv"][:5] == ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    assert "accelerate.commands.launch" not in first["argv"] + second["argv"] and command.env["CUDA_VISIBLE_DEVICES"] == "0,1"
    start = training["argv"].index(str(START))
    assert [Path(word).name for word in training["argv"][start + 1:start + 3]] == ["lorabook_start.py", "train_by_musubi.py"]
    assert training["argv"][-2:] == ["--lr_warmup_steps", "100"]


def test_what_it_reads_is_in_its_own_words(checkout, tmp_path):
    run = make_run(tmp_path)
    command = BACKENDS.load("musubi").command(run)
    assert command.argv[1].endswith("custom/run_musubi_stages.py")
    train, dataset = (read_tables(run.folder / "musubi" / name) for name in ("train.toml", "dataset.toml"))
    assert train["dit"] == "/m/klein.safetensors" and train["weighting_scheme"] == "none" and train["fp8_text_encoder"] is True
    assert "vae_batch_size" not in train and "pretrained_model_name_or_path" not in train
    (folder,) = dataset["datasets"]
    assert folder["image_directory"] == str(run.project_folder / "images")
    assert folder["cache_directory"] == str(run.folder / "cache" / "01")
    assert not {"subsets", "shuffle_caption", "flip_aug", "image_dir"} & set(folder)
    stages = json.loads((run.folder / "musubi" / "stages.json").read_text())["stages"]
    words = stages[0]["argv"]
    assert words[words.index("--batch_size") + 1] == "3" and "--fp8_text_encoder" not in words
    assert "--fp8_text_encoder" in stages[1]["argv"]


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "begun"), [("latents", 1), ("captions", 2), ("training", 3)])
def test_the_first_stage_that_fails_ends_all_with_its_code(checkout, tmp_path, stage, begun):
    (checkout / "mode.txt").write_text(f"fail {stage}")
    run = launch(make_run(tmp_path))
    assert wait_for_end(run) == "failed"
    assert len(stages_of(run)) == begun
    assert run.end()["exit_code"] == 7
    assert f"{stage} went wrong" in log_of(run)


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "begun"), [("latents", 1), ("captions", 2), ("training", 3)])
def test_a_stop_reaches_the_stage_that_runs_and_none_begins_after_it(checkout, tmp_path, stage, begun):
    (checkout / "mode.txt").write_text(f"hang {stage}")
    run = launch(make_run(tmp_path))
    wait_for(lambda: run.log.is_file() and f"hanging in {stage}" in log_of(run))
    run.stop()
    assert wait_for_end(run) == "cancelled"
    assert len(stages_of(run)) == begun
    assert run.end()["exit_code"] == 143


@pytest.mark.slow
def test_a_resumed_run_counts_on(checkout, tmp_path):
    (checkout / "mode.txt").write_text("hang training")
    run = launch(make_run(tmp_path))
    wait_for(lambda: run.log.is_file() and "hanging in training" in log_of(run))
    run.stop()
    wait_for_end(run)
    state = newest_state(run.checkpoints, "mochi")
    assert state is not None and state.step == 4
    first = (run.checkpoints / "mochi-000001.safetensors").stat().st_mtime_ns
    resume(run)
    assert wait_for_end(run) == "done", log_of(run)
    assert log_of(run).count("Nothing has changed since this was done.") == 2
    assert (run.checkpoints / "mochi-000001.safetensors").stat().st_mtime_ns == first
    assert (run.checkpoints / "mochi-000002.safetensors").is_file() and not (run.checkpoints / "mochi-000003.safetensors").exists()
    logged = [json.loads(line) for line in (run.folder / "logs" / "logged.jsonl").read_text().splitlines()]
    assert [one["step"] for one in logged if "lr/unet" in one] == list(range(1, 13))
    assert [round(one["lr/unet"] * 12) for one in logged if "lr/unet" in one] == list(range(1, 13)), "the schedule is of the whole length"
    parser = LogParser()
    parser.feed(log_of(run).splitlines())
    assert (parser.facts.step, parser.facts.total, parser.facts.epoch, parser.facts.epochs) == (12, 12, 3, 3)
    assert [sample.epoch for sample in list_samples(run, [])] == [1, 2, 3]


@pytest.mark.slow
def test_changed_captions_are_read_again(checkout, tmp_path):
    (checkout / "mode.txt").write_text("hang training")
    run = launch(make_run(tmp_path))
    wait_for(lambda: run.log.is_file() and "hanging in training" in log_of(run))
    run.stop()
    wait_for_end(run)
    (run.project_folder / "images" / "a.txt").write_text("mochi sleeps on a chair")
    resume(run)
    assert wait_for_end(run) == "done"
    assert "Nothing has changed" not in log_of(run)


@pytest.mark.slow
def test_a_run_that_was_stopped_before_its_training_begins_anew(checkout, tmp_path):
    (checkout / "mode.txt").write_text("hang captions")
    run = launch(make_run(tmp_path))
    wait_for(lambda: run.log.is_file() and "hanging in captions" in log_of(run))
    run.stop()
    wait_for_end(run)
    (checkout / "mode.txt").write_text("")
    resume(run)
    assert wait_for_end(run) == "done"
    assert log_of(run).count("Nothing has changed since this was done.") == 1


def test_a_stage_is_told_as_the_phase():
    parser = LogParser()
    parser.feed(["=== stage 2 of 3: reading captions ==="])
    assert parser.facts.phase == "Reading captions, stage 2 of 3"
    parser.feed([" 40%|####      | 4/10 [00:02<00:03,  2.00it/s]"])
    assert parser.facts.phase == "Reading captions, stage 2 of 3 (4 of 10)"


def test_it_says_what_it_lacks_and_what_it_does_not_train(checkout, tmp_path, monkeypatch):
    backend = BACKENDS.load("musubi")
    assert backend.missing() is None
    run = make_run(tmp_path, model={"family": "sdxl"})
    assert "does not train SDXL" in backend.check(run)[0].what
    monkeypatch.setenv("MUSUBI_PYTHON", str(tmp_path / "gone"))
    assert "no Python environment" in backend.missing().what
    monkeypatch.setenv("MUSUBI_DIR", str(tmp_path / "gone"))
    with pytest.raises(TrainingError, match="musubi-tuner is not installed"):
        backend.command(run)
