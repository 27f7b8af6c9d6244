"""Tags that look like a slip of the finger for a far more frequent one."""

from __future__ import annotations

from collections.abc import Mapping

SHORTEST = 5
"""Letters: shorter tags that differ by one letter are mostly different words."""
RARER = 10
"""How many times rarer than the right one a misspelling is, at least."""


def near_misses(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Pairs (rare tag, frequent tag) that differ by one letter: one more, one less, another one, or two neighbours exchanged.

    Tags that differ in a digit are different tags. Found by the texts that are left when a letter is taken out (as in SymSpell), so that
    it takes time in proportion to the number of tags.
    """
    frequent: dict[str, list[str]] = {}
    for key, count in counts.items():
        if count >= RARER and len(key) >= SHORTEST:
            for text in _without_one(key):
                frequent.setdefault(text, []).append(key)
    found = {}
    for key, count in counts.items():
        if len(key) < SHORTEST:
            continue
        near = {other for text in _without_one(key) for other in frequent.get(text, ()) if other != key and RARER * count <= counts[other]}
        likely = [other for other in near if _is_slip(key, other)]
        if likely:
            found[key] = max(likely, key=lambda other: counts[other])
    return sorted(found.items())


def _without_one(key: str) -> set[str]:
    return {key, *(key[:place] + key[place + 1:] for place in range(len(key)))}


def _is_slip(one: str, other: str) -> bool:
    """Whether one letter's slip, and no digit, makes the difference."""
    begin = 0
    while begin < min(len(one), len(other)) and one[begin] == other[begin]:
        begin += 1
    end = 0
    while end < min(len(one), len(other)) - begin and one[-1 - end] == other[-1 - end]:
        end += 1
    here, there = one[begin:len(one) - end], other[begin:len(other) - end]
    if any(sign.isdigit() for sign in here + there):
        return False
    return max(len(here), len(there)) <= 1 or (len(here) == 2 and here == there[::-1])
