"""Pages of repositories on Hugging Face: the values on top in YAML, and a part of the text that is ours between two marks.

Source: https://huggingface.co/docs/hub/model-cards and https://huggingface.co/docs/hub/datasets-cards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

BEGIN, END = "<!-- lorabook: what stands from here is written anew -->", "<!-- lorabook: up to here -->"
"""Around what we write; a person's own words before and after it stay."""


def yaml(values: Mapping[str, object]) -> str:
    """Values and lists of them as lines of YAML; each value is JSON, which is YAML too. Tables in a list stand on a line each."""
    lines = []
    for name, value in values.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [f"{name}:\n", *(f"- {json.dumps(one, ensure_ascii=False)}\n" for one in value)]
        else:
            lines.append(f"{name}: {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines)


def split_card(text: str) -> tuple[str, str]:
    """The YAML on top and the text below it; without such a top the first is empty."""
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    head, mark, body = text.removeprefix("---\n").partition("\n---\n") if text.startswith("---\n") else ("", "", text)
    return (f"{head}\n", body) if mark else ("", text)


def is_ours(text: str) -> bool:
    """Whether we wrote a part of this page."""
    return BEGIN in text and END in text.partition(BEGIN)[2]


def with_part(body: str, part: str) -> str:
    """A page's text with our part: in the place of the one that stood there, else below what somebody wrote."""
    marked = f"{BEGIN}\n\n{part.strip()}\n\n{END}"
    if not is_ours(body):
        return f"{body.strip()}\n\n{marked}\n".lstrip("\n")
    before, _, rest = body.partition(BEGIN)
    return f"{before}{marked}{rest.partition(END)[2]}".lstrip("\n")


def without_keys(head: str, names: Mapping[str, object]) -> str:
    """The YAML on top without these keys and what stands below each: somebody's other keys stay letter by letter."""
    kept, inside = [], False
    for line in head.splitlines(keepends=True):
        if not line.startswith((" ", "\t", "- ", "#", "\n")) and line.strip() != "-":
            inside = line.partition(":")[0].strip().strip("\"'") in names
        if not inside:
            kept.append(line)
    return "".join(kept)
