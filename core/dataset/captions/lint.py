"""What is doubtful in captions for the training that is wanted, and for each finding the bulk change that mends it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from core.base.findings import Finding
from core.base.settings import Settings, setting
from core.dataset.captions.arranging import Deduplicate, FixFormat, Shorten
from core.dataset.captions.conditions import Condition
from core.dataset.captions.contradictions import contradiction_of
from core.dataset.captions.editing import EditSettings
from core.dataset.captions.operation import Operation
from core.dataset.captions.operations import PutTrigger, Remove, ReplaceTags
from core.dataset.captions.ordinary_words import is_ordinary
from core.dataset.captions.spelling import near_misses
from core.dataset.captions.statistics import TagCounts, tag_frequencies
from core.dataset.captions.tags import is_prose, key_of, keys_in, keys_of, parse_tags
from core.dataset.captions.texts import clean_text
from core.dataset.captions.tokens import token_counter
from core.dataset.items import list_items
from core.dataset.project import Project

SHOWN = 5
"""Tags or names in one sentence."""
FEW = 10
"""Captions below which shares say nothing."""


class LintSettings(Settings):
    """For what the captions are looked at."""

    title = "Look at captions"

    trigger_word: str = setting("", "Trigger word", "Empty takes the project's.")
    style: Literal["auto", "tags", "prose"] = setting("auto", "Written in", "What the model wants: SD 1.5 and SDXL take both, but not "
                                                      "mixed. auto: whatever most of them are.")
    max_token_length: Literal[75, 150, 225] = setting(75, "Tokens that are read", "As set for the training; what comes behind is not seen.")
    fused_share: float = setting(0.85, "Nearly always", "From this part of the captions on, a tag cannot be told from the trigger word.",
                                 ge=0.5, le=1, level="advanced")


@dataclass(frozen=True)
class CaptionFinding(Finding):
    """One finding about captions."""

    kind: str = ""
    ids: tuple[str, ...] = ()
    """The images concerned."""
    fix: EditSettings | None = field(default=None, compare=False)
    """The bulk change that mends it; None where only a person can."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        fix = None if self.fix is None else self.fix.model_dump(mode="json", exclude_defaults=True)
        return {"level": self.level, "what": self.what, "remedy": self.remedy, "kind": self.kind, "ids": list(self.ids), "fix": fix}


@dataclass
class _Looked:
    """All captions, parted once."""

    captions: dict[str, str]
    missing: list[str]
    parts: dict[str, list[str]]
    keys: dict[str, set[str]]
    prose: set[str]
    counts: TagCounts
    trigger: str
    settings: LintSettings


def check_captions(project: Project, settings: LintSettings | None = None) -> list[CaptionFinding]:
    """Look at every caption of a project; nothing is touched. Returns: findings, the heaviest first; empty when all is well."""
    settings = settings or LintSettings()
    captions = {item.id: item.caption for item in list_items(project)}
    return find_in_captions(captions, settings, settings.trigger_word or project.trigger_word)


def find_in_captions(captions: Mapping[str, str | None], settings: LintSettings | None = None, trigger: str = "",
                     checks: Sequence[Check] = ()) -> list[CaptionFinding]:
    """The same for captions by image id; None or empty: there is no caption. Args: checks: only these, in place of all `CHECKS`."""
    here = {name: text for name, text in captions.items() if text}
    parts = {name: parse_tags(text) for name, text in here.items()}
    keys = {name: keys_in(tags) for name, tags in parts.items()}
    prose = {name for name, text in here.items() if is_prose(text)}
    missing = [name for name, text in captions.items() if not text]
    looked = _Looked(here, missing, parts, keys, prose, tag_frequencies(here), trigger, settings or LintSettings())
    found = [finding for check in checks or CHECKS for finding in check(looked)]
    return sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.level))


def _missing(looked: _Looked) -> Iterator[CaptionFinding]:
    if looked.missing:
        fix = EditSettings(add_last=looked.trigger, only_if_empty=True) if looked.trigger else None
        yield CaptionFinding("error", f"Images without a caption, or with an empty one: {_some(looked.missing)}.",
                             "Tag them, or give them at least the trigger word.", "missing", tuple(looked.missing), fix)


def _trigger(looked: _Looked) -> Iterator[CaptionFinding]:
    if not looked.trigger:
        return
    key = key_of(looked.trigger)
    word = re.compile(rf"(?<!\w){re.escape(looked.trigger)}(?!\w)", re.IGNORECASE)
    written = {name for name, text in looked.captions.items() if word.search(text)}
    absent = [name for name, keys in looked.keys.items() if key not in keys and name not in written]
    other = [name for name, keys in looked.keys.items() if key in keys and name not in written]
    elsewhere = {*absent, *other}
    later = [name for name, tags in looked.parts.items() if name not in elsewhere and (not tags or keys_of(tags[0])[:1] != (key,))
             and not word.match(looked.captions[name])]
    for ids, words, kind in ((absent, "lack", "trigger"), (other, "spell in another way", "trigger_spelling"),
                             (later, "do not begin with", "trigger_first")):
        if ids:
            yield CaptionFinding("warning", f"Captions that {words} the trigger word {looked.trigger!r}: {_some(ids)}.",
                                 "Put it first; the Gallery panel has a button for all captions.", kind, tuple(ids),
                                 _edit(PutTrigger(trigger_word=looked.trigger), ids=ids))


def _bare(looked: _Looked) -> Iterator[CaptionFinding]:
    ids = [name for name, keys in looked.keys.items() if keys == {key_of(looked.trigger)}] if looked.trigger else []
    if ids:
        yield CaptionFinding("warning", f"Captions that hold only the trigger word {looked.trigger!r}: {_some(ids)}.",
                             "Tag the pictures, or write what is to be seen in them: what no caption names becomes part of the trigger "
                             "word, clothes and background too.", "bare", tuple(ids))


def _ordinary_trigger(looked: _Looked) -> Iterator[CaptionFinding]:
    if is_ordinary(looked.trigger):
        yield CaptionFinding("warning", f"The trigger word {looked.trigger!r} is ordinary English, which the model knows already: the LoRA "
                             "mixes with it, and changes it in every picture.",
                             "Take an invented word without a meaning, such as mychar; the Gallery panel puts it in the place of this one.",
                             "ordinary_trigger")


def _fused(looked: _Looked) -> Iterator[CaptionFinding]:
    """Tags that stand in nearly all captions with the trigger word, and those that a few captions of all seem to lack."""
    key = key_of(looked.trigger)
    with_trigger = [name for name, keys in looked.keys.items() if not looked.trigger or key in keys]
    if len(with_trigger) < FEW:
        return
    counts = Counter(tag for name in with_trigger for tag in looked.keys[name] if tag != key)
    share = {tag: count / len(with_trigger) for tag, count in counts.items()}
    fused = sorted((tag for tag in share if share[tag] >= looked.settings.fused_share), key=lambda tag: (-share[tag], tag))
    if fused:
        words = ", ".join(f"{looked.counts.shown(tag)} ({share[tag]:.0%})" for tag in fused[:SHOWN])
        what = f"fused with the trigger word {looked.trigger!r}" if looked.trigger else "the same nearly everywhere"
        yield CaptionFinding("info", f"Tags {what}: {words}{_more(fused)}.",
                             "Take out what belongs to the character itself, so that the trigger word alone calls it; leave what should "
                             "stay changeable, and add pictures without it.", "fused", tuple(with_trigger),
                             _edit(Remove(tags=", ".join(looked.counts.shown(tag) for tag in fused))))
    for tag in [tag for tag in fused if 0.95 <= share[tag] < 1 and len(with_trigger) >= 2 * FEW][:SHOWN]:
        ids = [name for name in with_trigger if tag not in looked.keys[name]]
        shown = looked.counts.shown(tag)
        yield CaptionFinding("info", f"Captions that alone lack {shown!r}: {_some(ids)}.",
                             "Look whether it was forgotten there.", "near_constant", tuple(ids),
                             EditSettings(add_last=shown, ids=tuple(ids)))


def _contradictions(looked: _Looked) -> Iterator[CaptionFinding]:
    found: dict[tuple[str, str], list[str]] = {}
    for name, keys in looked.keys.items():
        if name not in looked.prose:
            for pair in contradiction_of(keys):
                found.setdefault(pair, []).append(name)
    for (one, other), ids in sorted(found.items(), key=lambda item: -len(item[1])):
        rarer, usual = sorted((one, other), key=lambda tag: looked.counts[tag])
        yield CaptionFinding("warning", f"Captions that say both {one!r} and {other!r}: {_some(ids)}.",
                             f"Look at the pictures. The change that is laid out takes {rarer!r} out of these and leaves {usual!r}.",
                             "contradiction", tuple(ids),
                             EditSettings(operations=(Remove(tags=rarer),), condition=Condition(has_all=f"{one}, {other}")))


def _style(looked: _Looked) -> Iterator[CaptionFinding]:
    style = looked.settings.style
    if style == "auto":
        style = "prose" if 2 * len(looked.prose) > len(looked.captions) else "tags"
    wrong = sorted(looked.prose) if style == "tags" else [name for name in looked.captions if name not in looked.prose
                                                          and len(looked.parts[name]) > 3]
    if wrong:
        written, wanted = ("prose", "tags") if style == "tags" else ("tags", "prose")
        yield CaptionFinding("warning", f"Captions in {written} among {wanted}: {_some(wrong)}.",
                             f"Write them anew as {wanted}; a mixed set teaches two languages badly.", "style", tuple(wrong))


def _tokens(looked: _Looked) -> Iterator[CaptionFinding]:
    counter, limit = token_counter(), looked.settings.max_token_length
    over = [name for name, text in looked.captions.items() if len(text) > limit and counter.count(text) > limit]
    if over:
        about = "" if counter.exact else " (by an estimate: CLIP's vocabulary is not on this machine)"
        yield CaptionFinding("warning", f"Captions longer than {limit} tokens{about}: {_some(over)}.",
                             "What comes behind is not read. Take out what says little, or train with max_token_length 150 or 225.",
                             "tokens", tuple(over), _edit(Shorten(max_tokens=limit), ids=over))


def _doubles(looked: _Looked) -> Iterator[CaptionFinding]:
    ids = [name for name, tags in looked.parts.items()
           if name not in looked.prose and len(looked.keys[name]) < sum(len(keys_of(tag)) for tag in tags)]
    if ids:
        yield CaptionFinding("warning", f"Captions with a tag that stands there twice: {_some(ids)}.", "Take out the second.",
                             "doubles", tuple(ids), _edit(Deduplicate()))


def _format(looked: _Looked) -> Iterator[CaptionFinding]:
    ids = [name for name, text in looked.captions.items() if clean_text(text) != text
           or (name not in looked.prose and ", ".join(looked.parts[name]) != text)]
    if ids:
        yield CaptionFinding("warning", f"Captions with double commas or spaces, foreign commas or invisible characters: {_some(ids)}.",
                             "Mend the format.", "format", tuple(ids), _edit(FixFormat()))


def _spelling(looked: _Looked) -> Iterator[CaptionFinding]:
    variants = {key: spellings for key, spellings in looked.counts.spellings.items() if len(spellings) > 1}
    if variants:
        usual = [looked.counts.shown(key) for key in variants]
        words = [" / ".join(spelling for spelling, _ in spellings.most_common(3)) for spellings in variants.values()]
        ids = [name for name, tags in looked.parts.items() if any(key in variants and tag != looked.counts.shown(key)
                                                                  for tag in tags for key in keys_of(tag))]
        yield CaptionFinding("warning", f"Tags written in several ways: {'; '.join(words[:SHOWN])}{_more(words)}.",
                             "Write each as it is written most often.", "variants", tuple(ids), _edit(_rename(usual, usual)))
    pairs = near_misses(looked.counts)
    if pairs:
        wrong, right = [looked.counts.shown(one) for one, _ in pairs], [looked.counts.shown(other) for _, other in pairs]
        words = [f"{one} ({other}?)" for one, other in zip(wrong, right, strict=True)]
        keys = {one for one, _ in pairs}
        ids = [name for name, here in looked.keys.items() if not keys.isdisjoint(here)]
        yield CaptionFinding("info", f"Tags that may be misspelt: {', '.join(words[:SHOWN])}{_more(words)}.",
                             "Replace those that are.", "misspelt", tuple(ids), _edit(_rename(wrong, right)))


def _same(looked: _Looked) -> Iterator[CaptionFinding]:
    trigger = looked.trigger.lower()
    texts = Counter(looked.captions.values())
    many = [text for text, count in texts.items() if count >= 3 and text.lower() != trigger]
    if many:
        ids = [name for name, text in looked.captions.items() if text in set(many)]
        yield CaptionFinding("info", f"Images that share their whole caption with two or more others: {_some(ids)}.",
                             "Say what differs between them.", "same", tuple(ids))


Check = Callable[[_Looked], Iterator[CaptionFinding]]
TRIGGER_CHECKS: tuple[Check, ...] = (_trigger, _bare, _ordinary_trigger)
"""What is said of the trigger word; `core.dataset.checking` says it too."""
CHECKS: tuple[Check, ...] = (_missing, *TRIGGER_CHECKS, _contradictions, _style, _tokens, _doubles, _format, _spelling, _fused, _same)


def _edit(operation: Operation, ids: Sequence[str] = ()) -> EditSettings:
    return EditSettings(operations=(operation,), ids=tuple(ids))


def _rename(old: Sequence[str], new: Sequence[str]) -> ReplaceTags:
    search, replacement = ("; ".join(tag.replace(";", "\\;") for tag in tags) for tags in (old, new))
    return ReplaceTags(search=search, replacement=replacement)


def _some(names: Sequence[str]) -> str:
    """How many, and the first of them."""
    return f"{len(names)} ({', '.join(names[:SHOWN])}{_more(names)})"


def _more(of: Sequence[object]) -> str:
    return f" and {len(of) - SHOWN} more" if len(of) > SHOWN else ""
