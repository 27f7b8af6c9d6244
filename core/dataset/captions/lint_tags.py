"""What is doubtful of the tags themselves: contradictions, doubles, format, spelling, captions that are all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from core.dataset.captions.arranging import Deduplicate, FixFormat
from core.dataset.captions.conditions import Condition
from core.dataset.captions.contradictions import contradiction_of
from core.dataset.captions.doubts import SHOWN, CaptionFinding, Looked, more, one_edit, rename, some
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.family_words import UNDERSCORED
from core.dataset.captions.operations import Remove
from core.dataset.captions.spelling import near_misses
from core.dataset.captions.tags import key_of, keys_of, names_in
from core.dataset.captions.texts import clean_text


def find_contradictions(looked: Looked) -> Iterator[CaptionFinding]:
    """Tags that cannot both be true."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, keys in looked.keys.items():
        if name not in looked.prose:
            for pair in contradiction_of(keys):
                found.setdefault(pair, []).append(name)
    for (one, other), ids in sorted(found.items(), key=lambda item: -len(item[1])):
        rarer, usual = sorted((one, other), key=lambda tag: looked.counts[tag])
        yield CaptionFinding("warning", f"Captions that say both {one!r} and {other!r}: {some(ids)}.",
                             f"Look at the pictures. The change that is laid out takes {rarer!r} out of these and leaves {usual!r}.",
                             "contradiction", tuple(ids),
                             EditSettings(operations=(Remove(tags=rarer),), condition=Condition(has_all=f"{one}, {other}"), ids=tuple(ids)))


def find_doubles(looked: Looked) -> Iterator[CaptionFinding]:
    """A tag that stands in a caption twice."""
    ids = [name for name, tags in looked.parts.items()
           if name not in looked.prose and len(looked.keys[name]) < sum(len(keys_of(tag)) for tag in tags)]
    if ids:
        yield CaptionFinding("warning", f"Captions with a tag that stands there twice: {some(ids)}.", "Take out the second.",
                             "doubles", tuple(ids), one_edit(Deduplicate(), ids))


def find_format(looked: Looked) -> Iterator[CaptionFinding]:
    """Commas, spaces and signs that nobody sees."""
    ids = [name for name, text in looked.captions.items() if clean_text(text) != text
           or (name not in looked.prose and ", ".join(looked.parts[name]) != text)]
    if ids:
        yield CaptionFinding("warning", f"Captions with double commas or spaces, foreign commas or invisible characters: {some(ids)}.",
                             "Mend the format.", "format", tuple(ids), one_edit(FixFormat()))


def find_variants(looked: Looked) -> Iterator[CaptionFinding]:
    """One tag in several spellings; sentences are left out. The trigger word is right as it stands in the project."""
    own = {key_of(word) for word in looked.target.family.own_words() if word in UNDERSCORED}
    trigger = {key_of(looked.trigger): looked.trigger} if looked.trigger else {}
    counts = looked.tag_counts
    variants = {key: trigger.get(key) or counts.shown(key) for key, spellings in counts.spellings.items()
                if len(spellings) > 1 and key not in own}
    if variants:
        words = [" / ".join(spelling for spelling, _ in counts.spellings[key].most_common(3)) for key in variants]
        usual = list(variants.values())
        ids = [name for name, tags in looked.parts.items() if name not in looked.prose and any(
            name_of_tag != variants[key] for tag in tags for name_of_tag in names_in(tag)
            if (key := key_of(name_of_tag)) in variants)]
        yield CaptionFinding("warning", f"Tags written in several ways: {'; '.join(words[:SHOWN])}{more(words)}.",
                             "Write each as it is written most often.", "variants", tuple(ids), one_edit(rename(usual, usual), ids))


def find_misspelt(looked: Looked) -> Iterator[CaptionFinding]:
    """Tags that look like a slip of the finger; sentences are left out."""
    counts = looked.tag_counts
    pairs = near_misses(counts)
    if pairs:
        wrong, right = [counts.shown(one) for one, _ in pairs], [counts.shown(other) for _, other in pairs]
        words = [f"{one} ({other}?)" for one, other in zip(wrong, right, strict=True)]
        keys = {one for one, _ in pairs}
        ids = [name for name, here in looked.keys.items() if name not in looked.prose and not keys.isdisjoint(here)]
        yield CaptionFinding("info", f"Tags that may be misspelt: {', '.join(words[:SHOWN])}{more(words)}.",
                             "Replace those that are.", "misspelt", tuple(ids), one_edit(rename(wrong, right), ids))


def find_same(looked: Looked) -> Iterator[CaptionFinding]:
    """Captions that several images share."""
    trigger = looked.trigger.lower()
    texts = Counter(looked.captions.values())
    many = {text for text, count in texts.items() if count >= 3 and text.lower() != trigger}
    if many:
        ids = [name for name, text in looked.captions.items() if text in many]
        yield CaptionFinding("info", f"Images that share their whole caption with two or more others: {some(ids)}.",
                             "Say what differs between them.", "same", tuple(ids))
