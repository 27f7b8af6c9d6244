"""The pair through sd-scripts' own reader, where a checkout ($SD_SCRIPTS_DIR) with its environment ($SD_SCRIPTS_PYTHON) is given."""

import json
import os
import random
import subprocess
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from core.base.paths import ROOT
from core.training.backends.sd_scripts import checkout, interpreter
from core.training.builtin.captions import CaptionRule, make_caption
from core.training.config.counting import count_steps
from core.training.config.facts import DATA
from core.training.config.families import script_for
from core.training.config.pair import read_pair, write_pair
from core.training.config.presets import load_preset, preset_names
from core.training.config.sources import image_counts

pytestmark = pytest.mark.slow

READER = """
import json, os, sys
script, config, dataset = sys.argv[1:4]
module = __import__(script[:-3])
from library import config_util, train_util
parser = module.setup_parser()
sys.argv = [script, "--config_file", config, "--dataset_config", dataset]
args = train_util.read_config_from_file(parser.parse_args(), parser)
known = set(vars(parser.parse_args([])))
train_util.prepare_dataset_args(args, True)
train_util.verify_training_args(args)
content = config_util.load_user_config(dataset)
sanitizer = config_util.ConfigSanitizer(True, True, args.masked_loss, True)
blueprint = config_util.BlueprintGenerator(sanitizer).generate(content, args)
group = blueprint.dataset_group.datasets[0]
counts = {}
if os.path.isdir(group.subsets[0].params.image_dir):
    made, _ = config_util.generate_dataset_group_by_blueprint(blueprint.dataset_group)
    manager = made.datasets[0].bucket_manager
    counts = {"batches": len(made), "buckets": [len(bucket) for bucket in manager.buckets]}
print("RESULT " + json.dumps({"counts": counts, "args": vars(args), "unknown": sorted(set(vars(args)) - known),
                              "dataset": vars(group.params),
                              "subsets": [vars(subset.params) for subset in group.subsets]}, default=str))
"""


CAPTIONER = """
import json, random, sys, types
from library.train_util import BaseDataset
rules, captions = json.load(open(sys.argv[1]))
out = []
for rule in rules:
    subset = types.SimpleNamespace(token_warmup_step=0, token_warmup_min=1, **rule)
    dataset = types.SimpleNamespace(current_epoch=3, replacements={}, max_train_steps=100, current_step=0)
    for caption in captions:
        for seed in range(12):
            random.seed(seed)
            out.append(BaseDataset.process_caption(dataset, subset, caption))
print("RESULT " + json.dumps(out))
"""
CAPTIONS = ("mychar, hat, red hair, long dress, smile", "mychar, {red|blue|green} hat, {{braces}}, a ;;; b",
            "one line\nanother, line\nthird", "mychar, solo ||| hat, bow, tie ||| best quality, end", "Ein Satz, mit Komma.", "mychar")
RULES = ({}, {"shuffle_caption": True, "keep_tokens": 1}, {"shuffle_caption": True, "keep_tokens_separator": "|||"},
         {"enable_wildcard": True, "shuffle_caption": True}, {"caption_dropout_rate": 0.5}, {"caption_dropout_every_n_epochs": 3},
         {"caption_tag_dropout_rate": 0.4, "keep_tokens": 2}, {"caption_prefix": "photo of", "caption_suffix": "end"},
         {"shuffle_caption": True, "secondary_separator": ";;;", "caption_separator": ","},
         {"shuffle_caption": True, "caption_tag_dropout_rate": 0.3, "caption_dropout_rate": 0.2, "enable_wildcard": True})


def given_checkout() -> Path:
    if not os.environ.get("SD_SCRIPTS_DIR"):
        pytest.skip("SD_SCRIPTS_DIR names no checkout of sd-scripts")
    return checkout()


@cache
def import_problem(python: Path, folder: Path) -> str:
    """Why its scripts cannot be imported; empty when they can."""
    done = subprocess.run([str(python), "-c", "import sdxl_train_network"], cwd=folder, capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def read_by_sd_scripts(script: str, config: Path, dataset: Path) -> dict[str, Any]:
    folder, python = given_checkout(), interpreter()
    if python is None:
        pytest.skip("sd-scripts has no Python environment (SD_SCRIPTS_PYTHON)")
    if problem := import_problem(python, folder):
        pytest.skip(f"sd-scripts cannot be imported by {python}: {problem}")
    done = subprocess.run([str(python), "-c", READER, script, str(config), str(dataset)], cwd=folder, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))[7:])


@pytest.mark.parametrize("name", preset_names())
def test_sd_scripts_reads_every_value_of_a_preset_as_written(name, tmp_path):
    given_checkout()
    subsets = [{"image_dir": str(tmp_path / "ü 'girl'"), "num_repeats": 10, "class_tokens": "1girl"},
               {"image_dir": str(tmp_path / "reg"), "is_reg": True, "caption_extension": ".caption"}]
    captions = {"enable_wildcard": True, "caption_prefix": "photo of", "keep_tokens_separator": "|||", "secondary_separator": ";;;",
                "caption_dropout_every_n_epochs": 4, "caption_tag_dropout_rate": 0.1}
    settings = load_preset(name).with_values(data={"subsets": subsets, **captions}, sampling={"sample_prompts": ["mikoneko --n bad --s 5"]})
    pair = write_pair(settings, tmp_path / "run")
    seen = read_by_sd_scripts(script_for(settings.model.family), pair.config, pair.dataset)
    config, dataset = read_pair(pair.config, pair.dataset)
    assert seen["unknown"] == []
    assert {key: seen["args"][key] for key in config} == config
    own = {key: value for key, value in dataset["datasets"][0].items() if key not in ("subsets", "resolution")}
    assert {key: seen["dataset"][key] for key in own} == own
    assert seen["dataset"]["resolution"] == list(settings.data.size)
    for written, read in zip(dataset["datasets"][0]["subsets"], seen["subsets"], strict=True):
        expected = {**dataset["general"], **written}
        assert {key: read[key] for key in expected} == expected


def test_every_caption_is_drawn_as_sd_scripts_draws_it(tmp_path):
    """The same random numbers give the same text, letter by letter."""
    folder, python = given_checkout(), interpreter()
    if python is None:
        pytest.skip("sd-scripts has no Python environment (SD_SCRIPTS_PYTHON)")
    rules = [CaptionRule(**rule) for rule in RULES]
    (tmp_path / "asked.json").write_text(json.dumps([[asdict(rule) for rule in rules], CAPTIONS]), encoding="utf-8")
    done = subprocess.run([str(python), "-c", CAPTIONER, str(tmp_path / "asked.json")], cwd=folder, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))[7:])
    ours = [make_caption(caption, rule, random.Random(seed), 3) for rule in rules for caption in CAPTIONS for seed in range(12)]
    assert ours == theirs and len(set(ours)) > 100


def test_batches_are_counted_as_sd_scripts_counts_them(tmp_path):
    """Two folders with repeats, regularisation pictures of which a part is repeated more, and several proportions."""
    from PIL import Image

    given_checkout()
    sizes = {"girl": [(512, 512), (640, 384), (384, 640), (512, 512), (700, 300)], "more": [(512, 512)] * 3,
             "reg": [(512, 512), (640, 384)]}
    for name, shapes in sizes.items():
        (tmp_path / name).mkdir()
        for number, shape in enumerate(shapes):
            Image.new("RGB", shape).save(tmp_path / name / f"{number}.png")
            (tmp_path / name / f"{number}.txt").write_text("1girl")
    subsets = [{"image_dir": str(tmp_path / "girl"), "num_repeats": 3}, {"image_dir": str(tmp_path / "more"), "num_repeats": 2},
               {"image_dir": str(tmp_path / "reg"), "num_repeats": 4, "is_reg": True}]
    settings = load_preset("sd15_character").with_values(data={"subsets": subsets, "batch_size": 4})
    pair = write_pair(settings, tmp_path / "run")
    seen = read_by_sd_scripts("train_network.py", pair.config, pair.dataset)["counts"]
    totals = count_steps(settings, image_counts(settings), seen["buckets"])
    assert totals.images == sum(seen["buckets"])
    assert totals.batches_per_epoch == seen["batches"]


def test_the_projects_facts_are_those_of_the_checkout(tmp_path):
    """The small tool reads the checkout again; a change of sd-scripts shows here first."""
    folder = given_checkout()
    commit = json.loads((DATA / "sd_scripts_args.json").read_text())["commit"]
    tool = ROOT / "custom" / "read_sd_scripts_arguments.py"
    argv = [sys.executable, str(tool), str(folder), "--out", str(tmp_path), "--commit", commit]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("sd_scripts_args.json", "sd_scripts_dataset_schema.json"):
        assert json.loads((tmp_path / name).read_text()) == json.loads((DATA / name).read_text())
