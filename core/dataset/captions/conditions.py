"""Which captions a bulk change touches: tags present or absent, words in the text, number of tags."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from typing import Literal

from core.base.errors import ConfigError
from core.base.settings import Settings, setting
from core.base.words import counted
from core.dataset.captions.tags import caption_keys, key_of, parse_tags

Test = Callable[[str], bool]
"""Says of a caption (empty where there is none) whether it is meant."""


class Condition(Settings):
    """Which captions are changed. What is left empty does not count; nothing given means all of them."""

    title = "Only captions that"

    has_all: str = setting("", "hold all these tags", "Tags with commas between. * stands for any letters: * hair.")
    has_any: str = setting("", "hold any of these tags", "Tags with commas between.")
    has_none: str = setting("", "hold none of these tags", "Tags with commas between.")
    contains: str = setting("", "contain this text", "Anywhere in the caption, also inside words; case does not count.")
    min_tags: int = setting(0, "have at least so many tags", "0: any number.", ge=0, unit="tags", level="advanced")
    max_tags: int = setting(0, "have at most so many tags", "0: any number.", ge=0, unit="tags", level="advanced")
    caption: Literal["any", "present", "missing"] = setting("any", "exist or not", "missing: images without a caption, or with an empty "
                                                            "one.", level="advanced")
    match: Literal["all", "any"] = setting("all", "of what is filled in", "all: each of them must hold. any: one is enough.",
                                           level="advanced")

    def test(self) -> Test:
        """The condition as a function of a caption. Raises: ConfigError: it can hold for none."""
        if self.min_tags and self.max_tags and self.min_tags > self.max_tags and self.match == "all":
            raise ConfigError(f"No caption has at least {self.min_tags} and at most {self.max_tags} tags.",
                              "Make the second number larger.")
        tests = self._tests()
        if not tests:
            return lambda text: True
        if len(tests) == 1:
            return tests[0]
        if self.match == "any":
            return lambda text: any(test(text) for test in tests)
        return lambda text: all(test(text) for test in tests)

    def sentence(self) -> str:
        """The condition in words; empty when it takes all."""
        words = [f"hold {self.has_all}" if self.has_all else "", f"hold any of {self.has_any}" if self.has_any else "",
                 f"hold none of {self.has_none}" if self.has_none else "", f"contain {self.contains!r}" if self.contains else "",
                 f"have at least {counted(self.min_tags, 'tag')}" if self.min_tags else "",
                 f"have at most {counted(self.max_tags, 'tag')}" if self.max_tags else "",
                 f"are {self.caption}" if self.caption != "any" else ""]
        return (" and " if self.match == "all" else " or ").join(filter(None, words))

    def _tests(self) -> list[Test]:
        tests: list[Test] = []
        if finds := [finder(tag) for tag in parse_tags(self.has_all)]:
            tests.append(_on_keys(lambda keys: all(find(keys) for find in finds)))
        if found := [finder(tag) for tag in parse_tags(self.has_any)]:
            tests.append(_on_keys(lambda keys: any(find(keys) for find in found)))
        if absent := [finder(tag) for tag in parse_tags(self.has_none)]:
            tests.append(_on_keys(lambda keys: not any(find(keys) for find in absent)))
        if words := self.contains.casefold():
            tests.append(lambda text: words in text.casefold())
        if least := self.min_tags:
            tests.append(lambda text: len(parse_tags(text)) >= least)
        if most := self.max_tags:
            tests.append(lambda text: len(parse_tags(text)) <= most)
        if self.caption != "any":
            wanted = self.caption == "present"
            tests.append(lambda text: bool(text) is wanted)
        return tests


def finder(tag: str) -> Callable[[set[str]], bool]:
    """Whether a tag, or a pattern with *, is among keys."""
    key = key_of(tag)
    if "*" not in key:
        return lambda keys: key in keys
    pattern = re.compile(translate(key.replace("[", "[[]").replace("?", "[?]")))
    return lambda keys: key in keys or any(pattern.match(other) for other in keys)


def _on_keys(test: Callable[[set[str]], bool]) -> Test:
    return lambda text: test(caption_keys(text))
