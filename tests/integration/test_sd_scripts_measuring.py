"""A short run of the real sd-scripts, held against a whole run of the same settings: what it foretells must come true.

A full-size SD 1.5 of random weights on a CPU; see test_sd_scripts_run.py for what it needs.
"""

import json
import os
import subprocess
import sys
import time

import pytest

from core.base.paths import ROOT
from core.training.kept import keep_settings
from core.training.measuring.measured import place_of_measuring
from core.training.monitor.lines import LogParser
from core.training.run import Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
BATCH_SIZE = 2
BUSY = 1.5
"""Processes that want to work for each core, on average over a quarter of an hour, above which times are not compared."""


@pytest.fixture(scope="module")
def kept(manager):
    """Small settings that the project keeps, with latents on the disk."""
    model = manager.project.folder.parent.parent / "model"
    settings = manager.preset("sd15_character", propose=False).with_values(
        model={"pretrained_model_name_or_path": str(model / "model.safetensors"), "tokenizer_cache_dir": str(model / "tokenizers")},
        data={"resolution": 128, "min_bucket_reso": 64, "max_bucket_reso": 256, "batch_size": BATCH_SIZE, "num_repeats": 1,
              "max_data_loader_n_workers": 0, "cache_latents_to_disk": True},
        network={"network_dim": 4, "network_alpha": 2}, optimizer={"optimizer_type": "AdamW"}, memory={"mixed_precision": "no"},
        schedule={"max_train_epochs": 2, "lr_warmup_steps": 1}, saving={"output_name": "measured"},
        sampling={"sample_prompts": ["mikoneko, red hair --w 128 --h 128 --s 2 --d 5"]})
    keep_settings(settings, manager.project)


def core(manager, *words):
    """A command as a person types it. Returns: its JSON, and what it told on the way."""
    argv = [sys.executable, "-m", "core", words[0], str(manager.project.folder), "--backend", "sd-scripts", "--json", *words[1:]]
    answer = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return json.loads(answer.stdout), answer.stderr


def files_of(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


def what_lies_there(manager):
    return files_of(manager.project.images), files_of(manager.project.output), [run.id for run in manager.runs()]


@pytest.fixture(scope="module")
def before(manager, kept):
    return what_lies_there(manager)


@pytest.fixture(scope="module")
def measured(manager, before):
    found, told = core(manager, "measure", "--most_minutes", "30")
    return {**found, "told": told}


@pytest.fixture(scope="module")
def real(manager, measured):
    """The whole run of the same settings."""
    run = manager.run(core(manager, "train")[0]["run"])
    deadline = time.monotonic() + 1500
    while not (status := manager.status(run.id)).ended and time.monotonic() < deadline:
        time.sleep(0.5)
    assert status.state == "done", f"{status.sentence()}\n" + "\n".join(status.log[-20:])
    return run


def test_every_kind_of_work_is_measured(measured):
    found = measured["measured"]
    units, memory = found["units"], found["memory"]
    assert found["steps"] == 3 and found["cause"] is None and found["ended_for"] == ""
    assert all(units[name] > 0 for name in ("load", "encode", "step", "sample", "save")), units
    assert units["state_bytes"] > units["file_bytes"] > 0 and memory["machine"] > 2000
    for words in ("Loading the model", "Encoding the pictures", "Step 2 of 3", "Drawing a sample", "Saving"):
        assert words in measured["told"]


def test_the_pictures_were_whole_batches_of_the_largest_bucket(manager, measured):
    (run,) = Run.list(place_of_measuring(manager.project))
    parser, (width, height) = LogParser(), measured["measured"]["bucket"]
    parser.feed(run.log.read_text(encoding="utf-8").splitlines())
    assert [count for count in parser.facts.buckets if count] == [3 * BATCH_SIZE] and parser.facts.images == 3 * BATCH_SIZE
    assert parser.facts.total == parser.facts.batches == 3 and f"({width}, {height}), count: {3 * BATCH_SIZE}" in run.log.read_text()


def test_pictures_caches_and_runs_stay_as_they_were(manager, before, measured):
    assert what_lies_there(manager) == before
    assert not list(place_of_measuring(manager.project).rglob("*.npz"))


def test_the_saved_file_is_as_large_as_the_real_one(real, measured):
    (file,) = real.checkpoints.glob("measured.safetensors")
    assert measured["measured"]["units"]["file_bytes"] == pytest.approx(file.stat().st_size, rel=0.02)


def test_what_it_foretells_comes_true(manager, real, measured):
    steps = manager.status(real.id).total
    assert f"{steps} steps" in next(one["what"] for one in measured["findings"] if one["what"].startswith("The whole training"))
    took, foretold = real.end()["seconds"], measured["seconds"]
    print(f"foretold {foretold:.0f} s, took {took:.0f} s; a step {measured['measured']['units']['step']:.2f} s")
    if os.getloadavg()[2] > BUSY * (os.cpu_count() or 1):
        pytest.skip("the machine has much else to do, so that two runs of the same work do not take the same time")
    assert took / 2 < foretold < took * 2
