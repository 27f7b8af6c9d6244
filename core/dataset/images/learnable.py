"""Which versions count: those that were made of the picture as it is now; older ones are passed over, in training and in an export."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from core.base.files import FileMark, file_mark
from core.dataset.images.variants import WHOLE, Kind, Variant, best_of, list_variants, read_made
from core.dataset.items import ImageItem
from core.dataset.parallel import bounded_map
from core.dataset.project import Project


@dataclass
class Current:
    """Versions of each picture, by its stem."""

    variants: dict[str, list[Variant]] = field(default_factory=dict)
    """Those that were made of the picture as it is now, or do not say of what: they were brought along."""
    stale: dict[str, list[Variant]] = field(default_factory=dict)
    """Those that were made of another picture than the one that is there now."""


@dataclass
class Learnable:
    """What is learned of each picture, by its stem."""

    best: dict[str, Variant] = field(default_factory=dict)
    """The version that is learned; a picture that is missing here is learned itself."""
    masks: dict[str, Variant] = field(default_factory=dict)
    stale: list[tuple[ImageItem, Variant]] = field(default_factory=list)
    """Versions and masks that would be learned, had the picture not been changed after they were made."""


def current_versions(project: Project, items: Iterable[ImageItem], kinds: Collection[Kind]) -> Current:
    """The versions of these kinds, and whether their picture was changed since. Raises: DatasetError: the folder cannot be read."""
    by_id, found = {item.id: item for item in items}, Current()
    wanted = [one for variants in list_variants(project, by_id.keys()).values() for one in variants if one.kind in kinds]
    for one, is_current in bounded_map(lambda one: _is_of(project.variants / one.name, by_id[one.stem]), wanted):
        (found.variants if is_current is True else found.stale).setdefault(one.stem, []).append(one)
    return found


def learnable(project: Project, items: Iterable[ImageItem], masks: bool = False) -> Learnable:
    """What a training learns of these pictures: the best version of each, and its mask.

    Args: masks: whether masks are wanted. Raises: DatasetError: the folder cannot be read.
    """
    by_id, found = {item.id: item for item in items}, Learnable()
    current = current_versions(project, by_id.values(), (*WHOLE, "mask") if masks else WHOLE)
    for stem, variants in current.variants.items():
        best, mask = best_of(variants), next(filter(_is_own_mask, variants), None)
        found.best.update({stem: best} if best is not None else {})
        found.masks.update({stem: mask} if mask is not None else {})
    for stem, variants in current.stale.items():
        found.stale += [(by_id[stem], one) for one in passed_over(variants, found.best.get(stem)) if one.kind in WHOLE or _is_own_mask(one)]
    return found


def passed_over(stale: Iterable[Variant], best: Variant | None) -> list[Variant]:
    """Which stale versions would be taken, were they not stale. Args: best: the version that is taken; None: the picture itself."""
    lower = WHOLE[:WHOLE.index(best.kind)] if best is not None else ()
    return [one for one in stale if one.kind not in lower]


def _is_own_mask(variant: Variant) -> bool:
    """Whether it says what counts of the whole picture."""
    return variant.kind == "mask" and not variant.label


def _is_of(path: Path, item: ImageItem) -> bool:
    mark = file_mark(path)
    return mark is not None and _made_of(path, mark) in (None, item.sha256)


@lru_cache(maxsize=50_000)
def _made_of(path: Path, mark: FileMark) -> str | None:
    """The picture that it was made of (SHA-256); None: it does not say. Args: mark: so that it is read anew once it changed."""
    made = read_made(path)
    return made.of if made is not None else None
