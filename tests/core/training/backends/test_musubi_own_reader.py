"""The stages through musubi-tuner's own parsers and dataset reader, where a checkout with its Python is given.

$MUSUBI_DIR and $MUSUBI_PYTHON name them. Its parsers can only be imported with its packages, torch among them; without them these tests
are skipped.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from core.base.paths import ROOT
from core.training.backends.checkouts import checkout_of, interpreter_of
from core.training.backends.musubi import write_stages
from core.training.config import TrainingSettings, for_run
from core.training.config.families import MUSUBI, TRAINED_MODELS
from core.training.config.pair import write_pair
from tests.core.training.config.test_every_family import everything

pytestmark = pytest.mark.slow

READER = """
import argparse, json, runpy, sys
parse = argparse.ArgumentParser.parse_args
def read(self, args=None, namespace=None):
    known = {action.dest for action in self._actions}
    given = parse(self, args, namespace)
    if namespace is None and getattr(given, "config_file", None):
        return given
    print("RESULT " + json.dumps({"args": vars(given), "unknown": sorted(set(vars(given)) - known - {"fp8_scaled"})}, default=str))
    sys.exit(0)
argparse.ArgumentParser.parse_args = read
module, *sys.argv = sys.argv[1], sys.argv[1], *sys.argv[2:]
runpy.run_module("musubi_tuner." + module, run_name="__main__", alter_sys=True)
"""
DATASET = """
import argparse, json, sys
from musubi_tuner.dataset import config_utils
from musubi_tuner.dataset.config_utils import BlueprintGenerator, ConfigSanitizer
content = config_utils.load_user_config(sys.argv[1])
blueprint = BlueprintGenerator(ConfigSanitizer()).generate(content, argparse.Namespace(debug_dataset=False), architecture="f2k9b")
print("RESULT " + json.dumps([vars(one.params) for one in blueprint.dataset_group.datasets], default=str))
"""
COUNTS = """
import json, sys
sys.path.insert(0, sys.argv[1])
import train_by_musubi
train_by_musubi.move_counts(train_by_musubi.Place(8, 2, 40))
from musubi_tuner.utils import train_utils
print("RESULT " + json.dumps([train_utils.get_epoch_ckpt_name("x", 1), train_utils.get_step_ckpt_name("x", 4)]))
"""


def ask(code: str, *words: str) -> Any:
    """What a piece of code says in musubi-tuner's Python."""
    if not os.environ.get("MUSUBI_DIR"):
        pytest.skip("MUSUBI_DIR names no checkout of musubi-tuner")
    python = interpreter_of("musubi")
    if python is None:
        pytest.skip("the checkout of musubi-tuner has no Python environment (MUSUBI_PYTHON)")
    places = [str(checkout_of("musubi") / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run([str(python), "-c", code, *words], capture_output=True, text=True, check=False, cwd=checkout_of("musubi"),
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(places)})
    if "ModuleNotFoundError" in done.stderr and "'musubi_tuner" not in done.stderr.strip().splitlines()[-1]:
        pytest.skip(f"musubi-tuner's packages are not there: {done.stderr.strip().splitlines()[-1]}")
    answers = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert answers, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(answers[-1][7:])


def stages(family: str, folder: Path) -> list[dict[str, Any]]:
    """The stages of a run with another value in every field that acts."""
    components = {name: f"/models/{name}.safetensors" for name in TRAINED_MODELS[family].components}
    settings = TrainingSettings().with_values(
        model={"family": family, "pretrained_model_name_or_path": "/models/base.safetensors", **components},
        data={"subsets": [{"image_dir": "/p", "control_directory": "/c"}, {"image_dir": "/q", "num_repeats": 3}]})
    write_pair(for_run(everything(settings).with_values(machines={"num_processes": 1}), folder), folder)  # else accelerate starts them
    return list(json.loads(write_stages(folder, checkout_of("musubi")).read_text())["stages"])


@pytest.mark.parametrize("family", MUSUBI)
def test_every_stage_is_read_as_it_is_meant(family, tmp_path):
    *caches, training = stages(family, tmp_path)
    for stage in caches:
        script, *words = stage["argv"]
        read = ask(READER, Path(script).stem, *words)
        assert read["unknown"] == []
        assert read["args"]["dataset_config"] == str(tmp_path / "musubi" / "dataset.toml")
    script, _, *words = training["argv"][training["argv"].index(str(ROOT / "custom" / "train_by_musubi.py")) + 1:]
    read = ask(READER, script, *words)
    assert read["unknown"] == []
    assert read["args"]["dit"] == "/models/base.safetensors" or read["args"]["dit"] == "/somewhere/another"
    assert read["args"]["network_module"] == TRAINED_MODELS[family].network_module


def test_the_dataset_is_read_as_it_is_meant(tmp_path):
    stages("flux2_klein", tmp_path)
    first, second = ask(DATASET, str(tmp_path / "musubi" / "dataset.toml"))
    assert (first["image_directory"], first["control_directory"], second["image_directory"]) == ("/p", "/c", "/q")
    assert second["num_repeats"] == 3 and first["cache_directory"] != second["cache_directory"]


def test_what_it_counts_can_be_moved():
    assert ask(COUNTS, str(ROOT / "custom")) == ["x-000003.safetensors", "x-step00000012.safetensors"]
