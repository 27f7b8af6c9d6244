"""Search and replace in a caption's text, and its invisible characters; patterns cannot run away."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from core.base.errors import ConfigError, require

PATTERN_SECONDS = 0.5
"""Longest that a pattern may look at one caption; an honest one takes less than a thousandth of that."""
INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
                       "\ufeff\ufff9-\ufffb]")
"""Characters without a picture. The joiners U+200C and U+200D are none of them: emoji and several scripts need them."""
SPACES = re.compile(r"\s+")
REASONS = {"missing )": "a bracket ( is not closed", "unbalanced parenthesis": "a bracket is not closed, or not opened",
           "unterminated character set": "a bracket [ is not closed", "nothing to repeat": "there is nothing to repeat before *, + or ?",
           "multiple repeat": "two repetitions follow each other",
           "invalid group reference": "the replacement names brackets that the pattern does not have",
           "unknown group": "the replacement names a group that the pattern does not have"}
COMMAS = str.maketrans({"\uff0c": ",", "\u3001": ",", "\ufe50": ",", "\u060c": ","})
"""Commas of other scripts, which no trainer parts tags at."""


def clean_text(text: str) -> str:
    """NFC, plain spaces and commas, no invisible characters, no comma at either end."""
    text = INVISIBLE.sub("", unicodedata.normalize("NFC", text)).translate(COMMAS)
    return SPACES.sub(" ", text).strip(" ,")


def split_list(text: str, strip: bool = True) -> list[str]:
    """The parts between semicolons; `\\;` is a semicolon itself."""
    parts = [part.replace("\\;", ";") for part in re.split(r"(?<!\\);", text)]
    return [part.strip() for part in parts] if strip else parts


def replacer(search: Sequence[str], replacement: Sequence[str], match_case: bool = True) -> Callable[[str], str]:
    """Replace each text by its partner, all in one pass, so that a; b by b; a exchanges them; of two that begin together the longer wins.

    Raises: ConfigError: nothing to search, or the lists do not match.
    """
    if not search or not all(search):
        raise ConfigError("There is nothing to search for, or an empty part between semicolons.", "Write a text between all semicolons.")
    if len(replacement) not in (1, len(search)):
        raise ConfigError(f"{len(search)} texts are to be replaced by {len(replacement)}.", "Give as many on both sides, or one for all.")
    fold = str if match_case else str.casefold
    table = {fold(old): replacement[place if len(replacement) > 1 else 0] for place, old in enumerate(search)}
    if len(search) == 1 and match_case:
        old, new = search[0], replacement[0]
        return lambda text: text.replace(old, new)
    longest_first = sorted(search, key=len, reverse=True)
    found = re.compile("|".join(map(re.escape, longest_first)), 0 if match_case else re.IGNORECASE)
    return lambda text: found.sub(lambda match: table.get(fold(match[0]), match[0]), text)


def compile_pattern(pattern: str, replacement: str, match_case: bool) -> Callable[[str], str]:
    """Replace what a regular expression finds.

    Raises: ConfigError: the pattern or the replacement is wrong (where and why), or, when used, it takes too long on a caption.
    """
    regex = require("regex", needed_for="Replacing by a pattern")
    if not pattern:
        raise ConfigError("The pattern is empty.", "Write a regular expression.")
    try:
        found = regex.compile(pattern, 0 if match_case else regex.IGNORECASE)
        _check_template(regex, found, replacement)
    except (regex.error, IndexError) as error:
        place = getattr(error, "pos", None)
        where = f" at place {place + 1}" if isinstance(place, int) else ""
        raise ConfigError(f"The pattern {pattern!r} with the replacement {replacement!r} cannot be used: {_reason(error)}{where}.",
                          "A sign that is meant itself, such as ( or +, is written with a backslash before it.") from error

    def change(text: str) -> str:
        try:
            return found.sub(replacement, text, timeout=PATTERN_SECONDS)
        except TimeoutError as error:
            raise ConfigError(f"The pattern {pattern!r} took more than {PATTERN_SECONDS:g} seconds on one caption ({text[:60]!r}).",
                              "Avoid repetitions inside repetitions, such as (a+)+; nothing was changed.") from error
    return change


def _check_template(regex: Any, found: Any, replacement: str) -> None:
    """Let the library read the replacement, which it does only where something is found. Raises: regex.error, IndexError."""
    names = {number: name for name, number in found.groupindex.items()}
    groups = "".join(f"(?P<{names[number]}>)" if number in names else "()" for number in range(1, found.groups + 1))
    regex.sub(groups + "x", replacement, "x")


def _reason(error: Exception) -> str:
    words = getattr(error, "msg", None) or str(error)
    return REASONS.get(words, words)
