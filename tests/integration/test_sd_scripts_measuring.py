"""A short run of the real sd-scripts, held against a whole run of the same settings: what it foretells must come true.

A full-size SD 1.5 of random weights on a CPU; see test_sd_scripts_run.py for what it needs.
"""

import json
import os
import subprocess
import sys

import pytest

from core.base.paths import ROOT
from core.training.kept import keep_settings
from core.training.measuring.measured import place_of_measuring
from core.training.monitor.lines import LogParser
from core.training.run import Run
from tests.integration.real_runs import BATCH_SIZE, train

BUSY = 1.5
"""Processes that want to work for each core, on average over a quarter of an hour, above which times are not compared."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def real(manager):
    """The whole run: also what the short one is compared with."""
    return train(manager, "sd-scripts", output_name="whole", cache_latents_to_disk=True)


@pytest.fixture(scope="module")
def pictures_before(manager, real):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in manager.project.images.rglob("*")}


@pytest.fixture(scope="module")
def measured(manager, real, pictures_before):
    """As a person measures it from the command line, with the settings that the project keeps."""
    settings = real.run.settings().with_values(data={"num_repeats": 1}, saving={"output_dir": None}, logging={"logging_dir": None})
    keep_settings(settings, manager.project)
    argv = [sys.executable, "-m", "core", "measure", str(manager.project.folder), "--backend", "sd-scripts", "--json"]
    answer = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return {**json.loads(answer.stdout), "progress": answer.stderr}


def test_every_kind_of_work_is_measured(measured):
    found = measured["measured"]
    units, memory = found["units"], found["memory"]
    assert found["steps"] == 3 and found["cause"] is None and found["ended_for"] == ""
    assert all(units[name] > 0 for name in ("load", "encode", "step", "sample", "save")), units
    assert units["state_bytes"] > units["file_bytes"] > 0 and memory["machine"] > 2000
    for words in ("Loading the model", "Encoding the pictures", "Step 2 of 3", "Drawing a sample", "Saving"):
        assert words in measured["progress"]


def test_the_pictures_were_whole_batches_of_the_largest_bucket(manager, measured):
    (run,) = Run.list(place_of_measuring(manager.project))
    parser, (width, height) = LogParser(), measured["measured"]["bucket"]
    parser.feed(run.log.read_text(encoding="utf-8").splitlines())
    assert [count for count in parser.facts.buckets if count] == [3 * BATCH_SIZE] and parser.facts.images == 3 * BATCH_SIZE
    assert parser.facts.total == parser.facts.batches == 3 and f"({width}, {height}), count: {3 * BATCH_SIZE}" in run.log.read_text()


def test_pictures_caches_and_runs_stay_as_they_were(manager, real, measured, pictures_before):
    assert any(path.suffix == ".npz" for path in pictures_before)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in manager.project.images.rglob("*")} == pictures_before
    assert real.run in manager.runs() and not [run for run in manager.runs() if run.output_name == "whole" and run != real.run]


def test_the_saved_file_is_as_large_as_the_real_one(real, measured):
    assert measured["measured"]["units"]["file_bytes"] == pytest.approx(real.last.output.stat().st_size, rel=0.02)


def test_what_it_foretells_comes_true(real, measured):
    assert f"{real.last.total} steps" in next(one["what"] for one in measured["findings"] if one["what"].startswith("The whole training"))
    took, foretold = real.run.end()["seconds"], measured["seconds"]
    print(f"foretold {foretold:.0f} s, took {took:.0f} s; a step {measured['measured']['units']['step']:.2f} s")
    if os.getloadavg()[2] > BUSY * (os.cpu_count() or 1):
        pytest.skip("the machine has much else to do, so that two runs of the same work do not take the same time")
    assert took / 2 < foretold < took * 2
