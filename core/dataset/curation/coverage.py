"""What the pictures show, from which side and how much of it, by their tags; and what is thin."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.base.findings import Finding
from core.dataset.captions.tags import caption_keys, key_of

ANGLES: dict[str, str] = {
    "front": "looking at viewer; facing viewer; from front; straight-on", "side": "from side; profile; facing to the side",
    "behind": "from behind; facing away", "above": "from above", "below": "from below"}
FRAMINGS: dict[str, str] = {
    "close-up": "close-up; eye focus", "portrait": "portrait; headshot; bust", "upper body": "upper body",
    "knees up": "cowboy shot", "full body": "full body", "wide": "wide shot; very wide shot"}
"""Danbooru's tags of composition (https://danbooru.donmai.us/wiki_pages/tag_group:image_composition)."""
CLOTHES = frozenset(re.findall(r"\S+", """
apron armor bikini blazer bodysuit cape cardigan cloak coat costume dress gown hanfu hoodie jacket jeans jumpsuit kimono leotard
lingerie nightgown overalls pajamas pants robe sarong serafuku shirt shorts skirt suit sundress sweater swimsuit t-shirt
tracksuit tunic tuxedo uniform vest yukata"""))
"""Last words of tags that name what is worn."""
MOST_OUTFITS = 6
NOT_SAID = "not said"
THIN_SHARE, THIN_COUNT = 0.05, 2
"""A value is thin when at most so many pictures, or this share of those with a caption, show it."""

Groups = dict[str, tuple[str, ...]]
"""Name of a value → keys of the tags that say it."""


@dataclass
class Coverage:
    """How many pictures show each angle, framing and outfit, and each combination."""

    angles: Groups
    framings: Groups
    outfits: Groups
    captioned: int = 0
    cells: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(angle, framing, outfit) → pictures; a picture whose tags say several counts for each."""
    totals: dict[str, Counter[str]] = field(default_factory=dict)
    """"angle", "framing", "outfit" → value → pictures."""
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(angle, framing) → pictures, each once."""

    def matrix(self, outfit: str = "") -> list[list[int]]:
        """Pictures by angle (rows) and framing (columns), each with `NOT_SAID` last. Args: outfit: of one only."""
        rows, columns = [*self.angles, NOT_SAID], [*self.framings, NOT_SAID]
        if outfit:
            return [[self.cells[angle, framing, outfit] for framing in columns] for angle in rows]
        return [[self.pairs[angle, framing] for framing in columns] for angle in rows]

    def filter_for(self, angle: str = "", framing: str = "", outfit: str = "") -> str:
        """The gallery's filter that shows these pictures; an empty name asks for nothing."""
        alternatives: list[list[str]] = [[]]
        for name, groups in ((angle, self.angles), (framing, self.framings), (outfit, self.outfits)):
            if name == NOT_SAID:
                absent = ["tagged", *(f'-tag:"{tag}"' for tags in groups.values() for tag in tags)]  # what has no caption is not counted
                alternatives = [[*terms, *absent] for terms in alternatives]
            elif name:
                alternatives = [[*terms, f'tag:"{tag}"'] for terms in alternatives for tag in groups[name]]
        return " | ".join(" ".join(terms) for terms in alternatives)

    def is_thin(self, count: int) -> bool:
        """Whether so few pictures are too few to be learned from."""
        return count <= max(THIN_COUNT, int(THIN_SHARE * self.captioned))

    def findings(self) -> list[Finding]:
        """What is thin, in words; nothing is said of a group that no caption speaks of."""
        found = []
        for kind, words, groups in (("angle", "seen from: {}", self.angles), ("framing", "framed as: {}", self.framings)):
            totals = self.totals.get(kind, Counter())
            if not any(totals[name] for name in groups):
                found.append(Finding("info", f"No caption names any {kind}.", "Tag the pictures, or write it into the captions."))
                continue
            thin = [f"{name} ({totals[name]})" for name in groups if self.is_thin(totals[name])]
            if thin:
                found.append(Finding("info", f"Few or no pictures {words.format(', '.join(thin))}.",
                                     "Add some if the LoRA shall draw them; it has to guess what it never saw."))
        for outfit in self.outfits:
            shown: Counter[str] = Counter()
            for (_, framing, worn), count in self.cells.items():
                shown[framing] += count if worn == outfit else 0
            silent = shown.pop(NOT_SAID, 0)
            named = [framing for framing, count in shown.items() if count]
            if len(named) == 1 and shown[named[0]] > silent and self.totals["outfit"][outfit] > THIN_COUNT:
                found.append(Finding("info", f"{outfit!r} is only ever shown as {named[0]}.", "Add another framing of it."))
        return found


def cover(captions: Iterable[str], angles: Mapping[str, str] = ANGLES, framings: Mapping[str, str] = FRAMINGS,
          outfits: Mapping[str, str] | None = None) -> Coverage:
    """Count what captions say.

    Args: angles, framings: value → its tags with semicolons between. outfits: the same; nothing: the commonest clothes of the captions.
    """
    texts = [caption_keys(caption) for caption in captions]
    found = Coverage(as_groups(angles), as_groups(framings), as_groups(outfits) if outfits else common_clothes(texts), len(texts))
    found.totals = {"angle": Counter(), "framing": Counter(), "outfit": Counter()}
    for keys in texts:
        angle, framing, outfit = (said(keys, groups) for groups in (found.angles, found.framings, found.outfits))
        for kind, values in (("angle", angle), ("framing", framing), ("outfit", outfit)):
            found.totals[kind].update(values)
        found.pairs.update((one, other) for one in angle for other in framing)
        found.cells.update((one, other, third) for one in angle for other in framing for third in outfit)
    return found


def as_groups(values: Mapping[str, str]) -> Groups:
    """"front" → "from front; facing viewer" as keys that captions are compared by."""
    return {name: tuple(key_of(tag.strip()) for tag in tags.split(";") if tag.strip()) for name, tags in values.items()}


def said(keys: set[str], groups: Groups) -> list[str]:
    """The values that a caption's tags name; `NOT_SAID` alone where there is none."""
    return [name for name, tags in groups.items() if keys.intersection(tags)] or [NOT_SAID]


def common_clothes(texts: Sequence[set[str]]) -> Groups:
    """The commonest tags that name what is worn, at most `MOST_OUTFITS`, each in two captions or more."""
    counts = Counter(key for keys in texts for key in keys if key.split(" ")[-1] in CLOTHES)
    return {key: (key,) for key, count in counts.most_common(MOST_OUTFITS) if count > 1}
