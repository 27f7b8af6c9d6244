"""What is doubtful of the trigger word: missing, not first, alone, ordinary, or fused with other tags."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from core.dataset.captions.arranging import FixFormat
from core.dataset.captions.doubts import FEW, SHOWN, CaptionFinding, Looked, more, one_edit, some
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.operations import PutTrigger, Remove
from core.dataset.captions.ordinary_words import is_ordinary
from core.dataset.captions.tags import SENTENCE_END, key_of, keys_of

FORGOTTEN = 0.95
"""From this part of the captions on, those that lack a tag seem to have been forgotten."""


def find_missing(looked: Looked) -> Iterator[CaptionFinding]:
    """Images without a caption."""
    if looked.missing:
        steps = (*((FixFormat(),) if looked.signs else ()), PutTrigger(trigger_word=looked.trigger))
        fix = EditSettings(operations=steps, ids=tuple(looked.missing)) if looked.trigger else None
        yield CaptionFinding("error", f"Images without a caption, or with an empty one: {some(looked.missing)}.",
                             "Tag them, or give them at least the trigger word.", "missing", tuple(looked.missing), fix)


def find_trigger(looked: Looked) -> Iterator[CaptionFinding]:
    """Captions in which the trigger word is missing, written otherwise, or late.

    CLIP reads small letters only; for the others Mika and mika are two words. In prose for a family that wants prose it may stand
    anywhere in the first sentence.
    """
    if not looked.trigger:
        return
    key, clip = key_of(looked.trigger), looked.target.family.reader.tokenizer == "clip"
    anyhow = re.compile(rf"(?<!\w){re.escape(looked.trigger)}(?!\w)", re.IGNORECASE)
    word = anyhow if clip else re.compile(anyhow.pattern)
    written = {name for name, text in looked.captions.items() if word.search(text)}
    other = [name for name, keys in looked.keys.items()
             if name not in written and (key in keys or anyhow.search(looked.captions[name]))]
    elsewhere = {*written, *other}
    absent = [name for name in looked.captions if name not in elsewhere]
    later = [name for name in looked.captions if name in written and not _is_first(looked, name, key, word)]
    for ids, words, kind in ((absent, "lack", "trigger"), (other, "spell in another way", "trigger_spelling"),
                             (later, "do not begin with", "trigger_first")):
        if ids:
            yield CaptionFinding("warning", f"Captions that {words} the trigger word {looked.trigger!r}: {some(ids)}.",
                                 "Put it first; the Gallery panel has a button for all captions.", kind, tuple(ids),
                                 one_edit(PutTrigger(trigger_word=looked.trigger), ids))


def _is_first(looked: Looked, name: str, key: str, word: re.Pattern[str]) -> bool:
    text, tags = looked.captions[name], looked.parts[name]
    if (tags and keys_of(tags[0])[:1] == (key,)) or word.match(text):
        return True
    return name in looked.prose and looked.target.family.style == "prose" and bool(word.search(SENTENCE_END.split(text, maxsplit=1)[0]))


def find_bare(looked: Looked) -> Iterator[CaptionFinding]:
    """Captions of the trigger word alone."""
    ids = [name for name, keys in looked.keys.items() if keys == {key_of(looked.trigger)}] if looked.trigger else []
    if ids:
        yield CaptionFinding("warning", f"Captions that hold only the trigger word {looked.trigger!r}: {some(ids)}.",
                             "Tag the pictures, or write what is to be seen in them: what no caption names becomes part of the trigger "
                             "word, clothes and background too.", "bare", tuple(ids))


def find_ordinary_trigger(looked: Looked) -> Iterator[CaptionFinding]:
    """A trigger word that the model knows."""
    if is_ordinary(looked.trigger):
        yield CaptionFinding("warning", f"The trigger word {looked.trigger!r} is ordinary English, which the model knows already: the LoRA "
                             "mixes with it, and changes it in every picture.",
                             "Take an invented word without a meaning, such as mychar; the Gallery panel puts it in the place of this one.",
                             "ordinary_trigger")


def find_fused(looked: Looked) -> Iterator[CaptionFinding]:
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
        nothing_else = sum(set(fused).issuperset(looked.keys[name]) for name in with_trigger)  # a caption is never made empty
        mends = nothing_else < looked.settings.fused_share * len(with_trigger)
        yield CaptionFinding("info", f"Tags {what}: {words}{more(fused)}.",
                             "Take out what belongs to the character itself, so that the trigger word alone calls it; leave what should "
                             "stay changeable, and add pictures without it.", "fused", tuple(with_trigger),
                             one_edit(Remove(tags=", ".join(looked.counts.shown(tag) for tag in fused))) if mends else None)
    for tag in [tag for tag in fused if FORGOTTEN <= share[tag] < 1 and len(with_trigger) >= 2 * FEW][:SHOWN]:
        ids = [name for name in with_trigger if tag not in looked.keys[name]]
        shown = looked.counts.shown(tag)
        yield CaptionFinding("info", f"Captions that alone lack {shown!r}: {some(ids)}.",
                             "Look whether it was forgotten there.", "near_constant", tuple(ids),
                             EditSettings(add_last=shown, ids=tuple(ids)))
