"""What sd-scripts takes where its files say nothing: its own defaults, not Lorabook's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

from core.training.config.data import Subset
from core.training.config.facts import known_arguments
from core.training.config.training import PARTS

IMPLIED = {"network_dim": 4, "optimizer_type": "AdamW"}
"""Defaults that stand in sd-scripts' code instead of its parser (networks/lora.py create_network, train_util.py get_optimizer)."""
KEPT = ("sdpa", "max_data_loader_n_workers", "save_state", "save_last_n_epochs_state", "save_last_n_steps_state", "output_name",
        "sample_prompts", "output_dir", "logging_dir")
"""Where Lorabook's own default stays: it changes speed, or what is kept on the disk, and not what is learned."""
ARGUMENT = {"batch_size": "train_batch_size"}
"""Where the argument bears another name than the setting."""


def unsaid(given: Collection[str], script: str, parts: Collection[str] = tuple(PARTS)) -> dict[str, Any]:
    """Arguments that were not given, with the value that sd-scripts takes then; only such as have a setting here.

    Args:
        given: names that the file says something of.
        script: the script whose parser is asked.
        parts: the parts of the settings that the file speaks of.
    """
    known: Mapping[str, Mapping[str, Any]] = known_arguments(script)
    found: dict[str, Any] = {}
    for part in parts:
        for name, field in PARTS[part].fields().items():
            argument = ARGUMENT.get(name, name)
            if argument in given or name in KEPT or argument not in known:
                continue
            if type(None) in get_args(field.annotation):
                found[argument] = None  # nothing is written then, and the parser's default holds
                continue
            value = known[argument].get("default")
            value = IMPLIED.get(name, value) if value in (None, "") else value
            if value is not None:
                found[argument] = value
    if "data" in parts and "caption_extension" not in given:
        found["caption_extension"] = known.get("caption_extension", {}).get("default") or Subset.fields()["caption_extension"].default
    return found
