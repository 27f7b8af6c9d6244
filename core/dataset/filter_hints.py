"""What a filter that shows nothing probably meant: a tag of several words, a part of a tag, a file's name, a slip of the finger."""

from __future__ import annotations

import difflib
from itertools import islice, pairwise

from core.dataset.captions.tags import key_of
from core.dataset.filtering import WORDS, Filter, Term, mistyped
from core.dataset.images.files import IMAGE_SUFFIXES
from core.dataset.listing import Listing, tag_counts

MOST_TAGS = 20_000
NEAREST_OF = 5000
"""Tags, the usual ones, among which a slip is looked for; each costs a comparison."""
EXAMPLES = 3
"""Tags that are named in a hint."""
LONGEST_TAG = 4
"""Words of a tag; what is longer is a part of a sentence."""
ALIKE = 0.8
"""From 0 to 1, as difflib measures it: "untaged" and "untagged" are 0.93 alike, "hat" and "cat" 0.67."""


def meant_by(wanted: Filter, listing: Listing) -> str:
    """One sentence on what a filter without a hit probably meant; empty: nothing looks wrong with it.

    Args: listing: its captions must be read where the filter goes by tags.
    """
    if found := mistyped(wanted):
        return found
    if not any(map(_is_plain, wanted.terms())):
        return ""
    tags = {key_of(tag): tag for tag, _ in tag_counts(listing, MOST_TAGS)}
    for terms in wanted.alternatives:
        for one, other in pairwise(terms):
            if _is_plain(one) and _is_plain(other) and (found := _several_words(f"{one.value} {other.value}", tags, listing)):
                return found
    for term in filter(_is_plain, wanted.terms()):
        if key_of(term.value) not in tags and (found := _unknown(term.value, tags, listing)):
            return found
    return ""


def _is_plain(term: Term) -> bool:
    """Whether it is a tag as one types it, which pictures are to have."""
    return term.field == "tag" and not term.quoted and not term.negated and not set(term.value) & set("*?")


def _several_words(words: str, tags: dict[str, str], listing: Listing) -> str:
    """Words that stand apart in the filter and together in the captions."""
    if key_of(words) in tags:
        return f"Each word is a tag of its own here. Did you mean {_typed(words)}, or \"{words}\" in quotes?"
    if _is_said(words, listing):
        return f"Each word is a tag of its own here. Did you mean \"{words}\" in quotes?"
    return ""


def _unknown(value: str, tags: dict[str, str], listing: Listing) -> str:
    """What a word that is no tag of the captions may be."""
    key = key_of(value)
    none = f"No caption has the tag '{value}'."
    if near := difflib.get_close_matches(key, WORDS, 1, ALIKE):
        return f"{none} Did you mean {near[0]}?"
    named = f" For a file's name: name:{value}." if any(value.casefold() in name.casefold() for name in listing.names) else ""
    if named and (_is_file(value) or not _is_said(value, listing)):
        return none + named
    parts = [tag for other, tag in tags.items() if key in other and len(other.split()) <= LONGEST_TAG][:EXAMPLES]
    if parts:
        return f"{none} Some have it in a longer one ({', '.join(parts)}): {_typed(parts[0])}, or *{_typed(key)}* for all of them.{named}"
    if _is_said(value.replace("_", " "), listing):
        return f"{none} Some say it in a sentence: \"{value.replace('_', ' ')}\" in quotes.{named}"
    if near := difflib.get_close_matches(key, list(islice(tags, NEAREST_OF)), 1, ALIKE):
        return f"{none} Did you mean {_typed(tags[near[0]])}?"
    return f"{none} For a file's name: name:{value}." if _is_file(value) else ""


def _is_file(value: str) -> bool:
    return value.lower().endswith(tuple(IMAGE_SUFFIXES))


def _is_said(words: str, listing: Listing) -> bool:
    """Whether a caption holds these words, wherever."""
    needle = words.casefold()
    return any(needle in (caption or "").casefold() for caption in (listing.captions or [])[:listing.kept])


def _typed(tag: str) -> str:
    """A tag as the filter takes it: an underscore for each space."""
    return tag.replace(" ", "_").replace("\\", "")
