"""Words of quality and rating that models were trained with, as keys of tags (`key_of`)."""

from __future__ import annotations

from core.base.families import ALL_QUALITY, CAPTION_FAMILIES, RATINGS
from core.dataset.captions.tags import key_of

RATING_LEVELS = {key_of(form): level for level, words in RATINGS.items() for word in words
                 for form in (word, word.replace(":", ": "), word.replace(":", " "))}
"""Key of a rating tag → how far it goes, in Danbooru's word."""
QUALITY_KEYS = frozenset(map(key_of, ALL_QUALITY))
UNDERSCORED = frozenset(word for family in CAPTION_FAMILIES.values() for word in family.own_words() if "_" in word)
"""Words whose underscore is a part of them (score_9), for the model read it when it was trained."""
