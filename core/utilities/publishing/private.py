"""What in a file's metadata is nobody else's business: places on somebody's disk, user names, tokens; found, and taken out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

Kind = Literal["a place on a disk", "a user name", "a token"]
PICTURE = "data:image/"
"""A picture in the header begins so; its letters mean nothing."""
LEAST_NAME = 3
"""Letters of a user name that is looked for."""
EVERYBODYS = {"root", "user", "users", "admin", "administrator", "ubuntu", "jovyan", "runner", "colab", "content", "home", "workspace",
              "test", "none", "true", "false", "adamw", "lora"}
"""Names of users that tell nothing of a person, or are words of every training."""
_PART = r"[^\\/:*?\"<>|\r\n,;']+"
WINDOWS = re.compile(rf"(?<![A-Za-z])[A-Za-z]:(?:\\+|/)(?!/)(?:{_PART}(?:\\+|/))*(?P<last>{_PART})?"
                     rf"|(?<![\w\\])\\\\\\?\\?[\w.\-]+\\+(?:{_PART}\\+)*(?P<share>{_PART})?")
"""C:\\pictures\\a.png, C:/pictures, \\\\computer\\pictures; also with each stroke twice, as JSON writes them."""
UNIX = re.compile(rf"(?<![\w/:.~<])(?:~|file://)?/[^\\/:*?\"<>|\r\n,;']{{2,}}/(?:{_PART}/)*(?P<last>{_PART})?|(?<![\w/:.~<])~/(?P<own>{_PART})"
                  r"|(?<![\w/:.~<])/(?:home|root|Users|mnt|media|data|workspace)\b/?")
TOKEN = re.compile(r"\b(?:hf_[A-Za-z0-9]{16,}|civitai_[A-Za-z0-9]{16,}|civ_[A-Za-z0-9]{16,}|gh[opsu]_[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{20,}"
                   r"|sk-[A-Za-z0-9_\-]{20,}|AKIA[0-9A-Z]{16})\b"
                   r"|(?i:(?:api[_\- ]?key|token|secret|password|passwd)[\"']?\s*[=:]\s*[\"']?)(?P<value>[A-Za-z0-9_\-]{12,})")
"""Tokens of Hugging Face, Civitai, GitHub, Replicate, OpenAI and Amazon, and what stands behind a word for one."""
GONE = "[removed]"
SAID_ON_PURPOSE = ("modelspec.", "ss_tag_frequency", "ss_output_name")
"""Beginnings of keys in which a name is no slip: it is the author's, or that of whom the LoRA draws."""


@dataclass(frozen=True)
class Private:
    """One thing that should not be told."""

    key: str
    kind: Kind
    shown: str
    """What it is; of a token its beginning alone."""


def find_private(metadata: Mapping[str, str], names: tuple[str, ...]) -> list[Private]:
    """Everything of that kind, each once. Args: names: of users, as `user_names` gives them."""
    found = [Private(key, *one) for key, text in metadata.items() for one in _in_text(text, _names_in(key, names))]
    return list(dict.fromkeys(found))


def _names_in(key: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return () if key.startswith(SAID_ON_PURPOSE) else names


def _in_text(text: str, names: tuple[str, ...]) -> Iterator[tuple[Kind, str]]:
    for value in _texts(text):
        for token in TOKEN.finditer(value):
            yield "a token", f"{(token['value'] or token[0])[:5]}…"
        for pattern in (WINDOWS, UNIX):
            yield from (("a place on a disk", place[0].strip()) for place in pattern.finditer(value))
        for name in names:
            if re.search(rf"(?<![\w.\-]){re.escape(name)}(?![\w\-])", value, re.IGNORECASE):
                yield "a user name", name


def _texts(text: str) -> Iterator[str]:
    """The texts in a value: of JSON each key and text in it, else the value itself."""
    loaded = _loaded(text)
    if loaded is None:
        if not text.startswith(PICTURE):
            yield text
        return
    waiting = [loaded]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield from _texts(value)
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value


def _loaded(text: str) -> Any:
    """The list or table that a text writes as JSON; None: it is none."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def cleaned(metadata: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """The same without places, names and tokens: of a path its last part stays, of a token nothing. What is not private stays as it is."""
    return {key: _clean_text(text, _names_in(key, names)) for key, text in metadata.items()}


def _clean_text(text: str, names: tuple[str, ...]) -> str:
    loaded = _loaded(text)
    if loaded is None:
        return text if text.startswith(PICTURE) else _clean_words(text, names)
    new = _clean_value(loaded, names)
    return text if new == loaded else json.dumps(new, ensure_ascii=False)


def _clean_value(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return _clean_text(value, names)
    if isinstance(value, dict):
        return {_clean_text(str(key), names): _clean_value(inner, names) for key, inner in value.items()}
    return [_clean_value(inner, names) for inner in value] if isinstance(value, list) else value


def _clean_words(text: str, names: tuple[str, ...]) -> str:
    text = TOKEN.sub(lambda found: found[0].replace(found["value"] or found[0], GONE), text)
    for pattern in (WINDOWS, UNIX):
        text = pattern.sub(_last_part, text)
    for name in names:
        text = re.sub(rf"(?<![\w.\-]){re.escape(name)}(?![\w\-])", GONE, text, flags=re.IGNORECASE)
    return text


def _last_part(found: re.Match[str]) -> str:
    parts = found.groupdict()
    return next(filter(None, parts.values()), "").strip() or GONE


def user_names(home: Path | None = None) -> tuple[str, ...]:
    """Names of this machine's user that tell who it is; none where it is one that everybody has. Args: home: None: this user's."""
    import getpass

    found = set[str]()
    for read in (getpass.getuser, partial(_name_of, home)):
        try:
            found.add(read())
        except (OSError, KeyError, RuntimeError):  # a container has users without a name
            continue
    return tuple(sorted(name for name in found if len(name) >= LEAST_NAME and name.lower() not in EVERYBODYS))


def _name_of(home: Path | None) -> str:
    return (home or Path.home()).name
