"""Operations on the order, number and form of tags: insert, sort, double tags, format, ratings, length."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Literal

from core.base.errors import ConfigError
from core.base.families import TokenizerName
from core.base.settings import setting
from core.base.words import counted
from core.dataset.captions.family_words import RATING_LEVELS, UNDERSCORED
from core.dataset.captions.files import spaced
from core.dataset.captions.operation import Context, Operation, Tags, lead_of, wanted
from core.dataset.captions.tags import (
    SENTENCE_GAP,
    change_names,
    is_prose,
    join_parts,
    key_of,
    keys_in,
    keys_of,
    parse_clauses,
    parse_tags,
)
from core.dataset.captions.texts import clean_text
from core.dataset.captions.tokens import token_counter


class Insert(Operation):
    """Tags at a place that is counted from the first."""

    op, title, on_prose = "insert", "Insert at a place", False
    tags: str = setting(..., "Tags", "With commas between. Where they are there already they move.")
    position: int = setting(2, "Place", "1 is the very front, 2 behind the first tag. Beyond the end means at the end.", ge=1)

    def on_tags(self, context: Context) -> Callable[[Tags], Tags]:
        new = wanted(self.tags, self.title)
        keys = keys_in(new)

        def change(tags: Tags) -> Tags:
            rest = [tag for tag in tags if not keys.issuperset(keys_of(tag))]
            return [*rest[:self.position - 1], *new, *rest[self.position - 1:]]
        return change

    def sentence(self) -> str:
        return f"Inserted {self.tags} at place {self.position}"


class Sort(Operation):
    """Tags in another order; the trigger word and the first ones stay."""

    op, title, on_prose = "sort", "Sort tags", False
    by: Literal["frequency", "rarity", "name"] = setting("frequency", "Order", "frequency: the tags that stand in most captions first. "
                                                         "rarity: the reverse. name: by the alphabet.")
    keep_first: int = setting(0, "Leave the first", "So many tags at the front stay as they are; the trigger word does always.", ge=0,
                              unit="tags")

    @property
    def counted(self) -> bool:
        """Whether it must know how often each tag is used."""
        return self.by != "name"

    def on_tags(self, context: Context) -> Callable[[Tags], Tags]:
        sign, counts = (-1 if self.by == "frequency" else 1), context.counts

        def rank(tag: str) -> tuple[int, str]:
            keys = keys_of(tag)
            return (sign * counts.get(keys[0], 0) if keys and self.by != "name" else 0), keys[0] if keys else ""

        def change(tags: Tags) -> Tags:
            lead = max(self.keep_first, lead_of(tags, context.trigger))
            return [*tags[:lead], *sorted(tags[lead:], key=rank)]
        return change

    def sentence(self) -> str:
        return f"Sorted by {self.by}"


class Deduplicate(Operation):
    """Each tag once, also inside of brackets; the first stays."""

    op, title = "deduplicate", "Take out double tags"

    def on_tags(self, context: Context) -> Callable[[Tags], Tags]:
        def change(tags: Tags) -> Tags:
            seen: set[str] = set()

            def once(name: str) -> Tags:
                key = key_of(name)
                if key in seen:
                    return []
                seen.add(key)
                return [name]

            kept = []
            for tag in tags:
                keys = keys_of(tag)
                if len(set(keys)) == len(keys) and seen.isdisjoint(keys):
                    kept.append(tag)
                    seen.update(keys)
                else:
                    kept += change_names(tag, once)
            return kept
        return change

    def sentence(self) -> str:
        return "Took out double tags"


class FixFormat(Operation):
    """Commas, spaces, invisible characters and empty tags put right; several lines become one."""

    op, title, joins_lines = "fix_format", "Mend the format", True
    underscores: bool = setting(False, "Spaces for underscores", "long_hair becomes long hair; ^_^, score_9 and the trigger word stay.")
    lower: bool = setting(False, "Small letters", "Red Hair becomes red hair. The trigger word and prose stay as they are.")

    def on_text(self, context: Context) -> Callable[[str], str]:
        trigger = key_of(context.trigger)

        def mend(tag: str) -> str:
            is_trigger = key_of(tag) == trigger
            if self.underscores and tag not in UNDERSCORED and not (is_trigger and "_" in context.trigger):
                tag = spaced(tag)
            return tag.lower() if self.lower and not is_trigger else tag

        def change(text: str) -> str:
            text = clean_text(text)
            if is_prose(text):
                return join_parts(parse_clauses(text), prose=True)
            return join_parts([part for tag in parse_tags(text) for part in change_names(tag.strip(), lambda name: [mend(name)])])
        return change

    def sentence(self) -> str:
        return "Mended the format"


class Rating(Operation):
    """Rating tags (general, sensitive, questionable, explicit, rating:…) moved or taken out."""

    op, title = "rating", "Rating tags"
    action: Literal["remove", "first", "last"] = setting("remove", "What becomes of them", "first: behind the trigger word.")

    def on_tags(self, context: Context) -> Callable[[Tags], Tags]:
        def change(tags: Tags) -> Tags:
            found = [tag for tag in tags if RATING_LEVELS.keys() >= set(keys_of(tag))]
            if not found:
                return tags
            rest = [tag for tag in tags if tag not in found]
            lead = lead_of(rest, context.trigger)
            if self.action == "first":
                return [*rest[:lead], *found, *rest[lead:]]
            return [*rest, *found] if self.action == "last" else rest
        return change

    def sentence(self) -> str:
        return {"remove": "Took out rating tags", "first": "Put rating tags first", "last": "Put rating tags last"}[self.action]


class Shorten(Operation):
    """Not more than fits; tags at the end go, and of prose whole sentences if wished."""

    op, title, on_prose = "shorten", "Shorten", False
    max_tags: int = setting(0, "At most so many tags", "Tags beyond that, at the end, are taken out. 0: any number.", ge=0, unit="tags")
    max_tokens: int = setting(75, "At most so many tokens", "CLIP reads 75, or 150 or 225 where the training says so. 0: any number.",
                              ge=0, unit="tokens")
    tokenizer: TokenizerName = setting("clip", "Counted by", "Who reads the captions: clip in Stable Diffusion 1.5, 2 and SDXL; t5, qwen, "
                                       "gemma or mistral in newer families.", level="advanced")
    sentences: bool = setting(False, "Sentences too", "Prose loses whole sentences at its end; off: it is left alone.", level="advanced")

    def on_tags(self, context: Context) -> Callable[[Tags], Tags] | None:
        return None if self.sentences else self._shorter_tags()

    def on_text(self, context: Context) -> Callable[[str], str] | None:
        if not self.sentences:
            return None
        tags, count = self._shorter_tags(), token_counter(self.tokenizer).count

        def change(text: str) -> str:
            if not is_prose(text):
                parts = parse_tags(text)
                kept = tags(parts)
                return text if kept == parts else join_parts(kept)
            if not self.max_tokens or count(text) <= self.max_tokens:
                return text
            ends = [match.start() for match in SENTENCE_GAP.finditer(text)]
            fitting = bisect.bisect_right(ends, self.max_tokens, key=lambda end: count(text[:end]))
            return text[:ends[fitting - 1]] if fitting else text  # one sentence is not torn apart
        return change

    def _shorter_tags(self) -> Callable[[Tags], Tags]:
        if not self.max_tags and not self.max_tokens:
            raise ConfigError("Shorten: no limit was given.", "Fill in a number of tags or of tokens.")
        count = token_counter(self.tokenizer).count

        def change(tags: Tags) -> Tags:
            kept = tags[:self.max_tags] if self.max_tags else tags
            if self.max_tokens and count(join_parts(kept)) > self.max_tokens:
                fitting = bisect.bisect_right(range(1, len(kept) + 1), self.max_tokens, key=lambda size: count(join_parts(kept[:size])))
                kept = kept[:max(1, fitting)]
            return kept
        return change

    def sentence(self) -> str:
        limits = [counted(self.max_tags, "tag") if self.max_tags else "", counted(self.max_tokens, "token") if self.max_tokens else ""]
        return f"Shortened to {' and '.join(filter(None, limits))}"
