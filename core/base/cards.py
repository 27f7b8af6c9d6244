"""Pages of repositories on Hugging Face: the values on top in YAML, and a part of the text that is ours between two marks.

Source: https://huggingface.co/docs/hub/model-cards and https://huggingface.co/docs/hub/datasets-cards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

BEGIN, END = "<!-- lorabook: what stands from here is written anew -->", "<!-- lorabook: up to here -->"
"""Around what we write; a person's own words before and after it stay."""
TOP_LINE = re.compile(r"^---[ \t]*(?:\n|\Z)", re.MULTILINE)
"""Before and after the values on top."""
NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
"""Letters that YAML wants written as numbers (YAML 1.2, 5.1), and the line ends of YAML 1.1."""


def yaml(values: Mapping[str, object]) -> str:
    """Values and lists of them as lines of YAML; each value is JSON, which is YAML too. Tables in a list stand on a line each."""
    lines = []
    for name, value in values.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [f"{name}:\n", *(f"- {_json(one)}\n" for one in value)]
        else:
            lines.append(f"{name}: {_json(value)}\n")
    return "".join(lines)


def _json(value: object) -> str:
    """JSON in which nothing stands that YAML cannot read, or takes for the end of a line."""
    return NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def split_card(text: str) -> tuple[str, str]:
    """The YAML on top and the text below it; without such a top the first is empty."""
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    begin = TOP_LINE.match(text)
    end = TOP_LINE.search(text, begin.end()) if begin else None
    return (text[begin.end():end.start()], text[end.end():]) if begin and end else ("", text)


def plain(words: str) -> str:
    """Words that are no Markdown and no HTML, in one line."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", " ".join(words.split()))


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
