"""Resizing and converting: a version of each picture at another size or in another format; the picture itself stays as it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.base.buckets import Fitter, Size
from core.base.errors import StudioError
from core.base.files import sha256
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted
from core.dataset.images.opening import open_image
from core.dataset.images.saving import Encoded, SaveSettings, encode, exif_of
from core.dataset.images.variants import Kind, Made, Variant, best_of, list_variants, read_made, save_variant, take_back_variant
from core.dataset.items import ImageItem, Skipped, list_items
from core.dataset.parallel import bounded_map
from core.dataset.project import Project
from core.dataset.training_file import bucket_rule, kept_settings

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

LOCK = "variants.lock"
"""In the project's hidden folder; held by who makes versions of many pictures."""
TOOL = "resize"


class ResizeSettings(Settings):
    """To which size, and in which format."""

    title = "Resize and convert"

    images: tuple[str, ...] = setting((), "Only these", "Ids of images (names without the ending); none given: all.", level="expert")
    mode: Literal["longest", "shortest", "exact", "bucket", "keep"] = setting(
        "longest", "Size by", "longest, shortest: that side gets the length below. exact: width and height below; what stands over is cut "
        "off around the middle. bucket: the nearest training size of the settings in Trainer. keep: only the format changes.")
    side: int = setting(2048, "Length", "Of the longest or shortest side.", unit="px", ge=16, le=16384,
                        only={"mode": ("longest", "shortest")}, source="dataset-recipes: 2048, 1024 to 4096")
    width: int = setting(1024, "Width", "Of every picture.", unit="px", ge=16, le=16384, only={"mode": ("exact",)})
    height: int = setting(1024, "Height", "Of every picture.", unit="px", ge=16, le=16384, only={"mode": ("exact",)})
    enlarge: bool = setting(False, "Enlarge too", "Off: a picture that is smaller stays as it is; an upscaler does better.",
                            only={"mode": ("longest", "shortest", "exact", "bucket")})
    saving: SaveSettings = setting(SaveSettings(), "Saving", "Format and quality.")

    def told(self) -> dict[str, Any]:
        """What is written into each version: everything that decides how it looks."""
        return self.model_dump(mode="json", exclude={"images"})


@dataclass(frozen=True)
class Resized:
    """One version that was made."""

    name: str
    """File name in `variants/`."""
    before: Size
    after: Size
    note: str = ""


@dataclass
class ResizeReport:
    """What came of it."""

    made: list[Resized] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    """Ids of pictures whose version was there already."""
    unneeded: list[str] = field(default_factory=list)
    """Ids of pictures that are so already, without any version."""
    skipped: list[Skipped] = field(default_factory=list)

    def sentence(self) -> str:
        """The result in one line."""
        words = [f"{counted(len(self.made), 'version')} made"]
        words += [f"{len(self.there)} there already"] if self.there else []
        words += [f"{counted(len(self.unneeded), 'picture')} needed none"] if self.unneeded else []
        words += [f"{len(self.skipped)} left out (the list says why)"] if self.skipped else []
        return ", ".join(words) + "."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"summary": self.sentence(), "made": [vars(one) for one in self.made], "there": self.there, "unneeded": self.unneeded,
                "skipped": [vars(one) for one in self.skipped]}


@dataclass(frozen=True)
class _Task:
    """One picture and the file that its version is made of."""

    item: ImageItem
    source: Path
    sha256: str
    kind: Kind
    present: Variant | None
    """The version of that kind that is there."""


@dataclass(frozen=True)
class _Work:
    """What a thread made of it; no file: there is nothing to do."""

    before: Size
    after: Size
    file: Encoded | None


def resize_images(project: Project, settings: ResizeSettings, progress: Progress = SILENT) -> ResizeReport:
    """Make a version of every picture; the best one that is there is taken, and a better one than "resized" is replaced by itself resized.

    A version that these settings made of the same file is left as it is, so that a second run does nothing.

    Raises: ConfigError: the training sizes do not fit together. DatasetError: the project cannot be read. DiskError. Cancelled: what was
        made stays.
    """
    report = ResizeReport()
    with waited_for(project.hidden / LOCK, progress):
        items = list_items(project)
        wanted = set(settings.images)
        chosen = [item for item in items if not wanted or item.id in wanted]
        report.skipped += [Skipped(name, "No picture of that name is in the project.") for name in settings.images
                           if name not in {item.id for item in items}]
        variants = list_variants(project, {item.id for item in items})
        fitter = _fitter(project) if settings.mode == "bucket" else None
        tasks = [task for item in chosen if (task := _task(project, item, variants.get(item.id, []), settings, report)) is not None]
        progress.start("Resizing", len(tasks))
        for task, work in bounded_map(partial(_make, settings=settings, fitter=fitter), tasks):
            _take(project, task, work, settings, report)
            progress.advance(task.item.id)
    return report


def new_size(size: Size, settings: ResizeSettings, fitter: Fitter | None = None) -> tuple[Size, Size]:
    """The size to which a picture is brought, and what is cut out of its middle then (the same, where nothing is).

    Args: size: width and height, px. fitter: of the training sizes, for `bucket`.
    Raises: ConfigError: it fits no training size.
    """
    width, height = size
    if settings.mode == "keep":
        return size, size
    if settings.mode in ("longest", "shortest"):
        present = max(size) if settings.mode == "longest" else min(size)
        scale = settings.side / present
        scaled = (max(1, round(width * scale)), max(1, round(height * scale)))
        return (size, size) if scale > 1 and not settings.enlarge else (scaled, scaled)
    target = (settings.width, settings.height) if settings.mode == "exact" or fitter is None else fitter.fit(size).bucket
    scale = max(target[0] / width, target[1] / height)
    if scale > 1 and not settings.enlarge:
        return size, size
    return (max(target[0], math.ceil(width * scale - 1e-6)), max(target[1], math.ceil(height * scale - 1e-6))), target


def resized(image: Picture, scaled: Size, cut: Size) -> Picture:
    """A picture at another size: by Lanczos, with premultiplied alpha, then its middle cut out."""
    from PIL import Image

    picture = image if image.size == scaled else image.resize(scaled, Image.Resampling.LANCZOS)
    if cut == scaled:
        return picture
    left, top = (scaled[0] - cut[0]) // 2, (scaled[1] - cut[1]) // 2
    return picture.crop((left, top, left + cut[0], top + cut[1]))


def _fitter(project: Project) -> Fitter:
    return Fitter(bucket_rule(project.info().family, kept_settings(project, "data")))


def _task(project: Project, item: ImageItem, variants: Sequence[Variant], settings: ResizeSettings, report: ResizeReport) -> _Task | None:
    """What is to be done with one picture; None: nothing, and the report says so."""
    present = {variant.kind: variant for variant in variants if not variant.label}
    best = best_of(variants)
    if best is None or best.kind == "resized":
        task = _Task(item, item.path, item.sha256, "resized", present.get("resized"))
    else:
        source = project.variants / best.name
        task = _Task(item, source, sha256(source), best.kind, best)
    if task.present is not None and _is_made(project.variants / task.present.name, task, settings):
        report.there.append(item.id)
        return None
    return task


def _is_made(path: Path, task: _Task, settings: ResizeSettings) -> bool:
    """Whether the version is what these settings make of that file."""
    made = read_made(path)
    of_it = made is not None and (made.of == task.sha256 or path == task.source)
    return made is not None and of_it and made.tool == TOOL and dict(made.settings) == settings.told()


def _make(task: _Task, settings: ResizeSettings, fitter: Fitter | None) -> _Work:
    decoded = open_image(task.source)
    before = decoded.image.size
    scaled, cut = new_size(before, settings, fitter)
    same_format = settings.saving.format in ("same", decoded.facts.format.lower())
    if scaled == before and cut == before and same_format:
        return _Work(before, before, None)
    made = Made(TOOL, task.sha256, settings.told())
    exif = exif_of(task.source) if settings.saving.metadata else None
    return _Work(before, cut, encode(resized(decoded.image, scaled, cut), settings.saving, decoded.facts.format, made.text(), exif))


def _take(project: Project, task: _Task, work: _Work | StudioError, settings: ResizeSettings, report: ResizeReport) -> None:
    """Write it, and say what came of it."""
    if isinstance(work, StudioError):
        report.skipped.append(Skipped(task.item.name, str(work)))
    elif work.file is None:
        if task.present is not None and task.source == task.item.path:
            take_back_variant(project, task.present)  # made by other settings: the picture itself is what is wanted now
        report.unneeded.append(task.item.id)
    else:
        path = save_variant(project, task.item.id, task.kind, work.file.data, work.file.suffix)
        report.made.append(Resized(path.name, work.before, work.after, work.file.note))

