"""Which kind of file holds settings, told by what stands in it and not by its name, and its reader."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError, ModelError, StudioError
from core.base.files import read_text
from core.base.paths import typed_path
from core.training.config.pair import read_tables
from core.training.config.reading import Imported
from core.training.config.training import PARTS, TrainingSettings
from core.training.importing import kohya_gui, lora_file, sd_scripts

OWN = ("preset", "places")
"""Tables that stand beside the parts in files of Lorabook: of a preset, and of what a project keeps."""
KINDS = "Known: settings of Lorabook and config files of sd-scripts (.toml), settings of kohya_ss (.json), LoRA files (.safetensors)."


def read_settings_file(path: str | Path, dataset: str | Path | None = None, family: str = "") -> Imported:
    """Training settings from a file of any known kind, with a list of what could not be taken over.

    Args:
        dataset: sd-scripts' dataset file, where it does not lie where the config file says it does.
        family: the model family of an sd-scripts or kohya_ss file; empty: as the file tells.

    Raises: ConfigError: there is no such file, it is of no known kind, or it cannot be read; the sentence says which and why.
    """
    place = typed_path(path)
    if not place.is_file():
        raise ConfigError(f"There is no file {place}.", "Choose a settings file, or a LoRA file.")
    try:
        return _read(place, typed_path(dataset) if dataset else None, family)
    except ConfigError:
        raise
    except StudioError as error:  # of the files themselves: not UTF-8, cut off
        raise ConfigError(error.message, error.hint) from error
    except OSError as error:
        raise ConfigError(f"{place} cannot be read: {error.strerror or error}.", "Look at its permissions.") from error


def _read(place: Path, dataset: Path | None, family: str) -> Imported:
    if (start := _first_bytes(place))[7:9] == b"\0{":  # eight bytes of length, then JSON
        return lora_file.read(place)
    if place.suffix == ".safetensors":
        raise ModelError(f"{place} is not a safetensors file, or it is cut off.", "Download it again.")
    if b"\0" in start:
        raise ConfigError(f"{place.name} is no settings file.", KINDS)
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return kohya_gui.read(_json(place), place, family)
    tables = read_tables(place)
    if _is_own(tables):
        return _own(tables)
    if sd_scripts.is_dataset(tables):
        return sd_scripts.read_dataset(tables, place)
    if sd_scripts.is_config(tables):
        return sd_scripts.read(tables, place, dataset, family)
    raise ConfigError(f"{place.name} holds no training settings.", KINDS)


def _first_bytes(place: Path) -> bytes:
    with open(place, "rb") as file:
        return file.read(512)


def _json(place: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(read_text(place))
    except json.JSONDecodeError as error:
        raise ConfigError(f"{place.name} is no JSON: {error.msg} in line {error.lineno}.", "Save it again in the program that made it.") \
            from error
    if not isinstance(values, dict):
        raise ConfigError(f"{place.name} holds no training settings.", KINDS)
    return values


def _is_own(tables: Mapping[str, Any]) -> bool:
    """Whether its tables are those of `TrainingSettings.values`: a run, a project, a preset, or saved settings."""
    family = tables.get("model", {}).get("family") if isinstance(tables.get("model"), Mapping) else None
    return "preset" in tables or (family is not None and all(name in (*PARTS, *OWN) for name in tables))


def _own(tables: Mapping[str, Any]) -> Imported:
    """Settings that Lorabook wrote; what is wrong in them is an error, not something that was left out."""
    return Imported(TrainingSettings.from_values({name: table for name, table in tables.items() if name not in OWN}),
                    source="settings of Lorabook")
