"""The pair of files that every trainer reads: `config.toml` (how) and `dataset.toml` (from what)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError
from core.base.files import read_text, write_text
from core.base.paths import place_of
from core.training.config.sampling import prompt_lines
from core.training.config.toml_text import read_toml, same_types, toml_text
from core.training.config.training import PARTS, TrainingSettings

LOCAL_PATHS = ("tokenizer_cache_dir", "network_weights", "base_weights", "resume", "output_dir", "logging_dir", "clip_l", "clip_g",
               "t5xxl", "gemma2", "qwen3", "text_encoder", "byt5", "ae", "llm_adapter_path")
"""Arguments that are always a place on this machine; a trainer runs in a folder of its own, so they are made absolute."""
PATHS_OR_NAMES = ("pretrained_model_name_or_path", "vae")
"""Arguments that are a place if there is one of that name, else the name of a model on Hugging Face."""


@dataclass(frozen=True)
class TomlPair:
    """The two files of a run, and what lies beside them."""

    config: Path
    dataset: Path

    @property
    def settings(self) -> Path:
        """The settings themselves, for opening the run in the form again."""
        return self.config.with_name("settings.toml")

    @property
    def sample_prompts(self) -> Path:
        """The prompt file; missing when there are no prompts."""
        return self.config.with_name("sample_prompts.txt")


def pair_in(folder: Path) -> TomlPair:
    """The pair of a run's folder, whether it exists or not."""
    return TomlPair(Path(folder) / "config.toml", Path(folder) / "dataset.toml")


def config_tables(settings: TrainingSettings, folder: Path) -> dict[str, dict[str, Any]]:
    """The content of `config.toml`: one table per part, paths absolute."""
    tables = {part.section: getattr(settings, name).arguments(settings) for name, part in PARTS.items()}
    if settings.sampling.sample_prompts:
        tables["sampling"]["sample_prompts"] = str(pair_in(Path(folder).absolute()).sample_prompts)
    return {section: {name: _placed(name, value) for name, value in table.items()} for section, table in tables.items() if table}


def dataset_tables(settings: TrainingSettings) -> dict[str, Any]:
    """The content of `dataset.toml`, paths absolute."""
    tables = settings.data.tables(settings)
    for subset in tables["datasets"][0]["subsets"]:
        for name in ("image_dir", "conditioning_data_dir", "control_directory"):
            if name in subset:
                subset[name] = _absolute(subset[name])
    return tables


def write_pair(settings: TrainingSettings, folder: Path) -> TomlPair:
    """Write `config.toml`, `dataset.toml`, `settings.toml` and, if there are prompts, `sample_prompts.txt`.

    Every file is read back with the `toml` package before it is written, and must give the same values and types.

    Args: folder: the run's folder; made if missing.
    Raises: ConfigError: a value that sd-scripts' reader cannot give back. DiskError.
    """
    folder = Path(folder)
    pair = pair_in(folder)
    files = {
        pair.config: ("How to train, in sd-scripts' format; written by Lorabook.", config_tables(settings, folder)),
        pair.dataset: ("What to train from, in sd-scripts' format; written by Lorabook.", dataset_tables(settings)),
        pair.settings: ("The settings of this run, for opening them again.", settings.values()),
    }
    texts = {path: _checked_text(path, comment, content) for path, (comment, content) in files.items()}
    if settings.sampling.sample_prompts:
        texts[pair.sample_prompts] = prompt_lines(settings.sampling.sample_prompts, settings.data.size)
    for path, text in texts.items():
        write_text(path, text)
    return pair


def read_pair(config_path: Path, dataset_path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pair as sd-scripts reads it: the config with its sections flattened, and the dataset's tables.

    Raises: ConfigError: a file is missing or no TOML. DatasetError: a file is not UTF-8.
    """
    return flatten(read_tables(config_path)), read_tables(dataset_path)


def read_tables(path: Path) -> dict[str, Any]:
    """One TOML file, read as sd-scripts reads it. Raises: ConfigError: missing or no TOML. DatasetError: not UTF-8."""
    try:
        return read_toml(read_text(Path(path)), str(path))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist.", "Write the settings first, or open another run.") from error


def flatten(tables: dict[str, Any]) -> dict[str, Any]:
    """What sd-scripts makes of a config file: sections dropped, their keys side by side, the last one wins."""
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        flat.update(value if isinstance(value, dict) else {name: value})
    return flat


def _checked_text(path: Path, comment: str, content: dict[str, Any]) -> str:
    text = toml_text(content, comment)
    back = read_toml(text, str(path))
    if back != content or not same_types(back, content):
        raise ConfigError(f"{path} would not read back as written.", "This is a bug in Lorabook: please report it with your settings.")
    return text


def _placed(name: str, value: Any) -> Any:
    if name in LOCAL_PATHS:
        return [_absolute(one) for one in value] if isinstance(value, list) else _absolute(value)
    if name in PATHS_OR_NAMES and place_of(value).exists():
        return _absolute(value)
    return value


def _absolute(value: str) -> str:
    return str(place_of(value))
