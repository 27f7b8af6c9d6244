"""The tool that reads musubi-tuner's parsers, on a small checkout of the same shape."""

import json
import subprocess
import sys

from core.base.paths import ROOT

TOOL = ROOT / "custom" / "read_musubi_arguments.py"
SCRIPT = """
from musubi_tuner.base import setup_parser_common
from musubi_tuner.models import utils

def more(parser):
    parser.add_argument("--fp8_scaled", action="store_true")
    utils.add_model_version_args(parser)
    return parser

def main():
    parser = setup_parser_common()
    parser = more(parser)
    args = parser.parse_args()
    args.later = 1
"""
BASE = "from musubi_tuner.common import setup_parser_common\n"
COMMON = """
import argparse

def _add_optimizer(parser):
    def _int_or_float(value):
        return value
    parser.add_argument("--lr_warmup_steps", type=_int_or_float, default=0)
    parser.add_argument("--dynamo_backend", type=str, default="NO", choices=[e.value for e in DynamoBackend])

def setup_parser_common():
    parser = argparse.ArgumentParser()
    parser.set_defaults(fp8_scaled=False)
    _add_optimizer(parser)
    return parser
"""
UTILS = """
FLUX2_MODEL_INFO = {"dev": 1, "klein-base-4b": 2}

def add_model_version_args(parser):
    choices = list(FLUX2_MODEL_INFO.keys())
    parser.add_argument("--model_version", type=str, default="dev", choices=choices)
"""
SCHEMA = """
class ConfigSanitizer:
    DATASET_ASCENDABLE_SCHEMA = {"resolution": functools.partial(__validate_and_convert_scalar_or_twodim.__func__, int)}
    IMAGE_DATASET_DISTINCT_SCHEMA = {"image_directory": str, "indices": [int]}
"""


def read(tmp_path, script=SCRIPT):
    package = tmp_path / "src" / "musubi_tuner"
    for name, text in (("some_train_network.py", script), ("base.py", BASE), ("common.py", COMMON), ("models/utils.py", UTILS),
                       ("dataset/config_utils.py", SCHEMA)):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    return subprocess.run([sys.executable, str(TOOL), str(tmp_path), "--out", str(tmp_path), "--scripts", "some_train_network.py",
                           "--commit", "c" * 40], capture_output=True, text=True, check=False)


def test_arguments_are_followed_through_the_package(tmp_path):
    done = read(tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "musubi_args.json").read_text())
    assert facts["commit"] == "c" * 40
    assert facts["scripts"]["some_train_network.py"]["args"] == ["lr_warmup_steps", "dynamo_backend", "fp8_scaled", "model_version"]
    assert facts["definitions"]["lr_warmup_steps"]["type"] == "int_or_float"
    assert facts["definitions"]["model_version"]["choices"] == ["dev", "klein-base-4b"]
    assert "INDUCTOR" in facts["definitions"]["dynamo_backend"]["choices"]
    assert set(facts["dataset"]["levels"]["dataset"]) == {"resolution", "image_directory", "indices"}
    assert set(facts["dataset"]["levels"]["general"]) == {"resolution"}


def test_what_is_not_understood_is_an_error(tmp_path):
    done = read(tmp_path, SCRIPT.replace("    parser = more(parser)\n", "    if extra:\n        parser = more(parser)\n"))
    assert done.returncode == 1 and "is not understood" in done.stderr
