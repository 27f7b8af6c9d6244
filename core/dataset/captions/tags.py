"""Reading a caption as tags: commas inside brackets hold together, weights stay where they are, and prose is told from tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, repeat

from core.dataset.captions.files import tag_key

PAIRS = {"(": ")", "[": "]", "{": "}"}
CUT = re.compile(r"\\.|[()\[\]{},]")
WEIGHT = re.compile(r"(.*?)(\s*:\s*[-+]?(?:\d+\.?\d*|\.\d+))", re.DOTALL)
"""The inside of (red hair:1.2): name and weight."""
ESCAPED = re.compile(r"\\([()\[\]{}])")
CLAUSES = re.compile(r",(?=\s|$)")
"""Commas that part clauses of prose; the one of "1,000" is none."""
NUMBER = re.compile(r"(?<!\w)\d+(?:,\d+)+(?!\w)")
"""1,000 and 2,5; the digits of "score_9,1girl" are parts of words."""
MAYBE_NUMBER = re.compile(r",(?<=\d,)\d")
"""The same, roughly and fifteen times as fast."""
SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
SENTENCE_GAP = re.compile(r"(?<=[.!?])\s+(?=\S)")
"""Between two sentences."""
LONG_PART = 8
"""Words: nobody writes a tag of as many, so that a part of this length makes the caption prose."""
KEYS_KEPT = 200_000
"""Parts whose keys are remembered."""
Piece = tuple[str, "int | None"]
"""A part of a new caption, and which part of the present one it was; None: none of them."""
PROSE_PART = 4
"""Mean words of a part from which a caption that holds a sentence's end is prose."""


def parse_tags(text: str) -> list[str]:
    """The parts of a caption between commas, in order, without empty ones.

    A comma inside brackets or a number parts nothing: "(red hair, smile:1.2), 1,000 birds" are two. Where brackets do not match (":(")
    they are drawing.
    """
    if MAYBE_NUMBER.search(text) and (held := NUMBER.sub(lambda found: found[0].replace(",", "\0"), text)) != text:
        return [part.replace("\0", ",") for part in parse_tags(held)]
    parts = text.split(",")
    for opened, closed in PAIRS.items():
        if (opened in text or closed in text) and any(part.count(opened) != part.count(closed) for part in parts):
            parts = _cut_outside(text) or parts
            break
    return list(filter(None, map(str.strip, parts)))


def _cut_outside(text: str) -> list[str]:
    """The parts between commas outside of brackets; none where the brackets do not match."""
    parts, begin, waiting = [], 0, list[str]()
    for found in CUT.finditer(text):
        sign = found[0]
        if sign in PAIRS:
            waiting.append(PAIRS[sign])
        elif sign == "," and not waiting:
            parts.append(text[begin:found.start()])
            begin = found.end()
        elif sign in PAIRS.values() and (not waiting or waiting.pop() != sign):
            return []
    return [] if waiting else [*parts, text[begin:]]


def parse_clauses(text: str) -> list[str]:
    """The parts of prose between commas."""
    return [part for part in map(str.strip, CLAUSES.split(text)) if part]


def join_parts(parts: Sequence[str], prose: bool = False) -> str:
    """The parts as a caption. In prose nothing but a space follows the end of a sentence."""
    if not prose:
        return ", ".join(parts)
    text = ""
    for part in parts:
        text += ("" if not text else " " if text[-1] in ".!?" else ", ") + part
    return text


def join_kept(pieces: Iterable[Piece], text: str, parts: Sequence[str], separator: str = ", ", prose: bool = False) -> str:
    """The pieces as a caption. What stood in the text between two of its parts, and behind its last one, stays letter by letter.

    Args: parts: all parts of the text, in order.
    """
    gaps, end = [], 0
    for part in parts:
        begin = text.index(part, end)
        gaps.append(text[end:begin])
        end = begin + len(part)
    caption = ""
    before: int | None = -1  # the place of the piece before; None: it is new
    for piece, place in pieces:
        if place is not None and before == place - 1:
            caption += gaps[place]
        elif caption:
            caption += text[end:].rstrip() if before == len(parts) - 1 else ""
            sentence = prose and caption[-1] in ".!?" and (place is not None or before is not None)
            caption += " " if sentence or caption[-1] == "," else separator
        caption, before = caption + piece, place
    return caption + (text[end:] if before == len(parts) - 1 else "")


def is_prose(text: str) -> bool:
    """Whether a caption is written in sentences, wholly or in part, so that its parts must not be sorted or cut."""
    spaces = text.count(" ")
    if spaces < PROSE_PART - 1:
        return False
    parts = text.split(", ")
    if spaces >= LONG_PART - 1 and max(map(str.count, parts, repeat(" "))) >= LONG_PART - 1:
        return True
    return (spaces + 1) / len(parts) >= PROSE_PART and SENTENCE_END.search(text) is not None


@lru_cache(maxsize=1 << 16)
def unwrap(tag: str) -> tuple[str, str, str]:
    """Brackets and weight around a tag: "((hat:1.2))" gives "((", "hat", ":1.2))"; a tag without them stands alone."""
    begin, end = 0, len(tag)
    while end - begin > 2 and PAIRS.get(tag[begin]) == tag[end - 1] and tag[end - 2] != "\\" and _matches(tag[begin:end]):
        begin, end = begin + 1, end - 1
    inner = tag[begin:end]
    if begin and (weight := WEIGHT.fullmatch(inner)):
        end -= len(weight[2])
        inner = weight[1]
    return tag[:begin], inner.strip(), tag[end:]


def _matches(tag: str) -> bool:
    """Whether the last bracket closes the first."""
    waiting: list[str] = []
    for found in CUT.finditer(tag):
        sign = found[0]
        if sign in PAIRS:
            waiting.append(PAIRS[sign])
        elif sign in PAIRS.values():
            if not waiting or waiting.pop() != sign:
                return False
            if not waiting and found.end() < len(tag):
                return False
    return not waiting


@lru_cache(maxsize=1 << 17)
def key_of(name: str) -> str:
    """What makes two spellings one tag (`tag_key`); a backslash before a bracket does not count either."""
    return tag_key(ESCAPED.sub(r"\1", name) if "\\" in name else name)


def names_in(tag: str) -> list[str]:
    """The tags in one part of a caption, without brackets and weight."""
    prefix, inner, _ = unwrap(tag) if tag[:1] in PAIRS else ("", tag, "")
    return parse_tags(inner) if prefix else [tag]


class _Keys(dict[str, tuple[str, ...]]):
    """Part of a caption → keys of its tags, worked out once."""

    def __missing__(self, tag: str) -> tuple[str, ...]:
        if len(self) > KEYS_KEPT:
            self.clear()
        keys = self[tag] = tuple(map(key_of, names_in(tag)))
        return keys


keys_of = _Keys().__getitem__
"""Keys of the tags in one part of a caption: of a weighted group each, else one."""


def each_key(parts: Iterable[str]) -> Iterator[str]:
    """Keys of all tags in these parts, one after the other: to look for a few of them costs less than a set of all."""
    return chain.from_iterable(map(keys_of, parts))


def keys_in(parts: Iterable[str]) -> set[str]:
    """Keys of all tags in these parts."""
    return set(each_key(parts))


def caption_keys(text: str) -> set[str]:
    """Keys of all tags of a caption."""
    return keys_in(parse_tags(text))


def change_names(tag: str, change: Callable[[str], Iterable[str]]) -> list[str]:
    """The part with each of its names replaced by what `change` gives; brackets and weight stay, a group without names goes."""
    prefix, inner, suffix = unwrap(tag) if tag[:1] in PAIRS else ("", tag, "")
    if not prefix:
        return list(change(tag))
    names = [new for name in parse_tags(inner) for new in change(name)]
    return [prefix + ", ".join(names) + suffix] if names else []
