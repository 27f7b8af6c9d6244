"""What a converted file says of itself in its metadata, so that it can be converted back to the last bit."""

from __future__ import annotations

import json
from typing import Any

from core.utilities.files.derived import ALPHAS
from core.utilities.files.lora_file import FLOATS, LoraFile


def read_note(file: LoraFile, key: str) -> dict[str, Any]:
    """What `plan_names` noted in the metadata for the way back; entries that somebody spoiled since are as if they were not there."""
    try:
        found = json.loads(file.metadata.get(key, "{}"))
    except (ValueError, RecursionError):
        return {}
    is_right = _is_alpha if key == ALPHAS else _is_division
    return {name: value for name, value in found.items() if is_right(value)} if isinstance(found, dict) else {}


def shortened(notes: dict[str, Any]) -> dict[str, Any]:
    """The commonest alpha once, for all that are not named."""
    alphas = notes.get(ALPHAS, {})
    kinds = [json.dumps(value) for value in alphas.values()]
    most = max(set(kinds), key=kinds.count) if kinds else "null"
    rest = {name: value for name, value in alphas.items() if json.dumps(value) != most}
    return {**notes, ALPHAS: {"": json.loads(most), **rest}} if alphas else notes


def _is_alpha(value: object) -> bool:
    """None, or alpha, its type and the scale."""
    return value is None or (isinstance(value, list) and len(value) == 3 and value[1] in FLOATS
                             and all(isinstance(one, (int, float)) for one in (value[0], value[2])))


def _is_division(value: object) -> bool:
    """Parts and their ranks."""
    return isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, int) and one >= 0
                                                                                             for one in pair) for pair in value)
