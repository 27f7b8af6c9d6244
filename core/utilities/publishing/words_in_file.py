"""What a person writes for a publication, put into the header of the copy that is published: programs show it without the page."""

from __future__ import annotations

from collections.abc import Mapping

from core.base.licences import licence_named
from core.utilities.files.metadata import KEYS, SPEC
from core.utilities.publishing.settings import PublishSettings

FIELDS = {"name": "title", "trigger": "trigger", "author": "author", "description": "description", "tags": "tags", "licence": "license"}
"""Settings, and what the metadata calls them."""
LONG = "description"
"""The one that may have several lines."""


def with_words(metadata: Mapping[str, str], settings: PublishSettings, is_first: bool) -> tuple[dict[str, str], tuple[str, ...]]:
    """The metadata with what was written; what was left empty stays as the file says.

    Args: is_first: whether it is the file that the page is about: the others keep their titles.
    Returns: all of it, and the titles of the settings that say something else than the file did.
    """
    new, changed = dict(metadata), list[str]()
    for name, key in FIELDS.items():
        text = _text(name, str(getattr(settings, name)))
        if text and new.get(KEYS[key], "").strip() != text and (is_first or name != "name"):
            new[KEYS[key]] = text
            changed.append(settings.fields()[name].title or name)
    if changed:
        new.setdefault(*SPEC)
    return new, tuple(changed)


def _text(name: str, text: str) -> str:
    if name == "licence":
        known = licence_named(text)
        return known.title if known is not None else " ".join(text.split())
    return text.strip() if name == LONG else " ".join(text.split())
