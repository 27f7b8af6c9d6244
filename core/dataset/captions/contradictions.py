"""Tags that cannot both be true of one picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

PAIRS = tuple((one, other) for one, others in (
    ("short hair", ("long hair", "very long hair")), ("indoors", ("outdoors",)), ("day", ("night",)), ("open mouth", ("closed mouth",)),
    ("standing", ("sitting", "lying", "kneeling")), ("sitting", ("lying",)), ("from above", ("from below",)),
    ("solo", ("2girls", "3girls", "2boys", "3boys", "multiple girls", "multiple boys")), ("1girl", ("2girls", "3girls", "multiple girls")),
    ("1boy", ("2boys", "3boys", "multiple boys")), ("no humans", ("1girl", "1boy", "2girls", "2boys", "solo focus")),
    ("portrait", ("full body", "cowboy shot")), ("close-up", ("full body", "cowboy shot")), ("upper body", ("full body", "cowboy shot")),
    ("cowboy shot", ("full body",)), ("smile", ("frown",)), ("barefoot", ("shoes", "boots", "sneakers")), ("nude", ("fully clothed",)),
    ("flat chest", ("large breasts", "medium breasts")), ("small breasts", ("large breasts",)), ("looking at viewer", ("facing away",)),
) for other in others)
"""Pairs of tag keys."""
COLOURS = ("black", "white", "red", "blue", "green", "brown", "blonde", "pink", "purple", "orange", "grey", "silver", "yellow", "aqua")
MANY_COLOURED = frozenset({"multicolored hair", "two-tone hair", "gradient hair", "streaked hair", "colored inner hair", "heterochromia",
                           "multicolored eyes", "gradient eyes"})
"""With one of these, two colours are no contradiction."""
SEVERAL = frozenset({"2girls", "3girls", "4girls", "5girls", "6+girls", "2boys", "3boys", "4boys", "5boys", "6+boys", "multiple girls",
                     "multiple boys", "group", "crowd"})
"""Of several people all kinds of things may be said; a girl and a boy are several too."""
SINGLE = frozenset({"solo", "no humans", "1girl", "1boy", "indoors", "outdoors", "day", "night", "from above", "from below"})
"""Tags that speak of the whole picture, not of one person in it."""
WORDS = {tag for pair in PAIRS for tag in pair}
HAIR = {f"{colour} hair" for colour in COLOURS}
EYES = {f"{colour} eyes" for colour in COLOURS}


def contradiction_of(keys: set[str]) -> Iterator[tuple[str, str]]:
    """Each pair among the keys of one caption that cannot both be true, the one that stands first in the table first."""
    several = not SEVERAL.isdisjoint(keys) or {"1girl", "1boy"} <= keys
    if not WORDS.isdisjoint(keys):
        for one, other in PAIRS:
            if one in keys and other in keys and (not several or one in SINGLE):
                yield one, other
    if not several and MANY_COLOURED.isdisjoint(keys):
        for colours in (HAIR, EYES):
            yield from _pairs_of(sorted(colours & keys))


def _pairs_of(tags: list[str]) -> Iterable[tuple[str, str]]:
    return [(tags[0], other) for other in tags[1:]]
