"""A character's description in parts: asked for as JSON, checked, and joined in a fixed order."""

from __future__ import annotations

import json
from typing import Any

from core.base.errors import DatasetError

PARTS = {
    "subject": "who or what it is, without a name: a girl, an old robot",
    "appearance": "body, face, hair, eyes",
    "clothing": "clothes and things worn or carried",
    "pose": "pose and action",
    "expression": "expression of the face",
    "framing": "how much is seen and from where: portrait, full body, from above",
    "background": "what is behind, and the light",
    "style": "photograph, drawing, render …",
}
SCHEMA: dict[str, Any] = {"type": "object", "additionalProperties": False, "required": list(PARTS),
                          "properties": {name: {"type": "string", "description": words} for name, words in PARTS.items()}}
ASK = ("Answer with one JSON object and nothing else. Its keys, each a short phrase (an empty text where nothing of it can be seen): "
       + "; ".join(f'"{name}": {words}' for name, words in PARTS.items()) + ".")
"""Put behind the prompt."""


def join_parts(answer: str) -> str:
    """The parts of a JSON answer (texts, or lists of texts), also one inside a code fence, with commas between.

    Raises: DatasetError: it is none, or a part is no text.
    """
    begin, end = answer.find("{"), answer.rfind("}")
    try:
        found = json.loads(answer[begin:end + 1])
    except ValueError as error:
        raise DatasetError("The model did not answer in the form that was asked for.", "Try again, or turn the parts off.") from error
    values = [found.get(name) for name in PARTS] if isinstance(found, dict) else []
    texts = [text for value in values if value is not None for text in (value if isinstance(value, list) else [value])]
    parts = [text.strip().rstrip(".,; ") for text in texts if isinstance(text, str)]
    if len(parts) < len(texts) or not any(parts):
        raise DatasetError("The model did not answer in the form that was asked for.", "Try again, or turn the parts off.")
    return ", ".join(filter(None, parts))
