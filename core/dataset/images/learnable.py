"""Which versions a training may learn: the best of each picture that was made of the picture as it is now; older ones are passed over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from core.dataset.images.variants import WHOLE, Variant, list_variants, read_made
from core.dataset.items import ImageItem
from core.dataset.parallel import bounded_map
from core.dataset.project import Project

FileMark = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds; another file under the same name has another one."""


@dataclass
class Learnable:
    """What is learned of each picture, by its stem."""

    best: dict[str, Variant] = field(default_factory=dict)
    """The version that is learned; a picture that is missing here is learned itself."""
    masks: dict[str, Variant] = field(default_factory=dict)
    stale: list[tuple[ImageItem, Variant]] = field(default_factory=list)
    """Versions and masks that would be learned, had the picture not been changed after they were made."""


def learnable(project: Project, items: Iterable[ImageItem], masks: bool = False) -> Learnable:
    """What a training learns of these pictures. A version that does not say of what it was made was brought along, and counts.

    Args: masks: whether masks are wanted. Raises: DatasetError: the folder cannot be read.
    """
    by_id, found = {item.id: item for item in items}, Learnable()
    wanted = []
    for stem, variants in list_variants(project, by_id.keys()).items():
        whole = sorted((one for one in variants if one.kind in WHOLE), key=lambda one: WHOLE.index(one.kind), reverse=True)
        wanted += [(by_id[stem], whole)] if whole else []
        wanted += [(by_id[stem], [one]) for one in variants if masks and one.kind == "mask" and not one.label][:1]

    def newest(case: tuple[ImageItem, Sequence[Variant]]) -> int:
        item, variants = case
        return next((number for number, one in enumerate(variants) if _is_of(project.variants / one.name, item)), len(variants))

    for (item, variants), number in bounded_map(newest, wanted):
        assert isinstance(number, int)  # `newest` raises nothing
        found.stale += [(item, one) for one in variants[:number]]
        if number < len(variants):
            (found.masks if variants[number].kind == "mask" else found.best)[item.id] = variants[number]
    return found


def file_mark(path: Path) -> FileMark | None:
    """Tells a file from another one of its name; None: it is not there, or cannot be looked at."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns


def _is_of(path: Path, item: ImageItem) -> bool:
    mark = file_mark(path)
    return mark is not None and _made_of(path, mark) in (None, item.sha256)


@lru_cache(maxsize=50_000)
def _made_of(path: Path, mark: FileMark) -> str | None:
    """The picture that it was made of (SHA-256); None: it does not say. Args: mark: so that it is read anew once it changed."""
    made = read_made(path)
    return made.of if made is not None else None
