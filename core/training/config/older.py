"""Settings files of earlier versions, brought up to what the settings classes are now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def brought_up(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The same settings as they are said now; what is no table is left for the one who reads it to refuse."""
    tables: dict[str, Any] = {name: dict(table) if isinstance(table, Mapping) else table for name, table in values.items()}
    model, network, saving = (tables.get(name) for name in ("model", "network", "saving"))
    if isinstance(model, dict) and "v2" in model and model.pop("v2") and model.get("family", "sd15") == "sd15":
        model["family"] = "sd2"  # it was SD 1.5 with a switch
    if isinstance(network, dict) and network.get("network_module") == "networks.lora":
        del network["network_module"]  # the type says it
    if isinstance(saving, dict) and "logging_dir" in saving:
        tables["logging"] = {**tables.get("logging", {}), "logging_dir": saving.pop("logging_dir")}
    return tables
