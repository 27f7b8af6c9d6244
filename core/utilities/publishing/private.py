"""What in a file's metadata is nobody else's business: places on somebody's disk, user names, tokens; found, and taken out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from core.utilities.publishing.places import GONE, How, places_in, without_places
from core.utilities.publishing.tokens import tokens_in, without_tokens

Kind = Literal["a place on a disk", "a user name", "a token"]
PICTURE = "data:image/"
"""A picture in the header begins so; its letters mean nothing."""
LEAST_NAME = 3
"""Letters of a user name that is looked for."""
EVERYBODYS = {"root", "user", "users", "admin", "administrator", "ubuntu", "jovyan", "runner", "colab", "content", "home", "workspace",
              "test", "none", "true", "false", "adamw", "lora"}
"""Names of users that tell nothing of a person, or are words of every training."""
SAID_ON_PURPOSE = ("modelspec.", "ss_tag_frequency", "ss_output_name")
"""Beginnings of keys in which a name is no slip: it is the author's, or that of whom the LoRA draws."""
WRITTEN = ("modelspec.title", "modelspec.description", "modelspec.trigger_phrase")
"""Keys that a person writes for others: what only might be a place stays, and is told."""
SURE: tuple[How, ...] = ("person", "sure")
ALL: tuple[How, ...] = (*SURE, "maybe")


@dataclass(frozen=True)
class Private:
    """One thing that should not be told."""

    key: str
    kind: Kind
    shown: str
    """What it is; of a token its beginning alone."""
    how: How = "person"
    """Of a place: how sure it is that it is one."""

    @property
    def stays(self) -> bool:
        """Whether it stays though private places are taken out, as it may be a person's own words."""
        return self.how == "maybe" and self.key in WRITTEN


def find_private(metadata: Mapping[str, str], names: tuple[str, ...]) -> list[Private]:
    """Everything of that kind, each once. Args: names: of users, as `user_names` gives them."""
    found = [one for key, text in metadata.items() for one in _in_text(key, text, _names_in(key, names))]
    return list(dict.fromkeys(found))


def _names_in(key: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return () if key.startswith(SAID_ON_PURPOSE) else names


def _in_text(key: str, text: str, names: tuple[str, ...]) -> Iterator[Private]:
    for value in _texts(text):
        yield from (Private(key, "a token", f"{token[:5]}…") for token in tokens_in(value))
        yield from (Private(key, "a place on a disk", place.shown, place.how) for place in places_in(without_tokens(value)))
        yield from (Private(key, "a user name", name) for name in names if _named(name).search(value))


def _named(name: str) -> re.Pattern[str]:
    """A user's name as a word of its own."""
    return re.compile(rf"(?<![\w.\-]){re.escape(name)}(?![\w\-])", re.IGNORECASE)


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
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def cleaned(metadata: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """The same without places, names and tokens: of a path its last part stays, of a token nothing. What is not private stays as it is."""
    return {key: _clean_text(text, partial(_clean_words, names=_names_in(key, names), hows=SURE if key in WRITTEN else ALL))
            for key, text in metadata.items()}


def _clean_text(text: str, clean: Callable[[str], str]) -> str:
    loaded = _loaded(text)
    if loaded is None:
        return text if text.startswith(PICTURE) else clean(text)
    new = _clean_value(loaded, clean)
    return text if json.dumps(new) == json.dumps(loaded) else json.dumps(new, ensure_ascii=False)


def _clean_value(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return _clean_text(value, clean)
    if isinstance(value, dict):
        return {name: _clean_value(inner, clean) for name, inner in zip(_clean_keys(list(value), clean), value.values(), strict=True)}
    return [_clean_value(inner, clean) for inner in value] if isinstance(value, list) else value


def _clean_keys(keys: list[str], clean: Callable[[str], str]) -> Iterator[str]:
    """The names in a table, in their order: of two folders of one last name none goes."""
    new = [_clean_text(key, clean) for key in keys]
    taken = {key for key, other in zip(keys, new, strict=True) if key == other}
    for key, other in zip(keys, new, strict=True):
        name, number = other, 2
        while key != other and name in taken:
            name, number = f"{other} ({number})", number + 1
        taken.add(name)
        yield name


def _clean_words(text: str, names: tuple[str, ...], hows: tuple[How, ...]) -> str:
    text = without_places(without_tokens(text), hows)
    for name in names:
        text = _named(name).sub(GONE, text)
    return text


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
