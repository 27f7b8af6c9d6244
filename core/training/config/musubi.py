"""A pair of files in musubi-tuner's own words: names, values and folders as its scripts read them.

The pair of a run is the same for every trainer; musubi-tuner calls some arguments otherwise, has a dataset file of its own (no folders
inside a dataset, no changes of captions), and encodes pictures and captions by scripts of their own before the training.
Source: kohya-ss/musubi-tuner at 30c658c4 (training/parser_common.py, dataset/config_utils.py, the cache scripts).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.base.findings import Finding
from core.training.config.facts import known_arguments
from core.training.config.families import CACHE_ARGUMENTS, START_ARGUMENTS, TrainedModel

VALUES: Mapping[str, Mapping[Any, Any]] = {"weighting_scheme": {"uniform": "none"}}
"""Values that musubi-tuner calls otherwise; both mean that every noise level counts the same."""
DATASET_NAMES = {"image_dir": "image_directory"}


def musubi_arguments(arguments: Mapping[str, Any], model: TrainedModel) -> dict[str, Any]:
    """The training script's arguments. Args: arguments: config.toml, flattened; what only others take is left out."""
    return {model.names.get(name, name): VALUES.get(name, {}).get(value, value) if isinstance(value, str) else value
            for name, value in arguments.items() if name not in (*CACHE_ARGUMENTS, *START_ARGUMENTS)}


def cache_arguments(arguments: Mapping[str, Any], model: TrainedModel) -> list[dict[str, Any]]:
    """The arguments of each cache script: what the training script has of them too, and what is theirs alone."""
    translated = musubi_arguments(arguments, model)
    found = [{name: value for name, value in translated.items() if name in known_arguments(script)} for script in model.cache_scripts]
    for name, (place, own) in CACHE_ARGUMENTS.items():
        if arguments.get(name) is not None:
            found[place][own] = arguments[name]
    return found


def musubi_dataset(tables: Mapping[str, Any], cache: Path) -> dict[str, Any]:
    """musubi-tuner's dataset file: a dataset for each folder to learn from, each with a folder of its own for what was encoded.

    Args: tables: dataset.toml. cache: where these folders are; regularisation folders are left out, for they would be learned.
    """
    datasets = [{**{name: value for name, value in dataset.items() if name != "subsets"}, **_folder(subset)}
                for dataset in tables.get("datasets", []) for subset in dataset.get("subsets", []) if not subset.get("is_reg")]
    return {"general": dict(tables.get("general", {})),
            "datasets": [{**dataset, "cache_directory": str(cache / f"{number:02d}")} for number, dataset in enumerate(datasets, start=1)]}


def _folder(subset: Mapping[str, Any]) -> dict[str, Any]:
    return {DATASET_NAMES.get(name, name): value for name, value in subset.items() if name != "is_reg"}


def as_words(arguments: Mapping[str, Any]) -> list[str]:
    """Arguments as the words of a command line; what is off or empty is left out."""
    return list(_words(arguments))


def _words(arguments: Mapping[str, Any]) -> Iterator[str]:
    for name, value in arguments.items():
        if value is True:
            yield f"--{name}"
        elif value is not None and value is not False:
            yield f"--{name}"
            yield from (str(one) for one in value) if isinstance(value, list) else (str(value),)


def check_folders(tables: Mapping[str, Any]) -> Iterator[Finding]:
    """Folders that musubi-tuner cannot use as they are meant."""
    for dataset in tables.get("datasets", []):
        for subset in dataset.get("subsets", []):
            if subset.get("is_reg"):
                yield Finding("warning", f"The regularisation folder {subset.get('image_dir')} is left out: musubi-tuner would learn it.",
                              "Take it out of the folders.")
