"""TOML text that the `toml` package 0.10.2, which sd-scripts pins, reads back as the very same values.

Its own writer and reader disagree about Windows paths (`C:\\Users`), about lists with a comma in an item and about
mixed lists, so each value is tried in the ways that TOML allows and the first that comes back equal is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.base.errors import ConfigError


def toml_text(content: Mapping[str, Any], comment: str = "") -> str:
    """A TOML document: plain values first, then tables, then arrays of tables.

    Args:
        content: str, int, float, bool, lists of one of these, dicts, lists of dicts.
        comment: lines for the top.

    Raises: ConfigError: a value that sd-scripts' TOML reader cannot give back, with its name.
    """
    head = [f"# {line}" for line in comment.splitlines()]
    return "\n".join([*head, *_lines(content, "")]).strip("\n") + "\n"


def read_toml(text: str, what: str) -> dict[str, Any]:
    """Read with the `toml` package, as sd-scripts does. Args: what: the file, for the message. Raises: ConfigError."""
    import toml

    try:
        return toml.loads(text)
    except (toml.TomlDecodeError, IndexError, ValueError, TypeError) as error:  # version 0.10.2 raises all of these for wrong text
        raise ConfigError(f"{what} is no TOML that sd-scripts reads: {error}.", "A backslash or a quote is the usual cause.") from error


def _lines(content: Mapping[str, Any], prefix: str) -> Iterator[str]:
    tables = {name: value for name, value in content.items() if isinstance(value, Mapping)}
    arrays = {name: value for name, value in content.items() if _is_array_of_tables(value)}
    for name, value in content.items():
        if name not in tables and name not in arrays:
            yield f"{name} = {_value_text(f'{prefix}{name}', value)}"
    for name, table in tables.items():
        yield from ("", f"[{prefix}{name}]", *_lines(table, f"{prefix}{name}."))
    for name, array in arrays.items():
        for table in array:
            yield from ("", f"[[{prefix}{name}]]", *_lines(table, f"{prefix}{name}."))


def _is_array_of_tables(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _value_text(name: str, value: Any) -> str:
    """The first spelling of a value that the `toml` package reads back equal and of the same type."""
    import toml

    for text in _spellings(name, value):
        try:
            back = toml.loads(f"[s]\nv = {text}\nw = 1\n")
        except (toml.TomlDecodeError, IndexError, ValueError, TypeError):
            continue
        if back == {"s": {"v": value, "w": 1}} and same_types(back["s"]["v"], value):
            return text
    raise ConfigError(f"{name} is {value!r}, which sd-scripts' TOML reader cannot read.", "Use a simpler name, without quotes and commas.")


def _spellings(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, int):
        yield str(value)
    elif isinstance(value, float):
        yield repr(value)
        yield f"{value:.20f}".rstrip("0")
    elif isinstance(value, str):
        yield from _string_spellings(value)
    elif isinstance(value, Sequence):
        if len({type(item) for item in value}) > 1:
            raise ConfigError(f"{name} is {value!r}: sd-scripts' TOML reader takes lists of one type only.")
        for spellings in zip(*(_exactly(3, _spellings(name, item)) for item in value), strict=True):
            yield f"[{', '.join(spellings)}]"
        if not value:
            yield "[]"
    else:
        raise ConfigError(f"{name} is {value!r}, which cannot be written as TOML.")


def _string_spellings(value: str) -> Iterator[str]:
    """Plain text in double quotes; with a backslash or a quote literal text in single quotes; else escapes."""
    escaped = "".join(_escape(character) for character in value)
    literal = f"'{value}'" if "'" not in value and value.isprintable() else escaped
    if '"' in value or "\\" in value:
        yield from (literal, f'"{escaped}"')
    else:
        yield from (f'"{escaped}"', literal)
    yield '"' + "".join(f"\\u{ord(c):04x}" if c in '"\\' else _escape(c) for c in value) + '"'


def _escape(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return f"\\u{ord(character):04x}" if ord(character) < 32 or ord(character) == 127 else character


def _exactly(count: int, spellings: Iterator[str]) -> list[str]:
    """The first `count` spellings, the last one again where there are fewer."""
    found = list(spellings)[:count]
    return found + found[-1:] * (count - len(found))


def same_types(left: Any, right: Any) -> bool:
    """Whether two equal values also agree in type all the way down: 1, 1.0 and True are not the same here."""
    if isinstance(right, Mapping):
        return isinstance(left, Mapping) and all(same_types(left[name], value) for name, value in right.items())
    if isinstance(right, (list, tuple)):
        return isinstance(left, list) and all(same_types(a, b) for a, b in zip(left, right, strict=True))
    return type(left) is type(right)
