"""Which files go into an export, and under which names; nothing is decoded and nothing written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.buckets import Size, fitting_repeats
from core.base.errors import DatasetError
from core.base.files import safe_stem
from core.dataset.captions.files import caption_path_for, decode_caption, has_lines, one_line
from core.dataset.export.settings import ExportSettings
from core.dataset.images.learnable import current_versions, passed_over
from core.dataset.images.variants import BESIDE, WHOLE, Kind, Variant, best_of
from core.dataset.items import ImageItem, Skipped, list_items
from core.dataset.project import Project
from core.dataset.sources.ledger import fold

FORBIDDEN = ("-masklabel", "-condlabel")
"""Ends of stems that OneTrainer takes for masks (modules/dataLoader/mixin/DataLoaderText2ImageMixin.py, 23df3832)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One picture of an export."""

    item: ImageItem
    stem: str
    """Of its files in the export."""
    source: Path
    """The picture itself, or one of its versions."""
    variant: Variant | None
    """None: it is the picture itself."""
    caption: str | None
    """One line, or several for wildcards; None: there is none that can be read."""
    mask: Path | None

    @property
    def id(self) -> str:
        """Names it for ever: the picture's file, and the part's label."""
        return f"{self.item.name}/{self.variant.label}" if self.variant is not None and self.variant.label else self.item.name

    @property
    def size(self) -> Size:
        """Width and height in pixels, as far as no file need be opened for it; zeros: not known."""
        return (self.item.width, self.item.height) if self.variant is None else (0, 0)


@dataclass(frozen=True)
class Plan:
    """What an export is made of."""

    wanted: tuple[Wanted, ...]
    missing: tuple[Wanted, ...] = ()
    """Pictures without a caption that can be read; they are among the others unless they are left out."""
    skipped: tuple[Skipped, ...] = ()
    stale: tuple[str, ...] = ()
    """Files of versions and masks that are passed over, as they were made of another picture than the one that is there now."""

    def repeats(self, settings: ExportSettings) -> int:
        """How often each picture is seen in an epoch."""
        return settings.num_repeats or fitting_repeats(len(self.wanted))


def plan_export(project: Project, settings: ExportSettings) -> Plan:
    """What would be exported. Raises: DatasetError: the project cannot be read."""
    items = list_items(project)
    ids, chosen = {item.id for item in items}, set(settings.images)
    skipped = [Skipped(name, "No picture of that name is in the project.") for name in settings.images if name not in ids]
    items = [item for item in items if not chosen or item.id in chosen]
    current = current_versions(project, items, kinds_wanted(settings))
    stale: list[str] = []
    taken: set[str] = set()
    wanted: list[Wanted] = []
    missing: list[Wanted] = []
    for item in items:
        variants = current.variants.get(item.id, [])
        stale += _stale_names(current.stale.get(item.id, ()), variants)
        for one in _of_item(project, item, variants, settings, taken):
            if one.caption is not None:
                wanted.append(one)
                continue
            missing.append(one)
            if settings.without_caption == "leave_out":
                skipped.append(Skipped(one.source.name, "It has no caption."))
            else:
                wanted.append(one)
    return Plan(tuple(wanted), tuple(missing), tuple(skipped), tuple(stale))


def kinds_wanted(settings: ExportSettings) -> tuple[Kind, ...]:
    """Of which kinds versions are exported."""
    parts: tuple[Kind, ...] = ("part",) if settings.parts else ()
    masks: tuple[Kind, ...] = ("mask",) if settings.masks != "none" else ()
    return (*(WHOLE if settings.versions == "best" else ()), *parts, *masks, *(("transparent",) if settings.transparent else ()))


def _stale_names(stale: Sequence[Variant], variants: Sequence[Variant]) -> list[str]:
    """Of what would be exported of a picture and its parts, were it not stale."""
    labels = {"", *(one.label for one in (*stale, *variants) if one.kind == "part")}
    return [one.name for one in passed_over(stale, best_of(variants)) if one.label in labels]


def _of_item(project: Project, item: ImageItem, variants: Sequence[Variant], settings: ExportSettings,
             taken: set[str]) -> Iterator[Wanted]:
    """The picture, and its parts where they are asked for."""
    caption = caption_text(item.caption_path)
    yield _wanted(project, item, best_of(variants), "", variants, caption, settings, taken)
    for part in variants if settings.parts else ():
        if part.kind == "part":
            own = caption_text(caption_path_for(project.variants / part.name))
            yield _wanted(project, item, part, part.label, variants, own or caption, settings, taken)


def _wanted(project: Project, item: ImageItem, variant: Variant | None, label: str, variants: Sequence[Variant], caption: str | None,
            settings: ExportSettings, taken: set[str]) -> Wanted:
    beside = {one.kind: one for one in variants if one.label == label and one.kind in BESIDE}
    variant, mask = beside.get("transparent", variant), beside.get("mask")
    source = project.variants / variant.name if variant is not None else item.path
    stem = _free_stem(f"{item.id}_{label}" if label else item.id, taken)
    return Wanted(item, stem, source, variant, caption, project.variants / mask.name if mask is not None else None)


def _free_stem(stem: str, taken: set[str]) -> str:
    """A stem that no other picture of the export has, also where case does not count. Args: taken: those so far, folded."""
    try:
        stem.encode("utf-8")
    except UnicodeEncodeError:  # of an old archive: what no program reads is written otherwise
        stem = safe_stem(stem)
    if stem.endswith(FORBIDDEN):
        stem += "_"
    free, number = stem, 2
    while fold(free) in taken:
        free, number = f"{stem}-{number}", number + 1
    taken.add(fold(free))
    return free


def caption_text(path: Path) -> str | None:
    """A caption as it is exported: one line, or several where the file has several; None: none that can be read, or an empty one."""
    with contextlib.suppress(OSError, DatasetError):
        text = decode_caption(path.read_bytes(), path.name)
        if has_lines(text):
            return "\n".join(filter(None, (one_line(line) for line in text.splitlines()))) or None
        return one_line(text) or None
    return None
