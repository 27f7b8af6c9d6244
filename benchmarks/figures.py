"""What every benchmark begins and ends with: its flags; and its figures, one a line, for machines one line of JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any


def flags(description: str) -> argparse.ArgumentParser:
    """The flags that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser


def show(figures: Mapping[str, Any], as_json: bool) -> int:
    """Print the figures. Args: as_json: end with one line of JSON. Returns: the exit code: 0 when `figures["ok"]`."""
    for name, value in figures.items():
        print(f"{name:36} {value}", flush=True)
    if as_json:
        print(json.dumps(figures))
    return 0 if figures["ok"] else 1
