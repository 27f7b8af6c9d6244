"""What a dataset is, before it is trained: how many pictures, how large, into which buckets they fall, what is cut off or enlarged."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from core.base.buckets import BucketRule, Fit, Fitter, Size, fitting_repeats
from core.base.errors import ConfigError
from core.base.findings import Finding
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted
from core.dataset.curation.coverage import ANGLES, FRAMINGS, Coverage, cover
from core.dataset.images.files import count_images
from core.dataset.items import ImageItem, Skipped, list_items
from core.dataset.project import Project
from core.dataset.training_file import bucket_rule, kept_settings

MUCH_CROPPED = 0.1
"""Share of the area above which it is named that a picture is cut."""
MUCH_ENLARGED = 1.05
"""Factor above which it is named that a picture is enlarged."""
FEW_IN_BUCKET = 2
SIDES = (256, 512, 768, 1024, 1536, 2048)
"""Pixels at which the ranges of the shortest side begin; a picture of less stands before the first."""
NOTHING: Mapping[str, Any] = MappingProxyType({})
PROPORTIONS = ((1, 2), (9, 16), (2, 3), (3, 4), (1, 1), (4, 3), (3, 2), (16, 9), (2, 1))
"""Of the histogram; a picture counts for the nearest one (by factor)."""


class OverviewSettings(Settings):
    """How the pictures will be trained; the names are the trainer's own."""

    title = "Training sizes"

    resolution: int = setting(0, "Resolution", "Side of the training pictures. 0: as in Trainer, else usual for the family.", unit="px",
                              ge=0, le=8192, source="training-reference: SD 1.5 512, SDXL 1024")
    enable_bucket: bool = setting(True, "Keep proportions", "Sort pictures into buckets of like proportions; off: all are cropped to one.")
    bucket_no_upscale: bool = setting(False, "Never enlarge", "Small pictures get buckets of their own size.")
    min_bucket_reso: int = setting(256, "Shortest side", "No bucket is narrower.", level="advanced", unit="px", ge=8)
    max_bucket_reso: int = setting(0, "Longest side", "No bucket is longer. 0: as in Trainer, else as usual.", level="advanced",
                                   unit="px", ge=0, source="training-reference: SD 1.5 256-1024, SDXL 256-4096")
    bucket_reso_steps: int = setting(64, "Bucket step", "Sides of buckets are multiples of this.", level="expert", unit="px", ge=8)
    angles: dict[str, str] = setting(ANGLES, "Angles", "What captions call them: name = tags with semicolons between.", level="advanced")
    framings: dict[str, str] = setting(FRAMINGS, "Framings", "What the captions call them.", level="advanced")
    outfits: dict[str, str] = setting({}, "Outfits", "Empty: the commonest clothes in the captions.", level="advanced")

    def rule(self, family: str, kept: Mapping[str, Any] = NOTHING) -> BucketRule:
        """The trainer's bucket rule.

        Args: kept: the section `data` of the settings that Trainer keeps; it fills what is left open here.
        Raises: ConfigError: the resolution lies outside the limits.
        """
        own = BucketRule((self.resolution, self.resolution), self.enable_bucket, self.min_bucket_reso, self.max_bucket_reso,
                         self.bucket_reso_steps, self.bucket_no_upscale)
        return bucket_rule(family, kept, own)


@dataclass(frozen=True)
class Fate:
    """What training makes of one picture."""

    name: str
    size: Size
    fit: Fit


@dataclass
class Overview:
    """The dataset in numbers."""

    images: int = 0
    captioned: int = 0
    rejected: int = 0
    unreadable: list[Skipped] = field(default_factory=list)
    rule: BucketRule = field(default_factory=lambda: BucketRule((512, 512)))
    fates: list[Fate] = field(default_factory=list)
    coverage: Coverage = field(default_factory=lambda: cover(()))

    def buckets(self) -> list[tuple[Size, int]]:
        """Training sizes with how many pictures fall into each, the fullest first."""
        return Counter(fate.fit.bucket for fate in self.fates).most_common()

    def cropped(self) -> list[Fate]:
        """Pictures of which much is cut off, most first."""
        return sorted((fate for fate in self.fates if fate.fit.cropped > MUCH_CROPPED), key=lambda fate: -fate.fit.cropped)

    def enlarged(self) -> list[Fate]:
        """Pictures that are much enlarged, most first."""
        return sorted((fate for fate in self.fates if fate.fit.scale > MUCH_ENLARGED), key=lambda fate: -fate.fit.scale)

    def proportions(self) -> list[tuple[str, int]]:
        """How many pictures come nearest to each of the usual proportions."""
        counts = Counter(_nearest(fate.size) for fate in self.fates)
        return [(f"{width}:{height}", counts[width, height]) for width, height in PROPORTIONS]

    @property
    def repeats(self) -> int:
        """How often each picture should be seen in an epoch."""
        return fitting_repeats(len(self.fates))

    def sides(self) -> tuple[int, int, int]:
        """Least, middle and greatest shortest side, pixels; zeros without pictures."""
        sides = [min(fate.size) for fate in self.fates]
        return (min(sides), int(statistics.median(sides)), max(sides)) if sides else (0, 0, 0)

    def ranges(self) -> list[tuple[str, int]]:
        """How many pictures have a shortest side in each range; ranges without any are left out."""
        counts = Counter(bisect_right(SIDES, min(fate.size)) for fate in self.fates)
        words = [f"below {SIDES[0]} px", *(f"{low} to {high - 1} px" for low, high in pairwise(SIDES)), f"{SIDES[-1]} px and more"]
        return [(words[place], counts[place]) for place in sorted(counts)]

    def findings(self) -> list[Finding]:
        """What is worth a look, errors first."""
        found = []
        if self.unreadable:
            names = ", ".join(item.name for item in self.unreadable[:5])
            words = _pictures(len(self.unreadable), "fits", "fit")
            found.append(Finding("warning", f"{words} no training size: {names}.", self.unreadable[0].reason))
        if cropped := self.cropped():
            words = f"{_pictures(len(cropped), 'loses', 'lose')} more than {MUCH_CROPPED:.0%} of the area"
            found.append(Finding("info", f"{words} (most: {cropped[0].name}, {cropped[0].fit.cropped:.0%}).",
                                 "Crop them yourself, so that what matters stays."))
        if enlarged := self.enlarged():
            words = f"{_pictures(len(enlarged), 'is', 'are')} enlarged"
            found.append(Finding("info", f"{words} (most: {enlarged[0].name}, {enlarged[0].fit.scale:.1f} times).",
                                 "Upscale or reject them, lower the resolution, or switch 'Never enlarge' on."))
        lonely = [f"{width} x {height}" for (width, height), count in self.buckets() if count < FEW_IN_BUCKET]
        if len(lonely) > 1 and len(self.fates) > 10:
            found.append(Finding("info", f"{len(lonely)} buckets hold a single picture ({', '.join(lonely[:5])}).",
                                 "Its batches are never full; crop those pictures to the proportions of the others."))
        return [*found, *self.coverage.findings()]

    def sentence(self) -> str:
        """The result in one line."""
        if not self.images:
            return "the project has no pictures."
        times = "once" if self.repeats == 1 else f"{self.repeats} times"
        return (f"{counted(self.images, 'picture')}, {self.captioned} with a caption, in {counted(len(self.buckets()), 'training size')}; "
                f"seen {times} each, an epoch shows {len(self.fates) * self.repeats}.")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        least, middle, most = self.sides()
        return {"images": self.images, "captioned": self.captioned, "rejected": self.rejected, "repeats": self.repeats,
                "shortest_side": {"least": least, "median": middle, "greatest": most, "ranges": dict(self.ranges())},
                "buckets": {f"{width}x{height}": count for (width, height), count in self.buckets()},
                "proportions": dict(self.proportions()), "cropped": [fate.name for fate in self.cropped()],
                "enlarged": [fate.name for fate in self.enlarged()], "unreadable": [vars(item) for item in self.unreadable],
                "findings": [finding.as_dict() for finding in self.findings()],
                "coverage": {name: dict(counts) for name, counts in self.coverage.totals.items()}}


def look_over(project: Project, settings: OverviewSettings, progress: Progress = SILENT) -> Overview:
    """Work out what training will make of the pictures. No picture is decoded: sizes and captions come from the index.

    Raises: ConfigError: the sizes do not fit together; DatasetError: the folder cannot be read.
    """
    items = list_items(project)
    rule = settings.rule(project.info().family, kept_settings(project, "data"))
    fates, unreadable = fates_of(items, rule)
    captions = [item.caption for item in items if item.caption]
    coverage = cover(captions, settings.angles, settings.framings, settings.outfits or None)
    return Overview(len(items), len(captions), count_images(project.rejected), unreadable, rule, fates, coverage)


def fates_of(items: Sequence[ImageItem], rule: BucketRule) -> tuple[list[Fate], list[Skipped]]:
    """What training makes of each picture, and those that fit no training size. Args: rule: from `BucketRule.checked`."""
    fates, skipped, fitter = [], [], Fitter(rule)
    for item in items:
        size = (item.width, item.height)
        try:
            fates.append(Fate(item.name, size, fitter.fit(size)))
        except ConfigError as error:
            skipped.append(Skipped(item.name, str(error)))
    return fates, skipped


def _pictures(count: int, one: str, several: str) -> str:
    return f"{counted(count, 'picture')} {one if count == 1 else several}"


def _nearest(size: Size) -> Size:
    ratio = size[0] / size[1]
    return min(PROPORTIONS, key=lambda one: max(ratio * one[1] / one[0], one[0] / one[1] / ratio))
