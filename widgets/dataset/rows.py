"""Rows of the gallery's grid: the facts of one, and ranges of them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from core.dataset.captions.files import caption_path_for, read_caption_text
from core.dataset.captions.tags import parse_tags
from core.dataset.listing import Listing
from widgets.components.grid import Row

CAPTION_SHOWN = 240


def facts_of_row(listing: Listing, row: int, place: int, versions: Mapping[str, str]) -> Row:
    """Facts of one row, its caption as it is now (in a thread). Args: versions: in words, by file name."""
    caption = read_caption_text(caption_path_for(listing.path(place))) or ""
    rejected = listing.reasons.get(listing.names[place], "") if listing.is_rejected(place) else None
    beside = versions.get(listing.names[place], "") if rejected is None else ""
    return Row(row, listing.key(place), listing.names[place], caption[:CAPTION_SHOWN], len(parse_tags(caption)), rejected, beside)


def only_rejected(listing: Listing, rows: array[int]) -> bool:
    """Whether rejected pictures are shown and no others."""
    return bool(rows) and all(listing.is_rejected(row) for row in rows)


def ranges_of(given: object) -> list[list[int]]:
    """Ranges that the browser sent, as numbers; what is no range is passed over."""
    if not isinstance(given, (list, tuple)):
        return []
    pairs = [pair for pair in given if isinstance(pair, (list, tuple)) and len(pair) == 2]
    return [[int(low), int(high)] for low, high in pairs if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low < high]
