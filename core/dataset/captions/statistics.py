"""How often each tag is used, and with which others: three million tags in well under two seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain

from core.dataset.captions.tags import PAIRS, caption_keys, key_of, keys_of


class TagCounts(Counter[str]):
    """Tag key (`key_of`) → number of captions that hold it, like any Counter; and how each tag is written."""

    def __init__(self, captions: int = 0, spellings: Mapping[str, Counter[str]] | None = None) -> None:
        super().__init__()
        self.captions = captions
        """Captions that were counted."""
        self.spellings: dict[str, Counter[str]] = dict(spellings or {})
        """Key → each spelling → how often it stands."""

    def shown(self, key: str) -> str:
        """The usual spelling of a tag."""
        spellings = self.spellings.get(key)
        return spellings.most_common(1)[0][0] if spellings else key

    def share(self, key: str) -> float:
        """Part of the captions that hold the tag, 0 to 1."""
        return self[key] / self.captions if self.captions else 0.0


class _Keys(dict[str, str]):
    """Raw part → key, worked out once; "" for what needs a closer look (empty, or brackets around several)."""

    def __missing__(self, raw: str) -> str:
        tag = raw.strip()
        simple = bool(tag) and tag[0] not in PAIRS and all(tag.count(one) == tag.count(other) for one, other in PAIRS.items())
        key = self[raw] = key_of(tag) if simple else ""
        return key


def tag_frequencies(captions: Mapping[str, str]) -> TagCounts:
    """Count tags.

    Args: captions: image id → caption. Returns: a caption counts once for each tag, however often that stands in it.
    """
    keys, found = _Keys(), Counter[str]()
    look_up = keys.__getitem__
    for caption in captions.values():
        here = set(map(look_up, caption.split(",")))
        if "" in here:
            here = caption_keys(caption)
        found.update(here)
    raw = Counter(chain.from_iterable(caption.split(",") for caption in captions.values()))
    counts = TagCounts(len(captions), _spellings(raw))
    counts.update(found)
    return counts


def cooccurrence(captions: Mapping[str, str], tag: str) -> TagCounts:
    """Count tags in the captions that hold `tag`; its `captions` says how many these are."""
    key = key_of(tag.strip())
    return tag_frequencies({name: caption for name, caption in captions.items() if key in caption_keys(caption)})


def holding(captions: Mapping[str, str], tag: str) -> list[str]:
    """Ids of the captions that hold a tag."""
    key = key_of(tag.strip())
    return [name for name, caption in captions.items() if key in caption_keys(caption)]


def _spellings(raw: Mapping[str, int]) -> dict[str, Counter[str]]:
    spellings: dict[str, Counter[str]] = {}
    for part, count in raw.items():
        tag = part.strip()
        if tag and tag[0] not in PAIRS:
            for key in keys_of(tag):
                spellings.setdefault(key, Counter())[tag] += count
    return spellings
