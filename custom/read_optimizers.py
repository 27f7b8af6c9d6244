"""Reads which arguments the optimizers of a trainer's environment take, and writes it as the data that the settings are checked against.

    trainers/sd-scripts/.venv/bin/python custom/read_optimizers.py [--out core/training/data/optimizers.json]

Run it with the Python of that environment: classes are imported and their signatures read. Names are those that sd-scripts takes for
optimizer_type: its own short ones, and "package.Class" for any other.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

SHORT = {
    "AdamW": "torch.optim.AdamW", "AdamW8bit": "bitsandbytes.optim.AdamW8bit", "PagedAdamW8bit": "bitsandbytes.optim.PagedAdamW8bit",
    "PagedAdamW": "bitsandbytes.optim.PagedAdamW", "PagedAdamW32bit": "bitsandbytes.optim.PagedAdamW32bit",
    "Lion": "lion_pytorch.Lion", "Lion8bit": "bitsandbytes.optim.Lion8bit", "PagedLion8bit": "bitsandbytes.optim.PagedLion8bit",
    "SGDNesterov": "torch.optim.SGD", "SGDNesterov8bit": "bitsandbytes.optim.SGD8bit", "Adafactor": "transformers.optimization.Adafactor",
    "Prodigy": "prodigyopt.Prodigy", "DAdaptation": "dadaptation.experimental.DAdaptAdamPreprint",
    "DAdaptAdamPreprint": "dadaptation.experimental.DAdaptAdamPreprint", "DAdaptAdaGrad": "dadaptation.DAdaptAdaGrad",
    "DAdaptAdam": "dadaptation.DAdaptAdam", "DAdaptAdan": "dadaptation.DAdaptAdan",
    "DAdaptAdanIP": "dadaptation.experimental.DAdaptAdanIP", "DAdaptLion": "dadaptation.DAdaptLion", "DAdaptSGD": "dadaptation.DAdaptSGD",
    "RAdamScheduleFree": "schedulefree.RAdamScheduleFree", "AdamWScheduleFree": "schedulefree.AdamWScheduleFree",
    "SGDScheduleFree": "schedulefree.SGDScheduleFree",
    "prodigyplus.ProdigyPlusScheduleFree": "prodigyplus.ProdigyPlusScheduleFree",
}
"""optimizer_type and the class that it makes. Source: get_optimizer in sd-scripts' library/train_util.py at 48d368fa."""
PACKAGES = ("torch", "bitsandbytes", "lion-pytorch", "transformers", "prodigyopt", "dadaptation", "schedulefree",
            "prodigy-plus-schedule-free", "pytorch-optimizer")


def read_class(place: str) -> dict[str, Any]:
    """Arguments of a class by name with their defaults, and whether it takes any other name."""
    module, _, name = place.rpartition(".")
    parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters.values()
    takes = {one.name: _plain(one.default) for one in parameters
             if one.kind is not inspect.Parameter.VAR_KEYWORD and one.name not in ("params", "self")}
    return {"class": place, "arguments": takes}


def _plain(value: Any) -> Any:
    """A default as JSON has it; what it cannot hold as text."""
    if value is inspect.Parameter.empty:
        return "must be given"
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)


def gather() -> dict[str, Any]:
    """All optimizers, and the versions that they were read from."""
    found = {}
    for name, place in SHORT.items():
        try:
            found[name] = read_class(place)
        except ImportError as error:
            print(f"{name} was left out: {error}")
    package = importlib.import_module("pytorch_optimizer")
    base = package.BaseOptimizer if hasattr(package, "BaseOptimizer") else object
    for name in sorted(vars(package)):
        kind = getattr(package, name)
        if inspect.isclass(kind) and issubclass(kind, base) and kind is not base and hasattr(kind, "step"):
            try:
                found[f"pytorch_optimizer.{name}"] = read_class(f"pytorch_optimizer.{name}")
            except (ValueError, TypeError) as error:
                print(f"{name} was left out: {error}")
    return {"versions": {name: _version(name) for name in PACKAGES}, "optimizers": found}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "core/training/data/optimizers.json")
    given = parser.parse_args()
    facts = gather()
    given.out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(f"{len(facts['optimizers'])} optimizers written to {given.out}")


if __name__ == "__main__":
    main()
