"""The dataset that a LoRA file was trained from, as far as its metadata says: folders by their bare names, sizes, captions.

Two forms: `ss_datasets` (a dataset file was used) and the older one with flat keys and `ss_dataset_dirs`. Source: kohya-ss/sd-scripts at
48d368fa, train_network.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.training.config.data import Subset
from core.training.importing.folders import Left
from core.training.importing.lora_values import written_value

OF_DATASET = {"batch_size_per_device": "batch_size", "enable_bucket": "enable_bucket", "min_bucket_reso": "min_bucket_reso",
              "max_bucket_reso": "max_bucket_reso", "bucket_no_upscale": "bucket_no_upscale",
              "resize_interpolation": "resize_interpolation"}
"""Key of the metadata → key of a dataset file."""
OF_SUBSET = ("color_aug", "flip_aug", "random_crop", "shuffle_caption", "keep_tokens", "keep_tokens_separator", "secondary_separator",
             "enable_wildcard", "caption_prefix", "caption_suffix")
FLAT = (*OF_DATASET, "resolution", "color_aug", "flip_aug", "random_crop", "shuffle_caption", "keep_tokens", "dataset_dirs",
        "reg_dataset_dirs", "datasets")


def dataset_of(metadata: dict[str, str]) -> tuple[dict[str, Any], list[Left]]:
    """The tables of a dataset file, and what of the metadata could not be read.

    Args: metadata: without `ss_`; what is read here is taken out.
    """
    flat = {name: metadata.pop(name) for name in FLAT if name in metadata}
    left: list[Left] = []
    listed = _json("ss_datasets", flat.pop("datasets", ""), list, left)
    if listed:
        for name in ("dataset_dirs", "reg_dataset_dirs"):
            flat.pop(name, None)
        tables = [_dataset(one, left) for one in listed if isinstance(one, Mapping)]
        return _with_shared(tables, {name: written_value(text) for name, text in flat.items()}), left
    subsets = [*_subsets(flat.pop("dataset_dirs", ""), False, left), *_subsets(flat.pop("reg_dataset_dirs", ""), True, left)]
    dataset = {OF_DATASET.get(name, name): written_value(text) for name, text in flat.items()}
    general = {name: dataset.pop(name) for name in OF_SUBSET if name in dataset}
    return {"general": _said(general), "datasets": [{**_said(dataset), "subsets": subsets}]}, left


def _dataset(facts: Mapping[str, Any], left: list[Left]) -> dict[str, Any]:
    """One dataset of ss_datasets; fine-tuning with metadata files is not trained here."""
    table = {own: facts[name] for name, own in OF_DATASET.items() if name in facts}
    if facts.get("resolution"):
        table["resolution"] = list(facts["resolution"]) if isinstance(facts["resolution"], (list, tuple)) else facts["resolution"]
    subsets = []
    for subset in facts.get("subsets") or []:
        if "metadata_file" in subset:
            left.append(("metadata_file", subset["metadata_file"], "metadata files of fine-tuning are not read here"))
            continue
        subsets.append(_said({name: subset.get(name) for name in ("image_dir", "num_repeats", "is_reg", "class_tokens", *OF_SUBSET)}))
    return {**_said(table), "subsets": subsets}


def _with_shared(tables: list[dict[str, Any]], flat: Mapping[str, Any]) -> dict[str, Any]:
    """The tables with what all folders say alike said once, for all."""
    subsets = [subset for table in tables for subset in table["subsets"]]
    general: dict[str, Any] = {}
    for name in OF_SUBSET:
        found = [subset.get(name) for subset in subsets]
        alike = bool(found) and all(value == found[0] for value in found)
        if alike and found[0] is not None:
            general[name] = found[0]
        if alike or name not in Subset.fields():
            for subset in subsets:
                subset.pop(name, None)
    for name, value in flat.items():
        own = OF_DATASET.get(name, name)
        if value is not None and own not in OF_SUBSET and tables:
            tables[0].setdefault(own, value)
    return {"general": general, "datasets": tables}


def _subsets(text: str, is_reg: bool, left: list[Left]) -> list[dict[str, Any]]:
    found = _json("ss_reg_dataset_dirs" if is_reg else "ss_dataset_dirs", text, dict, left)
    return [{"image_dir": name, "num_repeats": facts.get("n_repeats", 1), **({"is_reg": True} if is_reg else {})}
            for name, facts in (found or {}).items() if isinstance(facts, Mapping)]


def _json(name: str, text: str, kind: type, left: list[Left]) -> Any:
    if text in ("", "None"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, kind):
        left.append((name, text[:80], "it cannot be read"))
        return None
    return value


def _said(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None and value != "None"}
