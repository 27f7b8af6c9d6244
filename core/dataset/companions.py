"""What lies beside an image and goes where it goes: caption, notes of a mask, a trainer's caches."""

from __future__ import annotations

from pathlib import Path

from core.dataset.captions.files import STALE_CACHES
from core.dataset.sources.ledger import LATENTS


def stem_of_companion(name: str) -> str:
    """The stem of the image that a file goes with."""
    if match := LATENTS.fullmatch(name):
        return match[1]
    for ending in STALE_CACHES:
        if name.endswith(ending):
            return name[:-len(ending)]
    return Path(name).stem
