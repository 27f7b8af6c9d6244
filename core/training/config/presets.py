"""Presets: whole settings by name, and the settings file that a run or a person keeps. Both are the same kind of TOML."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError
from core.base.files import write_text
from core.training.config.pair import read_tables
from core.training.config.part import Family
from core.training.config.toml_text import toml_text
from core.training.config.training import TrainingSettings

FOLDER = Path(__file__).resolve().parents[1] / "presets"
COMPONENTS = ("clip_l", "clip_g", "t5xxl", "gemma2", "qwen3", "text_encoder", "byt5", "ae", "llm_adapter_path")
"""Files that belong to the base model."""
KEPT: dict[str, tuple[str, ...]] = {
    "model": ("pretrained_model_name_or_path", "vae", "tokenizer_cache_dir", *COMPONENTS),
    "data": ("subsets", "num_repeats"),
    "network": ("network_weights",),
    "sampling": ("sample_prompts",),
    "saving": ("output_name", "resume", "training_comment", "metadata_title", "metadata_author", "metadata_description",
               "metadata_license", "metadata_tags", "metadata_usage_hint", "metadata_trigger_phrase", "metadata_merged_from", "output_dir"),
    "machines": ("num_processes", "gpu_ids", "num_machines", "machine_rank", "main_process_ip", "main_process_port"),
    "logging": ("log_with", "log_tracker_name", "wandb_run_name", "logging_dir"),
}
"""What is a person's own and stays when another preset is chosen; everything else is the preset's or the default."""


@dataclass(frozen=True)
class Preset:
    """One preset, as its file describes it."""

    name: str
    title: str
    purpose: str
    family: Family
    listed: bool
    """Whether it is offered by its family; the demo's is opened by the demo only."""
    settings: TrainingSettings


@cache
def find_presets() -> dict[str, Preset]:
    """Every preset by name, in the order of the names. Raises: ConfigError: a preset's file is wrong."""
    return {path.stem: read_preset(path) for path in sorted(FOLDER.glob("*.toml"))}


def preset_names(family: str | None = None) -> tuple[str, ...]:
    """The presets offered for a family; None gives all, the demo's too."""
    return tuple(name for name, preset in find_presets().items() if family is None or (preset.listed and preset.family == family))


def load_preset(name: str) -> TrainingSettings:
    """The whole settings of a preset, shipped or a person's own: what its file names, defaults for the rest.

    Raises: ConfigError: there is none, or its file is wrong.
    """
    presets = find_presets()
    if name in presets:
        return presets[name].settings
    from core.training.config.own_presets import own_names, read_own

    if name in own_names():
        return read_own(name).settings
    raise ConfigError(f"No preset is called {name!r}.", f"Known: {', '.join([*presets, *own_names()])}.")


def apply_preset(name: str, present: TrainingSettings) -> TrainingSettings:
    """A preset with what is a person's own in `present` (model, folders, prompts, name), and nothing else of it.

    Raises: ConfigError: there is no such preset.
    """
    kept: dict[str, dict[str, Any]] = {part: {name: getattr(getattr(present, part), name) for name in names} for part,
                                       names in KEPT.items()}
    return load_preset(name).with_values(**kept)


def save_settings(settings: TrainingSettings, path: Path) -> None:
    """Write settings as a TOML file that `load_settings` reads. Raises: DiskError."""
    write_text(Path(path), toml_text(settings.values(), "Training settings of Lorabook."))


def load_settings(path: Path) -> TrainingSettings:
    """Read a settings file (of a run, or saved). Raises: ConfigError: missing, no TOML, or a wrong setting."""
    return TrainingSettings.from_values(read_tables(path))


def read_preset(path: Path) -> Preset:
    """A preset's file. Raises: ConfigError: missing, no TOML, or a wrong setting. DatasetError: not UTF-8."""
    tables = read_tables(path)
    about = tables.pop("preset", {})
    if not isinstance(about, dict):
        raise ConfigError(f"{path.name} is no preset: [preset] is {about!r}.", "Save it again.")
    settings = TrainingSettings.from_values(tables)
    return Preset(path.stem, str(about.get("title", path.stem)), str(about.get("purpose", "")), settings.model.family,
                  bool(about.get("listed", True)), settings)
