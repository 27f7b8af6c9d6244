"""Is every key of a pair one that the trainer's own parser knows, with a value of the right kind?

sd-scripts reads `config.toml` into its arguments unchecked: a misspelt key or a quoted number trains for hours without
effect; so does musubi-tuner. The facts are `core/training/data/*.json`, read from their parsers by `custom/read_sd_scripts_arguments.py`
and `custom/read_musubi_arguments.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from core.base.findings import Finding
from core.training.config.facts import dataset_levels, known_arguments, musubi_dataset_levels
from core.training.config.families import TrainedModel, model_of_script
from core.training.config.musubi import cache_arguments, musubi_arguments, musubi_dataset
from core.training.config.pair import TomlPair, flatten, read_tables

SCALARS: dict[str, tuple[type, ...]] = {"str": (str,), "Path": (str,), "int": (int,), "float": (float, int), "int_or_float": (float, int)}
"""What TOML may hold for an argument's type; a bool is an int in Python, but never here."""


def check_pair(pair: TomlPair, script: str, also: Collection[str] = ()) -> list[Finding]:
    """What the trainer would misread in the two files.

    Args:
        pair: the files, as written.
        script: the trainer's script that would read them: "train_network.py", "flux_2_train_network.py".
        also: further keys of `config.toml` that the backend understands.

    Returns: errors only; empty when every key is known and every value is of the right kind.
    Raises: ConfigError: a file is missing or no TOML; the script is unknown.
    """
    tables = read_tables(pair.config)
    model = model_of_script(script)
    if model is not None and model.trainer == "musubi":
        return [*_repeated_keys(tables), *_check_musubi(pair, flatten(tables), model, script)]
    known = known_arguments(script)
    findings = list(_repeated_keys(tables))
    for name, value in flatten(tables).items():
        if name in known:
            findings += _wrong_value(name, value, known[name])
        elif name not in also:
            findings.append(_unknown(name, known, f"{pair.config.name}, {script}"))
    return findings + check_dataset(read_tables(pair.dataset), pair.dataset.name)


def _check_musubi(pair: TomlPair, values: Mapping[str, Any], model: TrainedModel, script: str) -> Iterator[Finding]:
    """What musubi-tuner's three scripts would misread, once the pair is in its words."""
    title, own_names = model.trainer_title, {own: name for name, own in model.names.items()}
    scripts = [*zip(model.cache_scripts, cache_arguments(values, model), strict=True), (script, musubi_arguments(values, model))]
    for one, arguments in reversed(scripts):
        known = known_arguments(one)
        for name, value in arguments.items():
            if name in known and (one == script or name not in known_arguments(script)):
                yield from _wrong_value(own_names.get(name, name), value, known[name], title)
            elif name not in known:
                yield _unknown(own_names.get(name, name), known, f"{pair.config.name}, {one}", title)
    levels, tables = musubi_dataset_levels(), musubi_dataset(read_tables(pair.dataset), Path("cache"))
    yield from _level(tables["general"], levels["general"], f"{pair.dataset.name} [general]", title)
    for number, dataset in enumerate(tables["datasets"], start=1):
        yield from _level(dataset, levels["dataset"], f"{pair.dataset.name} folder {number}", title)


def check_dataset(tables: Mapping[str, Any], file: str = "dataset.toml") -> list[Finding]:
    """What sd-scripts would refuse in the tables of a `dataset.toml`."""
    levels = dataset_levels()
    findings = [_unknown(name, ("general", "datasets"), file) for name in tables if name not in ("general", "datasets")]
    findings += _level(tables.get("general", {}), levels["general"], f"{file} [general]")
    for number, dataset in enumerate(tables.get("datasets", []), start=1):
        own = {name: value for name, value in dataset.items() if name != "subsets"}
        findings += _level(own, levels["dataset"], f"{file} dataset {number}")
        for count, subset in enumerate(dataset.get("subsets", []), start=1):
            findings += _level(subset, levels["subset"], f"{file} dataset {number}, folder {count}")
    return findings


def _level(table: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], place: str, title: str = "sd-scripts") -> Iterator[Finding]:
    for name, value in table.items():
        if name not in known:
            yield _unknown(name, known, place, title)
        elif not _fits(value, known[name]["type"]):
            yield Finding("error", f"{name} in {place} is {value!r}, but {title} wants {known[name]['type']}.",
                          "Change it in the settings.")
    for name, facts in known.items():
        if facts["required"] and name not in table:
            yield Finding("error", f"{name} is missing in {place}.", "Add it in the settings.")


def _fits(value: Any, kind: str) -> bool:
    """Whether a value is of one of the schema's kinds: "bool", "float | int", "int | [int, int]", "[float, float]", "dict"."""
    if kind.startswith("[") and kind.endswith("]"):
        inner = [part.strip() for part in kind[1:-1].split(",")]
        return isinstance(value, list) and len(value) == len(inner) and all(_fits(v, k) for v, k in zip(value, inner, strict=True))
    if "|" in kind:
        return any(_fits(value, part.strip()) for part in kind.split("|"))
    types = {"bool": bool, "int": int, "float": float, "str": str, "dict": dict}
    return kind in types and isinstance(value, types[kind]) and isinstance(value, bool) == (kind == "bool")


def _repeated_keys(tables: Mapping[str, Any]) -> Iterator[Finding]:
    """Keys that stand in two sections: flattening keeps the last one without a word."""
    places: dict[str, list[str]] = {}
    for section, table in tables.items():
        for name in table if isinstance(table, dict) else [section]:
            places.setdefault(name, []).append(section)
    for name, sections in places.items():
        if len(sections) > 1:
            yield Finding("error", f"{name} stands in {' and '.join(f'[{section}]' for section in sections)}; only the last would count.",
                          "Leave one of them.")


def _wrong_value(name: str, value: Any, definition: Mapping[str, Any], title: str = "sd-scripts") -> list[Finding]:
    if definition["action"] in ("StoreTrue", "StoreFalse"):
        wanted = "" if isinstance(value, bool) else "true or false, without quotes"
    elif definition["nargs"] in ("*", "+"):
        # sd-scripts itself takes a bare number for this one ("toml backward compatibility" in train_network.py)
        bare = name == "text_encoder_lr" and _is_a(value, definition["type"])
        items = value if isinstance(value, list) else [None]
        wanted = "" if bare or all(_is_a(item, definition["type"]) for item in items) else f"a list of {definition['type']}"
    else:
        wanted = "" if _is_a(value, definition["type"]) else f"a value of type {definition['type']}"
    if wanted:
        return [Finding("error", f"{name} is {value!r}, but {title} wants {wanted}.", "Change it in the settings.")]
    choices = definition["choices"]
    if choices is not None and value not in choices:
        shown = ", ".join(str(choice) for choice in choices if choice is not None)
        return [Finding("error", f"{name} is {value!r}, but {title} knows only {shown}.", "Choose one of them.")]
    return []


def _is_a(value: Any, kind: str) -> bool:
    return isinstance(value, SCALARS[kind]) and not isinstance(value, bool)


def _unknown(name: str, known: Collection[str], place: str, title: str = "sd-scripts") -> Finding:
    near = difflib.get_close_matches(name, list(known), n=1)
    return Finding("error", f"{title} knows no {name!r} ({place}); it would be ignored or refused.",
                   f"Did you mean {near[0]!r}?" if near else "Remove it.")
