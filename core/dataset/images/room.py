"""How much of memory the pictures of a job may take: counted in pixels, of files that are to be opened and of what was made of them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from core.base.errors import DatasetError
from core.dataset.images.opening import inspect_image
from core.dataset.images.sourcing import Unit

PIXELS_EACH = 25_000_000
"""So many a thread may have under way: a camera's picture. Of larger ones fewer are under way at once, at least one."""

PIXEL = 4
"""Bytes that Pillow takes for one of a colour picture."""


def pixels_of(unit: Unit) -> int:
    """Of the version that stands for a picture or its part, by its header; 0: it cannot be opened, which is told when it is."""
    best = unit.best()
    if best is None:
        return unit.item.width * unit.item.height
    try:
        facts = inspect_image(unit.folder / best.name)
    except DatasetError:
        return 0
    return facts.width * facts.height


def pixels_in(*things: Any) -> int:
    """Of all pictures and arrays of pixels that tools hold between their steps; each counts once."""
    seen: dict[int, int] = {}
    _count(things, seen)
    return sum(seen.values())


def _count(thing: Any, seen: dict[int, int]) -> None:
    if isinstance(thing, (tuple, list)):
        for one in thing:
            _count(one, seen)
    elif is_dataclass(thing):
        for one in fields(thing):
            _count(getattr(thing, one.name), seen)
    elif hasattr(thing, "nbytes"):
        seen[id(thing)] = thing.nbytes // PIXEL
    elif hasattr(thing, "getbands"):
        seen[id(thing)] = thing.width * thing.height
