"""Which images are shown, by a small grammar of tags and facts, and in which order.

    long_hair -hat            the tag "long hair" and not the tag "hat" (an underscore is a space)
    blue*                     any tag that begins with blue
    "sitting on a"            these words anywhere in the caption
    tags:>20  tags:5..12      number of tags
    size:<512                 shortest side in pixels; also width: height: and file: (KiB)
    name:scan                 the file name holds it
    untagged  rejected        without a caption; put aside
    cat dog | bird            cat and dog, or bird
"""

from __future__ import annotations

import fnmatch
import operator
import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from core.base.errors import ConfigError
from core.dataset.captions.tags import caption_keys, key_of, parse_tags
from core.dataset.listing import Listing, find_sizes

Test = Callable[[int], bool]
"""Says of a row of the listing whether it is shown."""
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq, "": operator.eq}
NUMBERS = {"tags": "the number of tags", "size": "the shortest side in pixels", "width": "the width in pixels",
           "height": "the height in pixels", "file": "the file's size in KiB"}
WORDS = ("untagged", "tagged", "rejected")
SORTS = {"name": "Name", "newest": "Newest first", "oldest": "Oldest first", "fewest": "Fewest tags first", "most": "Most tags first",
         "smallest": "Smallest picture first", "largest": "Largest picture first"}
TOKEN = re.compile(r"""\s*(?:(?P<bar>\|)|(?P<minus>-?)(?:(?P<field>[a-z]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<word>[^\s|"]+)))""")


class FilterError(ConfigError):
    """A filter that cannot be understood."""


@dataclass(frozen=True)
class Term:
    """One condition."""

    field: str
    """tag, text, name, word, or one of NUMBERS."""
    value: str
    negated: bool = False
    quoted: bool = False


@dataclass(frozen=True)
class Filter:
    """Any of the alternatives, of which each must hold whole."""

    alternatives: tuple[tuple[Term, ...], ...]

    def terms(self) -> list[Term]:
        """All conditions."""
        return [term for terms in self.alternatives for term in terms]

    def needs_captions(self) -> bool:
        """Whether captions must be read for it."""
        return any(term.field in ("tag", "text", "tags") or term.value in ("untagged", "tagged") for term in self.terms())

    def needs_sizes(self) -> bool:
        """Whether widths and heights must be known for it."""
        return any(term.field in ("size", "width", "height") for term in self.terms())

    def shows_rejected(self) -> bool:
        """Whether it asks for rejected images; they are left out otherwise."""
        return any(term.field == "word" and term.value == "rejected" and not term.negated for term in self.terms())


def parse_filter(text: str) -> Filter:
    """Read a filter. Nothing: every image that is not rejected.

    Raises: FilterError: which part cannot be understood, and what would be right.
    """
    alternatives: list[list[Term]] = [[]]
    place = 0
    text = text.strip()
    while place < len(text):
        found = TOKEN.match(text, place)
        if found is None:
            raise FilterError(f"The filter cannot be understood at {text[place:place + 20]!r}.",
                              "Put words with signs in them between quotes.")
        place = found.end()
        if found["bar"]:
            alternatives.append([])
        else:
            alternatives[-1].append(_term(found[0].strip(), found["minus"], found["field"] or "", found["quoted"], found["word"] or ""))
    if len(alternatives) > 1 and not all(alternatives):
        raise FilterError("A | must stand between two conditions.", "For example: cat | dog.")
    return Filter(tuple(tuple(terms) for terms in alternatives))


def _term(shown: str, minus: str, name: str, quoted: str | None, word: str) -> Term:
    value = (quoted if quoted is not None else word).strip()
    negated = minus == "-"
    if not value or (not name and value.endswith(":") and value[:-1] in (*NUMBERS, "tag", "text", "name")):
        raise FilterError(f"{shown!r} says nothing to look for.", "Write a word behind it.")
    if name in NUMBERS:
        _numbers(name, value)
        return Term(name, value, negated)
    if name in ("tag", "text", "name"):
        return Term(name, value, negated, quoted is not None)
    if quoted is not None and not name:
        return Term("text", value, negated, True)
    if not name and value in WORDS:
        return Term("word", value, negated)
    whole = f"{name}:{value}" if name else value
    return Term("tag", whole, negated)


def mistyped(wanted: Filter) -> str:
    """What was probably meant by a filter that shows nothing: "tags<6" is read as a tag. Empty: nothing looks mistyped."""
    for term in wanted.terms():
        if term.field != "tag" or term.quoted:
            continue
        if found := re.fullmatch(rf"({'|'.join(NUMBERS)})\s*([<>]=?|=)\s*(\d[\d.]*)", term.value):
            return f"'{term.value}' was looked for as a tag. Did you mean {found[1]}:{found[2].removeprefix('=')}{found[3]}?"
        name, colon, _ = term.value.partition(":")
        if colon and name.isalpha():
            known = ", ".join(f"{one}:" for one in (*NUMBERS, "tag", "text", "name"))
            return (f"'{term.value}' was looked for as a tag, for the filter has no '{name}:'. It has {known}, and the words "
                    f"{', '.join(WORDS)} ('untagged' finds pictures without a caption).")
    return ""


def _numbers(name: str, value: str) -> tuple[Callable[[float, float], bool], float, float]:
    """What a number is compared with: the comparison and one number, or a range (then the second is its end)."""
    span = re.fullmatch(r"(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)", value)
    if span:
        return operator.ge, float(span[1]), float(span[2])
    single = re.fullmatch(r"(>=|<=|>|<|=|)(\d+(?:\.\d+)?)", value)
    if single is None:
        raise FilterError(f"{name}: is {NUMBERS[name]} and needs a number, but is {value!r}.",
                          f"For example {name}:>20, {name}:<=512 or {name}:5..12.")
    return COMPARISONS[single[1]], float(single[2]), float("inf")


def choose(listing: Listing, wanted: Filter, sort: str = "name") -> array[int]:
    """Rows that the filter shows, in order.

    Args: listing: its captions and sizes must be read as far as `needs` says. sort: one of SORTS.
    """
    tests = [[_test(listing, term) for term in terms] for terms in wanted.alternatives]
    count = len(listing) if wanted.shows_rejected() else listing.kept
    if len(tests) == 1:
        rows: Sequence[int] = range(count)
        for test in tests[0]:
            rows = [row for row in rows if test(row)]
    else:
        rows = [row for row in range(count) if any(all(test(row) for test in terms) for terms in tests)]
    return array("I", _sorted(listing, rows, sort))


def sort_needs(sort: str) -> tuple[bool, bool]:
    """Whether captions and sizes must be read for a sort."""
    return sort in ("fewest", "most"), sort in ("smallest", "largest")


def prepare(listing: Listing, wanted: Filter, sort: str = "name") -> None:
    """Find the sizes that the filter or the sort needs."""
    if wanted.needs_sizes() or sort_needs(sort)[1]:
        find_sizes(listing)


def _sorted(listing: Listing, rows: Sequence[int], sort: str) -> Sequence[int]:
    if sort in ("newest", "oldest"):
        return sorted(rows, key=lambda row: listing.marks[row][0], reverse=sort == "newest")
    if sort in ("fewest", "most"):
        return sorted(rows, key=lambda row: _count(listing.caption(row)), reverse=sort == "most")
    if sort in ("smallest", "largest"):
        return sorted(rows, key=lambda row: max(0, listing.widths[row]) * max(0, listing.heights[row]), reverse=sort == "largest")
    if sort != "name":
        raise FilterError(f"Images cannot be sorted by {sort!r}.", f"Known: {', '.join(SORTS)}.")
    return rows


def _test(listing: Listing, term: Term) -> Test:
    test = _plain_test(listing, term)
    return (lambda row: not test(row)) if term.negated else test


def _plain_test(listing: Listing, term: Term) -> Test:
    value = term.value
    if term.field == "word":
        return {"rejected": listing.is_rejected, "untagged": lambda row: not listing.caption(row),
                "tagged": lambda row: bool(listing.caption(row))}[value]
    if term.field == "name":
        return lambda row: value.casefold() in listing.names[row].casefold()
    if term.field == "text":
        needle = value.casefold()
        return lambda row: needle in (listing.caption(row) or "").casefold()
    if term.field == "tag":
        return _tag_test(listing, value)
    compare, low, high = _numbers(term.field, value)
    measure: dict[str, Callable[[int], float]] = {
        "tags": lambda row: _count(listing.caption(row)), "width": lambda row: listing.widths[row],
        "height": lambda row: listing.heights[row], "size": lambda row: min(listing.widths[row], listing.heights[row]),
        "file": lambda row: listing.marks[row][1] / 1024}
    number = measure[term.field]
    known = (lambda row: listing.widths[row] > 0) if term.field in ("size", "width", "height") else (lambda row: True)
    return lambda row: known(row) and compare(number(row), low) and number(row) <= high


def _tag_test(listing: Listing, value: str) -> Test:
    """Whole tags. The caption is searched for the letters first, and only split where they are there."""
    key = key_of(value)
    if "*" in key or "?" in key:
        pattern = re.compile(fnmatch.translate(key))
        return lambda row: any(pattern.match(tag) for tag in _keys(listing.caption(row)))
    loose = key.replace("_", " ")

    def holds(row: int) -> bool:
        caption = listing.caption(row) or ""
        return loose in caption.lower().replace("_", " ").replace("\\", "") and key in _keys(caption)

    return holds


@lru_cache(maxsize=4096)
def _keys(caption: str | None) -> frozenset[str]:
    return frozenset(caption_keys(caption or ""))


def _count(caption: str | None) -> int:
    return len(parse_tags(caption or ""))
