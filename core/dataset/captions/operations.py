"""What a bulk change can do to one caption: words put in, taken out and replaced here, their order in `arranging`, all in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.base.errors import ConfigError
from core.base.registry import Entry, Registry
from core.base.settings import setting
from core.base.words import counted
from core.dataset.captions.arranging import Deduplicate, FixFormat, Insert, Rating, Shorten, Sort
from core.dataset.captions.conditions import finder
from core.dataset.captions.operation import Context, Operation, Tags, lead_of, wanted
from core.dataset.captions.tags import PAIRS, change_names, each_key, key_of, keys_in, keys_of, parse_tags
from core.dataset.captions.texts import compile_pattern, replacer, split_list


class AddFirst(Operation):
    """Tags in front; behind the trigger word where there is one."""

    op, title = "add_first", "Add in front"
    tags: str = setting(..., "Tags", "With commas between. They stand behind the trigger word; where they are there already they move.")

    def on_tags(self, context: Context) -> Callable[[Tags], Tags]:
        new = wanted(self.tags, self.title)
        keys = keys_in(new)

        def change(tags: Tags) -> Tags:
            lead = lead_of(tags, context.trigger)
            return [*tags[:lead], *new, *(tag for tag in tags[lead:] if not keys.issuperset(keys_of(tag)))]
        return change

    def sentence(self) -> str:
        return f"Added {self.tags} in front"


class AddLast(Operation):
    """Tags at the end, where they are not there already."""

    op, title = "add_last", "Add at the end"
    tags: str = setting(..., "Tags", "With commas between. Where they are there already they stay where they are.")

    def on_tags(self, context: Context) -> Callable[[Tags], Tags]:
        new = [(tag, keys_of(tag)) for tag in wanted(self.tags, self.title)]
        all_new = keys_in(tag for tag, _ in new)

        def change(tags: Tags) -> Tags:
            here = all_new.intersection(each_key(tags))
            return [*tags, *(tag for tag, keys in new if not here.issuperset(keys))]
        return change

    def sentence(self) -> str:
        return f"Added {self.tags}"


class Remove(Operation):
    """Whole tags, also out of weighted groups."""

    op, title = "remove", "Take out tags"
    tags: str = setting(..., "Tags", "Whole tags with commas between. * stands for any letters: * hair takes out long hair and red hair.")

    def on_tags(self, context: Context) -> Callable[[Tags], Tags]:
        tags = wanted(self.tags, self.title)
        keys = {key_of(tag) for tag in tags}
        finds = [finder(tag) for tag in tags if "*" in tag]

        def is_meant(name: str) -> bool:
            key = key_of(name)
            return key in keys or any(find({key}) for find in finds)

        def keep(name: str) -> Tags:
            return [] if is_meant(name) else [name]

        def change(tags: Tags) -> Tags:
            if not finds and keys.isdisjoint(each_key(tags)):
                return tags
            return [kept for tag in tags for kept in change_names(tag, keep)]
        return change

    def sentence(self) -> str:
        return f"Took out {self.tags}"


class ReplaceTags(Operation):
    """Whole tags by other tags, in their places."""

    op, title = "replace_tags", "Replace tags"
    search: str = setting(..., "Replace these tags", "One tag, or several with semicolons between: hat; cap. A semicolon itself is \\;: "
                          "the face ;d is written \\;d.")
    replacement: str = setting("", "by these", "As many, with semicolons between, or one for all. Nothing takes the tag out.")

    def on_tags(self, context: Context) -> Callable[[Tags], Tags]:
        old, new = split_list(self.search), split_list(self.replacement)
        if not any(old):
            raise ConfigError("There is no tag to replace.", "Fill in 'Replace these tags'.")
        if len(new) not in (1, len(old)):
            raise ConfigError(f"{counted(len(old), 'tag')} {'is' if len(old) == 1 else 'are'} to be replaced by {len(new)}.",
                              "Give as many on both sides, or one for all.")
        table = {key_of(tag): parse_tags(new[place if len(new) > 1 else 0]) for place, tag in enumerate(old) if tag}

        def rename(name: str) -> Sequence[str]:
            return table.get(key_of(name), [name])

        def change(tags: Tags) -> Tags:
            if table.keys().isdisjoint(each_key(tags)):
                return tags
            present = keys_in(tags) - table.keys()
            changed: Tags = []
            for tag in tags:
                hit = any(key in table for key in keys_of(tag))
                for part in change_names(tag, rename) if hit else [tag]:
                    if hit and present.issuperset(keys_of(part)):
                        continue  # the new tag is there already
                    changed.append(part)
                    if hit:
                        present.update(keys_of(part))
            return changed
        return change

    def sentence(self) -> str:
        return f"Replaced {self.search} by {self.replacement or 'nothing'}"


class ReplaceText(Operation):
    """Any text by another, also inside words."""

    op, title = "replace_text", "Search and replace text"
    search: str = setting(..., "Search", "Any text, also a part of a word; several with semicolons between (a semicolon itself is \\;).")
    replacement: str = setting("", "Replace by", "As many, with semicolons between, or one for all. Nothing takes the text out.")
    match_case: bool = setting(True, "Capital letters count", "")

    def on_text(self, context: Context) -> Callable[[str], str]:
        return replacer(split_list(self.search, strip=False), split_list(self.replacement, strip=False), self.match_case)

    def sentence(self) -> str:
        return f"Replaced the text {self.search!r} by {self.replacement!r}"


class ReplacePattern(Operation):
    """What a regular expression finds."""

    op, title = "replace_pattern", "Replace by a pattern"
    pattern: str = setting(..., "Pattern", "A regular expression: \\b(\\d+)girl finds 1girl.")
    replacement: str = setting("", "Replace by", "\\1 is what the first brackets found.")
    match_case: bool = setting(False, "Capital letters count", "")

    def on_text(self, context: Context) -> Callable[[str], str]:
        return compile_pattern(self.pattern, self.replacement, self.match_case)

    def sentence(self) -> str:
        return f"Replaced the pattern {self.pattern!r} by {self.replacement!r}"


class PutTrigger(Operation):
    """The trigger word at the very front, once; brackets and weight around it go with it."""

    op, title = "put_trigger", "Put the trigger word first"
    trigger_word: str = setting("", "Trigger word", "Empty takes the project's.")
    instead_of: str = setting("", "Instead of", "A word that it replaces.", level="advanced")

    def on_tags(self, context: Context) -> Callable[[Tags], Tags]:
        word = self.trigger_word or context.trigger
        if not word and not self.instead_of:
            raise ConfigError("The project has no trigger word.", "Write one, or set it in the Gallery panel.")
        drop = {key_of(old) for old in (word, self.instead_of) if old}

        def renamed(name: str) -> Tags:
            return ([word] if word else []) if key_of(name) in drop else [name]

        def others(name: str) -> Tags:
            return [] if key_of(name) in drop else [name]

        def change(tags: Tags) -> Tags:
            if drop.isdisjoint(each_key(tags)):
                return [*([word] if word else []), *tags]
            first, weighted, rest = [word] if word else [], False, Tags()
            for tag in tags:
                keys = keys_of(tag)
                if drop.isdisjoint(keys):
                    rest.append(tag)
                elif tag[:1] not in PAIRS:
                    continue
                elif weighted or not word:
                    rest += change_names(tag, others)
                elif keys[0] in drop:
                    first, weighted = change_names(tag, renamed), True
                else:  # it stands behind others in the brackets: it leaves them, with their weight
                    first, weighted = change_names(tag, lambda name: [word] if key_of(name) in drop else []), True
                    rest += change_names(tag, others)
            return [*first, *rest]
        return change

    def sentence(self) -> str:
        return f"Trigger word {self.trigger_word!r} put first" if self.trigger_word else "Trigger word put first"

    def promise(self) -> str:
        return f"put the trigger word {self.trigger_word!r} first" if self.trigger_word else "put the trigger word first"


OPERATIONS: Registry[type[Operation]] = Registry(
    "operation", *(Entry(kind.op, f"{kind.__module__}:{kind.__name__}", kind.title) for kind in (
        AddFirst, AddLast, Insert, Remove, ReplaceTags, ReplaceText, ReplacePattern, PutTrigger, Sort, Deduplicate, FixFormat, Rating,
        Shorten)))


def make_operation(values: Mapping[str, Any]) -> Operation:
    """An operation from plain values: {"op": "remove", "tags": "hat"}. Raises: ConfigError."""
    rest = dict(values)
    return OPERATIONS.load(str(rest.pop("op", ""))).make(**rest)
