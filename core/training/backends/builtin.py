"""The built-in trainer as a backend: always there, same pair, same interpreter, a process of its own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, ModelError
from core.base.findings import Finding
from core.base.paths import ROOT, looks_like_a_place, place_of
from core.diffusion.kinds import size_multiple_of
from core.training.backends import Command, RunFolder
from core.training.backends.accelerate import gpu_environment
from core.training.config.contract import check_pair
from core.training.config.families import script_for
from core.training.config.finding import finding
from core.training.config.pair import pair_in
from core.training.config.presets import load_settings
from core.training.config.sources import cannot_open

if TYPE_CHECKING:
    from core.training.builtin.options import TrainOptions
    from core.training.config import TrainingSettings

DOOR = ROOT / "custom" / "train_lora.py"
NEEDS = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "PIL", "toml")
OPTIMIZER_PACKAGES = {"AdamW8bit": "bitsandbytes", "Prodigy": "prodigyopt"}
"""Optimizers that come with a package of their own, which not every machine has."""
ALSO = ("cache_text_encoder_outputs", "cache_text_encoder_outputs_to_disk")
"""Arguments that sd-scripts has for SDXL only; this trainer has them for every family."""


class BuiltinBackend:
    """Runs `custom/train_lora.py` on the pair."""

    @classmethod
    def remakes_command(cls, settings: TrainingSettings) -> bool:
        """As `Backend.remakes_command`."""
        return False

    @classmethod
    def command(cls, run: RunFolder) -> Command:
        """As `Backend.command`."""
        folder = Path(run.folder).absolute()
        pair = pair_in(folder)
        argv = [sys.executable, str(DOOR), "--config_file", str(pair.config), "--dataset_config", str(pair.dataset), "--run_dir",
                str(folder)]
        environment = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "TOKENIZERS_PARALLELISM": "false"}
        return Command(argv, ROOT, {**environment, **_chosen_gpu(pair.settings)})

    @classmethod
    def missing(cls) -> Finding | None:
        """As `Backend.missing`."""
        absent = [name for name in NEEDS if importlib.util.find_spec(name) is None]
        if absent:
            return Finding("error", f"The built-in trainer needs {', '.join(absent)}.", "Run: python3 installer.py")
        return None

    @classmethod
    def check(cls, run: RunFolder) -> list[Finding]:
        """As `Backend.check`: the keys as sd-scripts knows them, then what this trainer itself says about them."""
        from core.training.builtin.options import read_options

        pair = pair_in(run.folder)
        findings = check_pair(pair, script_for(load_settings(pair.settings).model.family), also=ALSO)
        try:
            options = read_options(pair.config)
        except ConfigError as error:
            return [*findings, Finding("error", error.message, error.hint)]
        findings += [*_models(options), *_sizes(load_settings(pair.settings))]
        package = OPTIMIZER_PACKAGES.get(options.optimizer_type)
        if package and importlib.util.find_spec(package) is None:
            findings.append(Finding("error", f"The optimizer {options.optimizer_type} needs the package {package}, which is not installed.",
                                    "Choose the optimizer AdamW, or run: python3 installer.py"))
        return [*findings, *(Finding("warning", warning) for warning in options.warnings)]


def _chosen_gpu(settings_file: Path) -> dict[str, str]:
    """Which GPU it sees, where one is chosen; a run's pair that was written by hand has no settings file."""
    return gpu_environment(load_settings(settings_file)) if settings_file.is_file() else {}


def _sizes(settings: TrainingSettings) -> Iterator[Finding]:
    """Training sizes that the model cannot take, which it would say only when it is loaded and every picture was looked through."""
    name, data = settings.model.pretrained_model_name_or_path, settings.data
    path = place_of(name) if name else None
    if path is None or not path.exists():
        return
    try:
        multiple = size_multiple_of(path)
    except (ModelError, OSError):
        return  # what is wrong with it is said elsewhere
    (width, height), step = data.size, data.bucket_reso_steps
    if data.enable_bucket and step % multiple:
        yield finding("error", f"The bucket step (bucket_reso_steps) is {step}, but this model takes sides that are multiples of "
                      f"{multiple}.", f"Set bucket_reso_steps to {multiple}.", bucket_reso_steps=multiple)
    elif not data.enable_bucket and (width % multiple or height % multiple):
        sides: dict[str, Any] = {"resolution": max(multiple, width - width % multiple)}
        if data.resolution_height is not None:
            sides["resolution_height"] = max(multiple, height - height % multiple)
        yield finding("error", f"The resolution is {width} x {height}, but this model takes sides that are multiples of {multiple}.",
                      f"Set it to {' x '.join(map(str, sides.values()))}.", **sides)


def _models(options: TrainOptions) -> Iterator[Finding]:
    """Models that this trainer cannot open: names on Hugging Face, which it does not download, and what is no SD 1.x or SDXL."""
    for title, name in (("model", options.pretrained_model_name_or_path), ("VAE", options.vae)):
        if name and not place_of(name).exists() and not looks_like_a_place(name):
            yield Finding("error", f"The {title} {name!r} is a name on Hugging Face, but the built-in trainer opens only what lies on this "
                          "machine.", "Download it and choose its .safetensors file or its folder, or use the sd-scripts backend.")
    path = place_of(options.pretrained_model_name_or_path)
    if path.exists() and (trouble := cannot_open(path)):
        yield trouble
