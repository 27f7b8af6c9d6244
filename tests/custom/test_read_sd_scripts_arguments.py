"""The tool that reads sd-scripts' parsers, on a small checkout of the same shape."""

import json
import subprocess
import sys

import pytest

from core.base.paths import ROOT

TOOL = ROOT / "custom" / "read_sd_scripts_arguments.py"
TRAIN = """
import argparse
import torch_that_is_not_installed
from library import train_util
from library.extra import add_extra_arguments

def setup_parser():
    parser = argparse.ArgumentParser()
    train_util.add_common(parser, True)
    add_extra_arguments(parser)
    parser.add_argument("--network_dim", type=int, default=None, help=f"rank {1 + 1}")
    parser.add_argument("--no_metadata", action="store_true")
    return parser
"""
SDXL = """
import train_network
from library import train_util

def setup_parser():
    parser = train_network.setup_parser()
    train_util.add_common(parser, support=False)
    return parser
"""
COMMON = """
CHOICES = ["a", None]

def add_common(parser, support: bool = True):
    def int_or_float(value):
        return value
    if support:
        parser.add_argument("-x", "--some-name", type=int_or_float, default=0, choices=CHOICES, nargs="*")
    else:
        parser.add_argument("--no_metadata", action="store_true", default=None)
"""
EXTRA = """
from pathlib import Path

def add_extra_arguments(parser):
    parser.add_argument("--dataset_config", type=Path)
"""
SCHEMA = """
class ConfigSanitizer:
    SUBSET_ASCENDABLE_SCHEMA = {"num_repeats": int, "face": functools.partial(__validate_and_convert_twodim.__func__, float)}
    DO_SUBSET_ASCENDABLE_SCHEMA = {"rate": Any(float, int)}
    DB_SUBSET_ASCENDABLE_SCHEMA = {"caption_extension": str}
    DB_SUBSET_DISTINCT_SCHEMA = {Required("image_dir"): str}
    DATASET_ASCENDABLE_SCHEMA = {"resolution": functools.partial(__validate_and_convert_scalar_or_twodim.__func__, int)}
"""


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    files = {"train_network.py": TRAIN, "sdxl_train_network.py": SDXL, "library/train_util.py": COMMON, "library/extra.py": EXTRA,
             "library/config_util.py": SCHEMA}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def read(checkout, out, *more):
    return subprocess.run([sys.executable, str(TOOL), str(checkout), "--out", str(out), "--scripts", "train_network.py",
                           "sdxl_train_network.py", *more], capture_output=True, text=True, check=False)


def test_parsers_are_read_without_running_them(checkout, tmp_path):
    done = read(checkout, tmp_path / "out", "--commit", "abc")
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "out" / "sd_scripts_args.json").read_text())
    assert facts["commit"] == "abc"
    assert facts["scripts"]["train_network.py"]["args"] == ["some_name", "dataset_config", "network_dim", "no_metadata"]
    assert facts["scripts"]["sdxl_train_network.py"]["args"][-1] == "no_metadata@2"
    assert facts["definitions"]["some_name"] == {
        "options": ["-x", "--some-name"], "dest": "some_name", "action": "Store", "type": "int_or_float", "default": 0, "choices": ["a",
                                                                                                                                    None],
        "nargs": "*", "const": None, "required": False}
    assert facts["definitions"]["no_metadata"]["action"] == "StoreTrue"
    assert facts["definitions"]["dataset_config"]["type"] == "Path"


def test_the_dataset_schema_is_read_per_level(checkout, tmp_path):
    read(checkout, tmp_path / "out", "--commit", "abc")
    levels = json.loads((tmp_path / "out" / "sd_scripts_dataset_schema.json").read_text())["levels"]
    assert levels["subset"]["image_dir"] == {"type": "str", "required": True}
    assert levels["subset"]["face"]["type"] == "[float, float]"
    assert levels["general"]["resolution"]["type"] == "int | [int, int]"
    assert levels["general"]["rate"]["type"] == "float | int"
    assert "image_dir" not in levels["dataset"]


def test_what_is_not_understood_is_an_error_with_its_place(checkout, tmp_path):
    script = checkout / "train_network.py"
    script.write_text(script.read_text().replace("    return parser",
                                                 "    for name in names: parser.add_argument(name)\n    return parser"))
    done = read(checkout, tmp_path / "out", "--commit", "abc")
    assert done.returncode == 1
    assert "train_network.py:13 is not understood" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_without_commit_or_scripts_is_named(tmp_path):
    assert "Say its commit" in read(tmp_path, tmp_path / "out").stderr
    assert "train_network.py does not exist" in read(tmp_path, tmp_path / "out", "--commit", "abc").stderr
