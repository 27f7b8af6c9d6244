"""What is doubtful of captions for one model family: the language, the length, and words that only other models know."""

from __future__ import annotations

from collections.abc import Iterator

from core.dataset.captions.arranging import Shorten
from core.dataset.captions.doubts import SHOWN, CaptionFinding, Looked, more, one_edit, rename, some
from core.dataset.captions.family_words import QUALITY_KEYS, RATING_LEVELS, UNDERSCORED
from core.dataset.captions.operation import Context
from core.dataset.captions.operations import Remove
from core.dataset.captions.tags import key_of, names_in
from core.dataset.captions.tokens import KINDS, token_counter

MANY_PARTS = 3
"""Parts of a caption up to which it is short rather than written in tags."""


def find_style(looked: Looked) -> Iterator[CaptionFinding]:
    """Prose where tags are expected, and the reverse."""
    family, style = looked.target.family, looked.style
    wrong = sorted(looked.prose) if style == "tags" else [
        name for name in looked.captions if style and name not in looked.prose and len(looked.parts[name]) > MANY_PARTS]
    if not wrong:
        return
    written, wanted = ("prose", "tags") if style == "tags" else ("tags", "prose")
    declared = looked.settings.style == "auto" and family.style == style
    what = f"Captions in {written}, but {family.title} wants {wanted}" if declared else f"Captions in {written} among {wanted}"
    panel = "Caption panel" if wanted == "prose" else "Tag panel"
    yield CaptionFinding("warning", f"{what}: {some(wrong)}.",
                         f"Write them anew as {wanted}: the button selects them in the gallery, and the {panel} takes what is selected "
                         "there; set its 'Existing captions' to overwrite, or your own sentences stay (undo brings them back). A mixed set "
                         "teaches two languages badly.", "style", tuple(wrong))


def find_long(looked: Looked) -> Iterator[CaptionFinding]:
    """Captions that are not read to their end."""
    target = looked.target
    over = [name for name, text in looked.captions.items() if not target.fits(text)]
    if not over:
        return
    reader = target.family.reader
    counter = token_counter(reader.tokenizer)
    about = "" if counter.exact else f" (by an estimate: {KINDS[reader.tokenizer].title}'s vocabulary is not on this machine)"
    cut = Shorten(max_tokens=target.reads, tokenizer=reader.tokenizer, sentences=bool(looked.prose.intersection(over)))
    shorten = cut.changed(sentences=True).on_text(Context())
    assert shorten is not None
    stuck = [name for name in over
             if not target.fits(shorten(looked.captions[name]) if name in looked.prose else looked.parts[name][0])]
    left = set(stuck)
    ids = [name for name in over if name not in left]
    if ids:
        yield CaptionFinding("warning", f"Captions longer than {target.reads} tokens{about}: {some(ids)}.", target.remedy(),
                             "tokens", tuple(ids), one_edit(cut, ids))
    if stuck:
        yield CaptionFinding("warning", f"Captions that begin with a sentence of more than {target.reads} tokens{about}: {some(stuck)}.",
                             "What comes behind is not read. Write several shorter sentences, the most important first.",
                             "long_sentence", tuple(stuck))


def find_quality(looked: Looked) -> Iterator[CaptionFinding]:
    """Tags of quality that this family was not trained with."""
    family = looked.target.family
    if family.quality is None:
        return
    foreign = QUALITY_KEYS.intersection(looked.counts).difference(map(key_of, family.quality)) - {key_of(looked.trigger)}
    ids = looked.holding(foreign)
    if ids:
        tags = [looked.counts.shown(key) for key in sorted(foreign, key=lambda key: (-looked.counts[key], key))]
        knows = f" It knows {', '.join(family.quality[:SHOWN])}{more(family.quality)}." if family.quality else ""
        yield CaptionFinding("warning", f"Quality tags that {family.title} was not trained with: {', '.join(tags[:SHOWN])}{more(tags)}.",
                             f"Take them out: it would learn them as words of the picture.{knows}", "quality", tuple(ids),
                             one_edit(Remove(tags=", ".join(tags)), ids))


def find_ratings(looked: Looked) -> Iterator[CaptionFinding]:
    """Ratings in the words of other models."""
    ratings = looked.target.family.ratings
    if not ratings:
        return
    own = {key_of(word) for word in ratings.values()}
    foreign = [key for key in RATING_LEVELS if key in looked.counts and key not in own and key != key_of(looked.trigger)]
    if foreign:
        old = [looked.counts.shown(key) for key in foreign]
        new = [ratings[RATING_LEVELS[key]] for key in foreign]
        ids = [name for name, keys in looked.keys.items() if not keys.isdisjoint(foreign)]
        words = [f"{one} ({other})" for one, other in zip(old, new, strict=True)]
        yield CaptionFinding("warning", f"Ratings that {looked.target.family.title} writes in another way: {', '.join(words[:SHOWN])}"
                             f"{more(words)}.", "Write them as it was trained.", "ratings", tuple(ids), one_edit(rename(old, new), ids))


def find_underscores(looked: Looked) -> Iterator[CaptionFinding]:
    """Words of this family that lost their underscore, or are written with capitals."""
    family, counts = looked.target.family, looked.counts
    words = {key_of(word): word for word in family.own_words() if word in UNDERSCORED}
    wrong = {key: word for key, word in words.items() if set(counts.spellings.get(key, ())) - {word}}
    if wrong:
        ids = [name for name, tags in looked.parts.items()
               if any(key_of(word) in wrong and word != wrong[key_of(word)] for tag in tags for word in names_in(tag))]
        shown = [f"{spelling} ({word})" for key, word in wrong.items() for spelling in counts.spellings[key] if spelling != word]
        right = list(wrong.values())
        yield CaptionFinding("warning", f"Words that {family.title} knows in another spelling: {', '.join(shown[:SHOWN])}{more(shown)}.",
                             "Write them as it was trained; to the model they are others.", "underscores", tuple(ids),
                             one_edit(rename(right, right), ids))
