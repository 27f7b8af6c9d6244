"""How found tags join the caption that is there: a person's words stay as they are, letter by letter; only what a model wrote may go."""

from __future__ import annotations

from collections.abc import Collection

from core.dataset.captions.choosing import TagSettings
from core.dataset.captions.files import one_line, split_tags, tag_key
from core.dataset.captions.tags import (
    PAIRS,
    SENTENCE_GAP,
    Piece,
    caption_keys,
    is_prose,
    join_kept,
    key_of,
    keys_in,
    keys_of,
    parse_clauses,
    parse_tags,
)


def taken_out(present: str | None, authored: set[str], settings: TagSettings) -> set[str]:
    """Keys of what a model wrote into this caption and a person took out of it; nothing where everything is to be overwritten."""
    if settings.existing == "overwrite":
        return set()
    return authored - caption_keys(present or "") - keys_in(_parts(present or "", authored, settings.caption_separator))


def compose(present: str | None, found: list[str], authored: set[str], settings: TagSettings, trigger: str) -> tuple[str, list[str]]:
    """The new caption, and the tags in it that are the models'.

    A tag that a model wrote before and that is gone from the caption was taken out by a person: it does not come back.

    Args:
        present: the caption as it is. found: the model's tags now.
        authored: keys of the tags that a model wrote here before.
    """
    own = "" if settings.existing == "overwrite" else (present or "")
    parts, dropped = _parts(own, authored, settings.caption_separator), taken_out(present, authored, settings)
    gone = {tag_key(part) for part in parts} & authored if settings.existing == "replace" else set()
    body = [place for place, part in enumerate(parts) if tag_key(part) not in gone]
    kept = keys_in(parts[place] for place in body) | (caption_keys(own) - gone)
    known = kept | dropped | {key_of(trigger)}
    prefix, suffix, first = map(parse_tags, (settings.prefix, settings.suffix, settings.always_first_tags))
    new: dict[str, str] = {}
    for tag in (*prefix, *found, *suffix):
        if not known.issuperset(keys_of(tag)) and not ("," in tag and tag in own):
            new.setdefault(key_of(tag), tag)
    written = [*new.values(), *sorted(authored & kept), *sorted(dropped)]

    prose = is_prose(own)

    def placed(tag: str, among: list[int], otherwise: str = "") -> Piece:
        """A tag that has its place: the person's, taken out of the body, else the new one."""
        place = next((place for place in among if keys_of(parts[place]) == keys_of(tag)), None)
        if place is None:
            return new.pop(key_of(tag), otherwise), None
        body.remove(place)
        return otherwise if key_of(parts[place]) == key_of(otherwise) else parts[place], place

    front = [placed(trigger, body[:1] if prose else body, trigger)] if trigger else []
    front += [placed(tag, body[:1] if prose else body) for tag in (*prefix, *first)]
    end = [placed(tag, body[-1:] if prose else body[::-1]) for tag in reversed(suffix)][::-1]
    pieces = [*front, *((parts[place], place) for place in body), *((tag, None) for tag in new.values()), *end]
    return one_line(join_kept([piece for piece in pieces if piece[0]], own, parts, settings.caption_separator, prose)), written


def _parts(text: str, authored: Collection[str], separator: str) -> list[str]:
    """The parts of a caption: what stands between commas, and between ends of sentences. Sentences that a model wrote together are one."""
    if separator.strip() not in ("", ","):
        return split_tags(text, separator)
    return [part for whole in (parse_clauses if is_prose(text) else parse_tags)(text)
            for part in ([whole] if whole[0] in PAIRS or tag_key(whole) in authored else SENTENCE_GAP.split(whole))]
