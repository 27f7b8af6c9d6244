"""What sd-scripts' own parsers accept, read from its source by `custom/read_sd_scripts_arguments.py`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError
from core.base.files import read_json

DATA = Path(__file__).resolve().parents[1] / "data"


@cache
def known_arguments(script: str) -> Mapping[str, Mapping[str, Any]]:
    """The arguments of one of sd-scripts' scripts: name to action, type, default, choices, nargs.

    Raises: ConfigError: the facts hold no such script.
    """
    facts = read_json(DATA / "sd_scripts_args.json")
    if script not in facts["scripts"]:
        raise ConfigError(f"The arguments of {script!r} are not known.", f"Known: {', '.join(facts['scripts'])}.")
    definitions = (facts["definitions"][name] for name in facts["scripts"][script]["args"])
    return {definition["dest"]: definition for definition in definitions}


@cache
def dataset_levels() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """What `dataset.toml` may hold: level (general, dataset, subset) to key to type and required."""
    return read_json(DATA / "sd_scripts_dataset_schema.json")["levels"]


def described_commit() -> str:
    """The commit of sd-scripts that the facts describe."""
    return str(read_json(DATA / "sd_scripts_args.json")["commit"])
