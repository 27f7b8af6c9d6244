"""Command-line flags derived from a settings class, so that no setting is declared twice."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from core.base.errors import ConfigError
from core.base.settings import Settings, choices_of, field_extra

FREE, ENDS = r"(?<![\w/\\.-])", r"(?![\w/\\-]|\.\w)"
"""Around words that are no part of a path."""
TOKEN_FIELD = re.compile(r"into the field Token, or set HF_TOKEN\b[^.,]* before [^.,]* is started")
"""What a notebook says of its token, which is no setting, and so has no flag."""
New = str | Callable[[re.Match[str]], str]


def add_flags(parser: argparse.ArgumentParser, cls: type[Settings]) -> None:
    """One flag per field; the fields of nested settings stand under a heading of their own."""
    for name, field in cls.fields().items():
        inner = _nested(field)
        if inner is not None:
            add_flags(parser.add_argument_group(inner.title or name), inner)  # type: ignore[arg-type]
        else:
            parser.add_argument(f"--{name}", *field_extra(field, "cli", []), dest=name, default=argparse.SUPPRESS, **_kind(field))


def read_flags(given: dict[str, Any], cls: type[Settings]) -> dict[str, Any]:
    """The flags that were given, arranged as the settings class nests them.

    Raises: ConfigError: a list of tables is no JSON.
    """
    values: dict[str, Any] = {}
    for name, field in cls.fields().items():
        inner = _nested(field)
        if inner is not None:
            nested = read_flags(given, inner)
            if nested:
                values[name] = nested
        elif name in given:
            values[name] = _parsed(name, given[name], field)
    return values


def what_in_flags(words: str, *classes: type[Settings]) -> str:
    """What is wrong, for the command line: a value's field, which stands first in its sentence, becomes its flag.

    "Rank must be at least 1" becomes "--new_rank must be at least 1". All other words may be a person's own, such as a path.
    """
    return _replaced(words, classes, lambda title, flag: ((rf"(^|[.!?] ){title}(?= (\([\w.]+\) )?(must be|is '))", rf"\g<1>--{flag}"),))


def remedy_in_flags(words: str, *classes: type[Settings]) -> str:
    """What to do, for the command line: the titles of fields, by which panels know them, become flags.

    "Choose another name under Save as." becomes "… with --save_to.", "Switch 'As a pull request' on" becomes "Give --pull_request".
    A path in it stays as it is.
    """
    words = _replaced(words, classes, lambda title, flag: (
        (rf"{FREE}(?:under|into) ('?){title}\1{ENDS}", f"with --{flag}"),
        (rf"{FREE}([Ss]witch|[Tt]urn) '{title}' (on|off){ENDS}", lambda found: _switched(flag, *found.groups())),
        (rf"{FREE}((?i:set|raise|lower)) '{title}'{ENDS}", rf"\1 --{flag}")))
    return TOKEN_FIELD.sub("into HF_TOKEN in the environment", words)


def _switched(flag: str, verb: str, way: str) -> str:
    return f"{'Give' if verb[0].isupper() else 'give'} --{'no-' if way == 'off' else ''}{flag}"


def _replaced(words: str, classes: Sequence[type[Settings]], patterns: Callable[[str, str], Sequence[tuple[str, New]]]) -> str:
    """Args: patterns: of a title, for a regular expression, and its flag: what is replaced, and by what."""
    flags: dict[str, set[str]] = {}
    for title, name in (one for cls in classes for one in _titles(cls)):
        flags.setdefault(title, set()).add(name)
    for title, names in sorted(flags.items(), key=lambda one: len(one[0]), reverse=True):
        for pattern, new in patterns(re.escape(title), *names) if len(names) == 1 else ():  # else nobody knows which one is meant
            words = re.sub(pattern, new, words)
    return words


def _titles(cls: type[Settings]) -> Iterator[tuple[str, str]]:
    for name, field in cls.fields().items():
        if (inner := _nested(field)) is not None:
            yield from _titles(inner)
        elif field.title:
            yield field.title, name


def _nested(field: FieldInfo) -> type[Settings] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def _kinds(field: FieldInfo) -> set[Any]:
    """The field's type and, for an optional or a union, its members."""
    members = get_args(field.annotation) if get_origin(field.annotation) not in (list, tuple, dict) else ()
    return {get_origin(kind) or kind for kind in (*members, field.annotation)}


def _of_tables(field: FieldInfo) -> bool:
    inner = [arg for arg in get_args(field.annotation) if isinstance(arg, type)]
    return any(issubclass(arg, Settings) for arg in inner) or dict in _kinds(field)


def _kind(field: FieldInfo) -> dict[str, Any]:
    unit, default = field_extra(field, "unit"), field.get_default(call_default_factory=True)
    shown_default = f"(default: {default})" if not field.is_required() and default not in (None, "") else ""
    words = [field.description or field.title or "", f"[{unit}]" if unit else "", shown_default]
    help_text = " ".join(word for word in words if word).replace("%", "%%")
    kinds = _kinds(field)
    if bool in kinds:
        return {"action": argparse.BooleanOptionalAction, "help": help_text}
    if _of_tables(field):
        return {"metavar": "JSON", "help": help_text}
    if kinds & {list, tuple}:
        return {"nargs": "*", "help": help_text}
    choices = choices_of(field)
    return {"metavar": "{" + ",".join(str(choice) for choice in choices) + "}" if choices else "VALUE", "help": help_text}


def _parsed(name: str, value: Any, field: FieldInfo) -> Any:
    if value == "none" and type(None) in _kinds(field):
        return None
    if not (isinstance(value, str) and _of_tables(field)):
        return next((choice for choice in choices_of(field) if str(choice) == value), value)
    if not value.lstrip().startswith(("[", "{")):
        return [value]  # one plain word or sentence, as `--sample_prompts "mycat, smile"`
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ConfigError(f"--{name} is no JSON ({error.msg}): {value!r}.") from error
