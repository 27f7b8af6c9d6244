"""Resizing and converting: a version of each picture at another size or in another format; the picture itself stays as it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from core.base.buckets import BucketRule, Fitter, Size
from core.base.errors import DatasetError
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.images.opening import Decoded
from core.dataset.images.saving import SaveSettings
from core.dataset.images.sourcing import Work
from core.dataset.images.tool import NotNeeded, Output, Tool
from core.dataset.images.version_report import VersionReport
from core.dataset.images.working import work_on
from core.dataset.project import Project
from core.dataset.training_file import trainer_rule

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


class ResizeSettings(Settings):
    """To which size, and in which format."""

    title = "Resize and convert"

    images: tuple[str, ...] = setting((), "Only these", "Ids of images (names without the ending); none given: all.", level="expert")
    mode: Literal["longest", "shortest", "exact", "bucket", "keep"] = setting(
        "longest", "Size by", "longest, shortest: that side gets the length below. exact: width and height below; what stands over is cut "
        "off around the middle. bucket: the nearest training size of the settings in Trainer. keep: only format or quality change.")
    side: int = setting(2048, "Length", "Of the longest or shortest side.", unit="px", ge=16, le=16384,
                        only={"mode": ("longest", "shortest")}, source="dataset-recipes: 2048, 1024 to 4096")
    width: int = setting(1024, "Width", "Of every picture.", unit="px", ge=16, le=16384, only={"mode": ("exact",)})
    height: int = setting(1024, "Height", "Of every picture.", unit="px", ge=16, le=16384, only={"mode": ("exact",)})
    enlarge: bool = setting(False, "Enlarge too", "Off: a picture that is smaller stays as it is; an upscaler does better.",
                            only={"mode": ("longest", "shortest", "exact", "bucket")})
    saving: SaveSettings = setting(SaveSettings(), "Saving", "Format and quality.")


class Resizer(Tool["Picture", "Picture"]):
    """The tool. Args: rule: by which pictures find their training size, for the mode `bucket`. Raises: ConfigError: it is no rule."""

    name, verb, kind = "resize", "Resizing", "resized"

    def __init__(self, settings: ResizeSettings, rule: BucketRule | None = None) -> None:
        self.settings, self.saving = settings, settings.saving
        self._fitter = Fitter(rule) if rule is not None else None

    def told(self, work: Work) -> dict[str, Any]:
        """The settings, and the training sizes where they decide."""
        told = self.settings.model_dump(mode="json", exclude={"images"})
        return {**told, "sizes": [list(size) for size in self._fitter.sizes]} if self._fitter is not None else told

    def prepare(self, work: Work, decoded: Decoded) -> Picture:
        """Raises: NotNeeded: it stays as it is; DatasetError: too small for a fixed size. ConfigError: there is no training size for it."""
        before = decoded.image.size
        scaled, cut = new_size(before, self.settings, self._fitter)
        if self.settings.mode in ("exact", "bucket") and fixed_size(before, self.settings, self._fitter) != cut:
            raise DatasetError(f"It has {before[0]} x {before[1]} pixels, which is too small.", "Upscale it, or switch 'Enlarge too' on.")
        if scaled == before and cut == before:
            self._refuse_unneeded(decoded.facts.format, before)
        return resized(decoded.image, scaled, cut)

    def finish(self, work: Work, prepared: Picture, result: Picture) -> list[Output]:
        """The picture at its new size."""
        return [Output(prepared)]


    def _refuse_unneeded(self, source_format: str, size: Size) -> None:
        """Raises: NotNeeded: its size stays, and nothing else is to be changed."""
        if self.settings.mode == "keep":
            if not self.saving.writes_anew(source_format):
                raise NotNeeded(f"It is a {source_format} already, and keeps its size: it is written anew only for another format or "
                                "quality, and so keeps its camera notes.")
        elif self.saving.kind_for(source_format) == source_format:
            raise NotNeeded(_why_it_stays(size, self.settings))


def make_resizer(project: Project, settings: ResizeSettings) -> Resizer:
    """The tool for one project. Raises: ConfigError: the training sizes do not fit together."""
    return Resizer(settings, trainer_rule(project) if settings.mode == "bucket" else None)


def resize_images(project: Project, settings: ResizeSettings, progress: Progress = SILENT) -> VersionReport:
    """Make a version of every picture at another size or in another format.

    Raises: ConfigError: the training sizes do not fit together. DatasetError: the project cannot be read. DiskError. Cancelled: what was
        made stays.
    """
    return work_on(project, make_resizer(project, settings), settings.images, progress)


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


def _why_it_stays(size: Size, settings: ResizeSettings) -> str:
    if settings.mode not in ("longest", "shortest"):
        return "It has that size already."
    present = max(size) if settings.mode == "longest" else min(size)
    if present == settings.side:
        return f"Its {settings.mode} side has {settings.side} px already."
    return f"Its {settings.mode} side has less than {settings.side} px, and 'Enlarge too' is off."


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
