"""What the trainers' own parsers and networks accept, read from their source by `custom/read_*_arguments.py`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError
from core.base.files import read_json

DATA = Path(__file__).resolve().parents[1] / "data"
FILES = {"sd-scripts": "sd_scripts_args.json", "musubi": "musubi_args.json"}


@cache
def known_arguments(script: str) -> Mapping[str, Mapping[str, Any]]:
    """The arguments of one of a trainer's scripts, by its own names: name to action, type, default, choices, nargs.

    Raises: ConfigError: the facts hold no such script.
    """
    both = [read_json(DATA / name) for name in FILES.values()]
    facts = next((one for one in both if script in one["scripts"]), None)
    if facts is None:
        known = [name for one in both for name in one["scripts"]]
        raise ConfigError(f"The arguments of {script!r} are not known.", f"Known: {', '.join(known)}.")
    definitions = (facts["definitions"][name] for name in facts["scripts"][script]["args"])
    return {definition["dest"]: definition for definition in definitions}


@cache
def dataset_levels() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """What `dataset.toml` may hold: level (general, dataset, subset) to key to type and required."""
    return read_json(DATA / "sd_scripts_dataset_schema.json")["levels"]


@cache
def musubi_dataset_levels() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """What musubi-tuner's dataset file may hold: level (general, dataset) to key to type and required."""
    return read_json(DATA / FILES["musubi"])["dataset"]["levels"]


@cache
def network_arguments(trainer: str, module: str) -> frozenset[str]:
    """The names that a module of networks knows in `network_args`; empty for one that was not read.

    Args: trainer: "sd-scripts" or "musubi". module: `network_module`, such as "networks.lora_flux".
    """
    return frozenset(read_json(DATA / "network_args.json")["networks"][trainer].get(module, ()))


def described_commit(trainer: str = "sd-scripts") -> str:
    """The commit that the facts describe. Args: trainer: "sd-scripts" or "musubi"."""
    return str(read_json(DATA / FILES[trainer])["commit"])
