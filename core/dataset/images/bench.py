"""What a workbench shows of one picture: its versions and how each came about, which one stands for it, what can be taken back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.buckets import Size
from core.base.errors import DatasetError
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.base.words import counted
from core.dataset.images.files import image_files, stem_of
from core.dataset.images.opening import inspect_image
from core.dataset.images.taking_back import bring_back_variant, put_aside_versions, take_back_variant
from core.dataset.images.variants import (
    REPLACED,
    WHOLE,
    Kind,
    Made,
    Variant,
    best_of,
    list_variants,
    put_aside_variant,
    read_made,
    replaced_one,
    versions_of,
)
from core.dataset.images.writing import LOCK
from core.dataset.items import one_item
from core.dataset.project import Project

KINDS: dict[Kind, str] = {"resized": "Resized", "upscaled": "Upscaled", "inpainted": "Repaired", "part": "Part", "mask": "Mask",
                          "transparent": "Without background"}
DONE = {"resize": "resized", "upscale": "upscaled", "enhance": "enhanced", "inpaint": "repaired", "crop": "cut out",
        "crop-by-hand": "cut out by hand", "mask": "masked", "mask-by-hand": "masked by hand", "transparent": "cut free",
        "file": "brought along"}
"""Tool → what it did, in a word."""


@dataclass(frozen=True)
class BenchVersion:
    """One file that shows a picture, or a part of it."""

    path: Path
    title: str
    """"Upscaled", "Mask (face_focus)"; "Picture" for the picture itself."""
    kind: Kind | None
    """None: the picture itself."""
    label: str
    size: Size
    """(0, 0) where it cannot be opened."""
    how: str
    """What was done, in order: "resized, upscaled"."""
    is_present: bool
    """Whether it stands for the whole picture now."""
    can_go_back: bool
    """Whether taking it back brings another one to its place."""
    is_old: bool
    """Whether it was made of an older picture than the one that is there."""

    def words(self) -> str:
        """For a list."""
        facts = [f"{self.size[0]} × {self.size[1]}" if all(self.size) else "cannot be opened"]
        facts += [self.how] if self.how not in ("", self.title.lower()) else []
        facts += ["of an older picture"] if self.is_old else []
        return f"{self.title} ({', '.join(facts)})"


@dataclass(frozen=True)
class BenchPicture:
    """A picture with all that was made of it; the picture itself is the first."""

    id: str
    name: str
    versions: tuple[BenchVersion, ...]
    aside: tuple[BenchVersion, ...] = ()
    """Versions that were taken back and can be brought back, as nothing stands in their place."""

    @property
    def present(self) -> BenchVersion:
        """The version that stands for it now."""
        return next(version for version in self.versions if version.is_present)

    def version(self, name: str) -> BenchVersion:
        """By file name. Raises: DatasetError: it is gone."""
        for version in self.versions:
            if version.path.name == name:
                return version
        raise DatasetError(f"{name} is not there any more.", "It was taken back or deleted meanwhile.")


def look_at_picture(project: Project, image_id: str) -> BenchPicture:
    """The versions of one picture. Raises: DatasetError: there is no such picture."""
    item = one_item(project, image_id)
    variants = versions_of(project, item.id)
    best = best_of(variants)
    own = BenchVersion(item.path, "Picture", None, "", (item.width, item.height), "", best is None, False, False)
    ordered = sorted(variants, key=lambda one: (one.kind not in WHOLE, one.label, list(KINDS).index(one.kind)))
    aside = tuple(_version(project, one, False, item.sha256, aside=True) for one in put_aside_versions(project, item.id))
    return BenchPicture(item.id, item.name, (own, *(_version(project, one, one is best, item.sha256) for one in ordered)), aside)


def put_aside(project: Project, image_id: str, name: str, progress: Progress = SILENT) -> str:
    """Put a version aside for good, as far as anything is: `variants/.replaced/` keeps it. Returns: what happened, in a sentence.

    Raises: DatasetError: it is gone; DiskError.
    """
    item = one_item(project, image_id)
    with waited_for(project.hidden / LOCK, progress):
        put_aside_variant(project, _one(project, item.id, name))
    return f"{name} was put aside."


def take_back(project: Project, image_id: str, name: str, progress: Progress = SILENT) -> str:
    """Put a version aside; the one that it had replaced stands again. Returns: what happened, in a sentence.

    Raises: DatasetError: it is gone; DiskError.
    """
    item = one_item(project, image_id)
    with waited_for(project.hidden / LOCK, progress):
        back = take_back_variant(project, _one(project, item.id, name))
    return f"{name} was put aside; {back.name} as it was before stands again." if back is not None else f"{name} was put aside."


def bring_back(project: Project, image_id: str, name: str, progress: Progress = SILENT) -> str:
    """Let a version that was taken back stand again. Returns: what happened, in a sentence.

    Raises: DatasetError: it is not kept any more, or another one stands in its place; DiskError.
    """
    item = one_item(project, image_id)
    with waited_for(project.hidden / LOCK, progress):
        variant = next((one for one in put_aside_versions(project, item.id) if one.name == name), None)
        if variant is None:
            raise DatasetError(f"{name} is not kept any more, or another one stands in its place.", "Open the picture again.")
        bring_back_variant(project, variant)
    return f"{name} stands again."


def take_back_made(project: Project, names: Sequence[str], tools: Collection[str], progress: Progress = SILENT) -> str:
    """Take versions back that a run of some tools made; what was worked on further since stays. Returns: what happened, in a sentence.

    Args: names: of the files. tools: the run's. Raises: DatasetError: the project cannot be read; DiskError; Cancelled: the others stay.
    """
    wanted, gone, again, kept = set(names), 0, 0, []
    with waited_for(project.hidden / LOCK, progress):
        every = list_variants(project, {stem_of(path.name) for path in image_files(project.images)})
        progress.start("Taking versions back", len(wanted))
        for variant in (one for variants in every.values() for one in variants if one.name in wanted):
            made = read_made(project.variants / variant.name)
            if made is None or not made.steps or made.steps[-1].tool not in tools:
                kept.append(variant.name)
            else:
                again += take_back_variant(project, variant) is not None
                gone += 1
            progress.advance(variant.name)
    words = f"{counted(gone, 'version')} put aside"
    words += f"; {again} that stood before {'stands' if again == 1 else 'stand'} again" if again else ""
    return f"{words}; {len(kept)} worked on further since {'stays' if len(kept) == 1 else 'stay'}." if kept else f"{words}."


def _one(project: Project, image_id: str, name: str) -> Variant:
    """Raises: DatasetError: it is gone."""
    variant = next((one for one in versions_of(project, image_id) if one.name == name), None)
    if variant is None:
        raise DatasetError(f"{name} is not there any more.", "It was taken back or deleted meanwhile.")
    return variant


def done_words(made: Made | None, kind: Kind | None) -> str:
    """What was done to a version, in order; empty where nothing tells."""
    steps: Sequence[str] = [DONE.get(step.tool, step.tool) for step in made.steps] if made is not None else []
    return ", ".join(steps) or ("brought along" if kind is not None else "")


def _version(project: Project, variant: Variant, is_best: bool, sha256: str, aside: bool = False) -> BenchVersion:
    path = project.variants / REPLACED / variant.name if aside else project.variants / variant.name
    made = read_made(path)
    try:
        facts = inspect_image(path)
        size = (facts.width, facts.height)
    except DatasetError:
        size = (0, 0)
    of_part = f"{KINDS[variant.kind]} ({variant.label})" if variant.label else KINDS[variant.kind]
    title, is_old = variant.label if variant.kind == "part" else of_part, made is not None and made.of != sha256
    can_go_back = replaced_one(path) is not None
    return BenchVersion(path, title, variant.kind, variant.label, size, done_words(made, variant.kind), is_best, can_go_back, is_old)
