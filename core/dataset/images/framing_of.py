"""Whether a mask belongs to what is shown: it must have been made of the same picture, and of the same section of it.

    framing of girl_mask.png      SHA-256 of girl.png, [cut by hand: 0, 0, 200, 150]
    framing of girl_resized.png   SHA-256 of girl.png, [cut by hand: 0, 0, 200, 150]       the mask fits
    framing of girl.png           SHA-256 of girl.png, []                                  it does not

A file that does not say how it was made is judged by its proportions alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.buckets import Size
from core.base.errors import DatasetError
from core.dataset.images.masks import fits_picture, read_mask
from core.dataset.images.opening import inspect_image
from core.dataset.images.sourcing import LABELS
from core.dataset.images.variants import Made, Step, read_made
from core.dataset.items import ImageItem

if TYPE_CHECKING:
    from core.dataset.images.masks import Mask

CUTS = ("crop", "crop-by-hand")
"""Tools after which always another section is seen."""
LOOKS_ONLY = ("saving", LABELS)
"""Settings that never change which section is seen."""


def misfit(mask: Path, shown: Path, item: ImageItem) -> str:
    """Why a mask does not belong to what is shown, as a sentence; empty: it does.

    Args: shown: the picture itself, or the version of it or of its part that stands for it. item: the picture.
    Raises: DatasetError: one of them cannot be opened.
    """
    if trouble := _otherwise_framed(mask, shown, item):
        return trouble
    own, size = _size(mask), _size(shown)
    return "" if fits_picture(own, size) else f"{mask.name} has {own[0]} x {own[1]} pixels, its picture {size[0]} x {size[1]}."


def fitting_mask(mask: Path, shown: Path, item: ImageItem, size: Size) -> Mask:
    """As `read_mask`, of what is shown.

    Args: as `misfit`; size: width and height of what is shown, px. Raises: DatasetError: it does not belong to it, or cannot be read.
    """
    if trouble := _otherwise_framed(mask, shown, item):
        raise DatasetError(trouble, "Draw it anew.")
    return read_mask(mask, size)


def _otherwise_framed(mask: Path, shown: Path, item: ImageItem) -> str:
    """As `misfit`, by what both say of themselves."""
    drawn, seen = read_made(mask), Made(item.sha256, ()) if shown == item.path else read_made(shown)
    if drawn is None or seen is None:
        return ""
    if drawn.of != seen.of and drawn.of and seen.of:
        return f"{mask.name} was made of another picture than {shown.name} is now."
    if not _same_section(drawn.steps, seen.steps):
        return f"{mask.name} was made of another section of the picture than {shown.name} shows."
    return ""


def _same_section(one: Sequence[Step], other: Sequence[Step]) -> bool:
    """Whether the same was cut out of the same. A resizing at the end does not count: it keeps to the middle, so that proportions tell
    whether it cut anything off."""
    return _section(one) == _section(other) or _section(_unsized(one)) == _section(_unsized(other))


def _section(steps: Sequence[Step]) -> list[tuple[str, dict[str, object]]]:
    """All that led to the section: every step up to the last one that cut, as a box is measured in the pixels that it was drawn on."""
    kept = [step for step in steps if step.tool != "file"]
    last = max((number for number, step in enumerate(kept, 1) if _cuts(step)), default=0)
    return [(step.tool, {name: value for name, value in step.settings.items() if name not in LOOKS_ONLY}) for step in kept[:last]]


def _unsized(steps: Sequence[Step]) -> Sequence[Step]:
    """Without the last step that cut, where that was a resizing."""
    last = next((number for number in reversed(range(len(steps))) if _cuts(steps[number])), None)
    return steps[:last] if last is not None and steps[last].tool == "resize" else steps


def _cuts(step: Step) -> bool:
    """Whether another section may be seen after it."""
    return step.tool in CUTS or (step.tool == "resize" and step.settings.get("mode") in ("exact", "bucket")) \
        or (step.tool == "transparent" and step.settings.get("crop") is True)


def _size(path: Path) -> Size:
    facts = inspect_image(path)
    return facts.width, facts.height
