"""musubi-tuner as a backend: its three scripts for the family as one run, in its own checkout and environment.

What it reads is written beside the run's pair, in `musubi/`; what it encodes lies in `cache/` of the run, never in a folder of pictures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError, TrainingError
from core.base.files import write_text
from core.base.findings import Finding
from core.base.paths import ROOT
from core.training.backends import Command, RunFolder
from core.training.backends.accelerate import gpu_environment, launch_words, schedule_words
from core.training.backends.checkouts import checkout_of, interpreter_of, lacking
from core.training.backends.wandb_ready import check_wandb
from core.training.config.contract import check_pair
from core.training.config.families import trained_model
from core.training.config.musubi import as_words, cache_arguments, check_folders, musubi_arguments, musubi_dataset
from core.training.config.pair import pair_in, read_pair
from core.training.config.presets import load_settings
from core.training.config.toml_text import toml_text
from core.training.config.training import TrainingSettings

NAME = "musubi"
PACKAGE = "src/musubi_tuner"
RUNNER, TRAINER = ROOT / "custom" / "run_musubi_stages.py", ROOT / "custom" / "train_by_musubi.py"
START = Path(__file__).resolve().with_name("inside") / "lorabook_start.py"
"""Runs the training, and measures gradients and layers beside it."""
TITLES = ("encoding pictures", "reading captions", "training")
PATTERNS = ("*_[0-9][0-9][0-9][0-9]x[0-9][0-9][0-9][0-9]_*.safetensors", "*_te.safetensors")
"""What each cache script leaves: of pictures NAME_0512x0512_ARCH.safetensors, of captions NAME_ARCH_te.safetensors."""
ENVIRONMENT = {"COLUMNS": "200", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "TOKENIZERS_PARALLELISM": "false"}


class MusubiBackend:
    """Encodes pictures, reads captions and trains, with the family's scripts."""

    @classmethod
    def remakes_command(cls, settings: TrainingSettings) -> bool:
        """As `Backend.remakes_command`: `command` writes what musubi-tuner reads."""
        return True

    @classmethod
    def command(cls, run: RunFolder) -> Command:
        """As `Backend.command`; also writes what the three scripts read."""
        if (problem := cls.missing()) is not None:
            raise TrainingError(problem.what, problem.remedy)
        plan = write_stages(Path(run.folder).absolute(), checkout_of(NAME))
        settings = load_settings(pair_in(run.folder).settings)
        gpus = gpu_environment(settings)
        own = {"PYTHONPATH": str(checkout_of(NAME) / "src"), "LORABOOK_RUN": str(Path(run.folder).absolute()),
               "LORABOOK_TRIGGER": settings.saving.metadata_trigger_phrase or ""}
        return Command([str(interpreter_of(NAME)), str(RUNNER), str(plan)], checkout_of(NAME), {**ENVIRONMENT, **gpus, **own})

    @classmethod
    def missing(cls) -> Finding | None:
        """As `Backend.missing`."""
        return lacking(NAME, "musubi-tuner", (f"{PACKAGE}/flux_2_train_network.py", f"{PACKAGE}/zimage_cache_latents.py"))

    @classmethod
    def check(cls, run: RunFolder) -> list[Finding]:
        """As `Backend.check`: every key against the arguments of the three scripts, and the folders."""
        pair = pair_in(run.folder)
        settings = load_settings(pair.settings)
        model = trained_model(settings.model.family)
        if model.trainer != NAME:
            return [Finding("error", f"musubi-tuner does not train {model.title}.", f"Choose the trainer {model.trainer}.")]
        return [*check_pair(pair, model.script), *check_folders(read_pair(pair.config, pair.dataset)[1]), *check_wandb(settings.logging)]


def write_stages(folder: Path, checkout: Path) -> Path:
    """Write what musubi-tuner reads of a run: its dataset file, its config, and the three stages with their arguments.

    Returns: the file of the stages.
    Raises: ConfigError: no pair in the folder, a family that it does not train, or nothing to learn from. DiskError.
    """
    pair = pair_in(folder)
    settings = load_settings(pair.settings)
    model = trained_model(settings.model.family)
    config, tables = read_pair(pair.config, pair.dataset)
    dataset = musubi_dataset(tables, folder / "cache")
    if model.trainer != NAME or not dataset["datasets"]:
        what = f"musubi-tuner does not train {model.title}." if model.trainer != NAME else "There is no folder of pictures to learn from."
        raise ConfigError(what, "Choose another trainer, or a folder.")
    place = folder / "musubi"
    for name, comment, content in (("dataset.toml", "What to train from, in musubi-tuner's format; written by Lorabook.", dataset),
                                   ("train.toml", "How to train, in musubi-tuner's format; written by Lorabook.",
                                    musubi_arguments(config, model))):
        write_text(place / name, toml_text(content, comment))
    for one in dataset["datasets"]:
        Path(one["cache_directory"]).mkdir(parents=True, exist_ok=True)
    write_text(place / "stages.json", json.dumps({"stages": _stages(config, dataset, settings, place, checkout)}, indent=1))
    return place / "stages.json"


def _stages(config: Mapping[str, Any], dataset: Mapping[str, Any], settings: TrainingSettings, place: Path, checkout: Path
            ) -> list[dict[str, Any]]:
    """The three stages: title, command behind the Python, and what a stage that encodes reads and writes.

    One process encodes for all; several train.
    """
    model = trained_model(settings.model.family)
    caches = [one["cache_directory"] for one in dataset["datasets"]]
    folders = [one[key] for one in dataset["datasets"] for key in ("image_directory", "control_directory") if key in one]
    stages = []
    for title, script, arguments, pattern in zip(TITLES, model.cache_scripts, cache_arguments(config, model), PATTERNS, strict=False):
        words = as_words({"dataset_config": str(place / "dataset.toml"), **arguments})
        files = [value for value in arguments.values() if isinstance(value, str) and value.startswith("/")]
        stages.append({"name": script.removesuffix(".py"), "title": title, "argv": [str(checkout / PACKAGE / script), *words],
                       "cwd": str(checkout), "dataset": dict(dataset), "reads": [*folders, *files], "writes": caches, "pattern": pattern})
    words = ["--config_file", str(place / "train.toml"), "--dataset_config", str(place / "dataset.toml")]
    words += schedule_words(config, settings.machines.num_processes)
    argv = [*launch_words(settings), str(START), str(TRAINER), model.script.removesuffix(".py"), str(config.get("resume") or ""), *words]
    return [*stages, {"name": "training", "title": TITLES[-1], "argv": argv, "cwd": str(checkout), "dataset": {}, "reads": [],
                      "writes": [], "pattern": ""}]
