"""Resizing and converting: a version of each picture at another size or in another format; the picture itself stays as it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.base.buckets import Fitter, Size
from core.base.errors import DatasetError, StudioError
from core.base.files import sha256
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted
from core.dataset.images.opening import open_image, read_exif
from core.dataset.images.saving import Encoded, SaveSettings, encode
from core.dataset.images.variants import Kind, Made, Variant, best_of, list_variants, put_aside_variant, read_made, save_variant
from core.dataset.items import ImageItem, Skipped, list_items
from core.dataset.parallel import bounded_map
from core.dataset.project import Project
from core.dataset.training_file import trainer_rule

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
    """One picture, and the version that is made of it."""

    item: ImageItem
    kind: Kind
    present: Variant | None
    """The version of that kind that is there; a better one than "resized" is itself what is resized."""
    folder: Path
    """Of the versions."""

    @property
    def there(self) -> Path | None:
        """The version's file, where it is there."""
        return self.folder / self.present.name if self.present is not None else None

    @property
    def source(self) -> Path:
        """The file that is resized."""
        return self.item.path if self.kind == "resized" or self.there is None else self.there


@dataclass(frozen=True)
class _Work:
    """What a thread made of it; no file and no sizes: the version is there already; no file: none is needed."""

    before: Size | None = None
    after: Size | None = None
    file: Encoded | None = None


def resize_images(project: Project, settings: ResizeSettings, progress: Progress = SILENT) -> ResizeReport:
    """Make a version of every picture; the best one that is there is taken, and a better one than "resized" is replaced by itself resized.

    A version that these settings made of the same file is left as it is, so that a second run does nothing.

    Raises: ConfigError: the training sizes do not fit together. DatasetError: the project cannot be read. DiskError. Cancelled: what was
        made stays.
    """
    report = ResizeReport()
    with waited_for(project.hidden / LOCK, progress):
        items = {item.id: item for item in list_items(project)}
        report.skipped += [Skipped(name, "No picture of that name is in the project.") for name in settings.images if name not in items]
        variants = list_variants(project, items.keys())
        fitter = Fitter(trainer_rule(project)) if settings.mode == "bucket" else None
        chosen = [items[name] for name in dict.fromkeys(settings.images or items) if name in items]
        tasks = [_task(project, item, variants.get(item.id, ())) for item in chosen]
        progress.start("Resizing", len(tasks))
        for task, work in bounded_map(partial(_make, settings=settings, fitter=fitter), tasks):
            _take(project, task, work, report)
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
    target = fixed_size(size, settings, fitter)
    scale = max(target[0] / width, target[1] / height)
    if scale > 1 and not settings.enlarge:
        return size, size
    return (max(target[0], math.ceil(width * scale - 1e-6)), max(target[1], math.ceil(height * scale - 1e-6))), target


def fixed_size(size: Size, settings: ResizeSettings, fitter: Fitter | None) -> Size:
    """The size that a picture gets in the modes `exact` and `bucket`. Raises: ConfigError: it fits no training size."""
    return (settings.width, settings.height) if fitter is None else fitter.fit(size).bucket


def resized(image: Picture, scaled: Size, cut: Size) -> Picture:
    """A picture at another size: by Lanczos, with premultiplied alpha, then its middle cut out."""
    from PIL import Image

    picture = image if image.size == scaled else image.resize(scaled, Image.Resampling.LANCZOS)
    if cut == scaled:
        return picture
    left, top = (scaled[0] - cut[0]) // 2, (scaled[1] - cut[1]) // 2
    return picture.crop((left, top, left + cut[0], top + cut[1]))


def _task(project: Project, item: ImageItem, variants: Sequence[Variant]) -> _Task:
    best = best_of(variants)
    kind = best.kind if best is not None else "resized"
    return _Task(item, kind, best, project.variants)


def _make(task: _Task, settings: ResizeSettings, fitter: Fitter | None) -> _Work:
    """Raises: DatasetError, ConfigError: the picture cannot be read, or there is no size for it."""
    told = {**settings.told(), **({"rule": list(map(list, fitter.sizes))} if fitter is not None else {})}
    of = task.item.sha256 if task.kind == "resized" else sha256(task.source)
    made = read_made(task.there) if task.there is not None else None
    if made is not None and made.tool == TOOL and made.settings == told and (made.of == of or task.kind != "resized"):
        return _Work()
    decoded = open_image(task.source)
    before = decoded.image.size
    scaled, cut = new_size(before, settings, fitter)
    if settings.mode in ("exact", "bucket") and fixed_size(before, settings, fitter) != cut:
        raise DatasetError(f"It has {before[0]} x {before[1]} pixels, which is too small.", "Upscale it, or switch 'Enlarge too' on.")
    if scaled == before and cut == before and settings.saving.format in ("same", decoded.facts.format.lower()):
        return _Work(before, before)
    exif = read_exif(task.source) if settings.saving.metadata else None
    text = Made(TOOL, of, told).text()
    return _Work(before, cut, encode(resized(decoded.image, scaled, cut), settings.saving, decoded.facts.format, text, exif))


def _take(project: Project, task: _Task, work: _Work | StudioError, report: ResizeReport) -> None:
    """Write it, and say what came of it."""
    if isinstance(work, StudioError):
        report.skipped.append(Skipped(task.item.name, str(work)))
    elif work.before is None or work.after is None:
        report.there.append(task.item.id)
    elif work.file is None:
        if task.present is not None and task.kind == "resized":
            put_aside_variant(project, task.present)  # made by other settings: the picture itself is what is wanted now
        report.unneeded.append(task.item.id)
    else:
        path = save_variant(project, task.item.id, task.kind, work.file.data, work.file.suffix)
        report.made.append(Resized(path.name, work.before, work.after, work.file.note))
