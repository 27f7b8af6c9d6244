"""Cutting by hand: a box that a person drew, its proportions held if he wants, kept as a part of the picture or in the picture's place.

A part is the usual choice: the picture stays whole, and the crop is one more picture to learn from. *The whole picture* is for what should
not be there at all (a border, a second panel): the crop then stands for the picture from now on, as its resized version.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from core.base.errors import DatasetError
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.images.opening import Decoded
from core.dataset.images.saving import ExactSettings
from core.dataset.images.sourcing import Unit, Work
from core.dataset.images.tool import Output, Tool
from core.dataset.images.variants import BESIDE, Kind, Step, file_name
from core.dataset.images.version_report import VersionReport
from core.dataset.images.working import work_on
from core.dataset.project import Project
from core.dataset.training_file import trainer_rule

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

BY_HAND = "crop-by-hand"
"""The tool's name, as it stands in what was cut: a smart crop never takes that away."""
USUAL = ((1, 1), (2, 3), (3, 2), (3, 4), (4, 3), (9, 16), (16, 9))
LEAST = 16
"""Pixels of a side, below which a box is a slip of the hand."""


@dataclass(frozen=True)
class Ratio:
    """Proportions that a box can be held to."""

    title: str
    """"free", "2:3", "832 x 1216"."""
    width: int
    """0: free."""
    height: int
    is_bucket: bool = False
    """Whether it is a training size."""


class HandCropSettings(Settings):
    """What is cut out, and what it becomes."""

    title = "Crop by hand"

    image: str = setting("", "Image", "Its id (the name without the ending).")
    box: tuple[int, int, int, int] = setting((0, 0, 0, 0), "Box", "Left, top, right, bottom in pixels of the version that is shown.",
                                             unit="px")
    of: str = setting("", "Drawn on", "File name of the version that the box was drawn on; empty: the best one that is there.",
                      level="expert")
    becomes: Literal["part", "picture"] = setting("part", "Becomes", "part: one more picture; the whole one stays. picture: it stands for "
                                                  "the picture from now on, as its resized version; taking that back undoes it.")
    label: str = setting("", "Name of the part", "Small letters, digits and _; empty: crop, then crop-2 …", only={"becomes": ("part",)})
    saving: ExactSettings = setting(ExactSettings(), "Saving", "Format and quality.")


class HandCropper(Tool["Picture", "Picture"]):
    """The tool: a part of a picture."""

    name, verb = BY_HAND, "Cutting"
    kind: ClassVar[Kind] = "part"

    def __init__(self, settings: HandCropSettings) -> None:
        self.settings, self.saving = settings, settings.saving

    def told(self, work: Work) -> dict[str, Any]:
        """The box, the part's name where one was given, and how it is saved."""
        return self.settings.model_dump(mode="json", exclude={"image", "of"})

    def anew(self, unit: Unit, step: Step) -> bool:
        """A box was drawn on what is shown: what was cut before is cut further, and another part stays."""
        return False

    def prepare(self, work: Work, decoded: Decoded) -> Picture:
        """Raises: DatasetError: the box does not lie in the picture, or is a slip of the hand."""
        if self.settings.of not in ("", work.source.name):
            raise DatasetError(f"The box was drawn on {self.settings.of}, but {work.source.name} stands for the picture now.",
                               "Draw it anew on the picture as it is now.")
        left, top, right, bottom = self.settings.box
        width, height = decoded.image.size
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise DatasetError(f"The box {left}, {top}, {right}, {bottom} does not lie in {work.source.name}, which has {width} x {height} "
                               "pixels.", "Draw it anew on the picture as it is now.")
        if min(right - left, bottom - top) < min(LEAST, width, height):
            raise DatasetError(f"The box has {right - left} x {bottom - top} pixels.", f"Draw one of at least {LEAST} x {LEAST}.")
        return decoded.image.crop(self.settings.box)

    def finish(self, work: Work, prepared: Picture, result: Picture) -> list[Output]:
        """What was cut out, under a name that is free where none was given."""
        taken = {one.label for one in work.unit.variants if one.kind == "part"}
        return [Output(prepared, self.settings.label or _free_label(taken))]


class Trimmer(HandCropper):
    """The tool: what is cut out takes the picture's place."""

    kind = "resized"

    def prepare(self, work: Work, decoded: Decoded) -> Picture:
        """Raises: DatasetError: as for a part; a mask would not fit any more."""
        if beside := _beside(work.unit):
            raise DatasetError(f"{beside} would not fit the picture any more.", "Take it away first, or cut out a part.")
        return super().prepare(work, decoded)

    def finish(self, work: Work, prepared: Picture, result: Picture) -> list[Output]:
        """What was cut out."""
        return [Output(prepared)]


def make_hand_cropper(project: Project, settings: HandCropSettings) -> HandCropper:
    """The tool. Raises: DatasetError: no part can be called so."""
    if settings.becomes == "picture":
        return Trimmer(settings)
    if settings.label:
        file_name(settings.image, "part", ".png", settings.label)
    return HandCropper(settings)


def crop_by_hand(project: Project, settings: HandCropSettings, progress: Progress = SILENT) -> VersionReport:
    """Cut one box out of one picture. Raises: DatasetError: no such picture, or no such box; DiskError; Cancelled."""
    if not settings.image:
        raise DatasetError("No picture is named.", "Give its id: its name without the ending.")
    report = work_on(project, make_hand_cropper(project, settings), [settings.image], progress)
    if report.skipped:
        raise DatasetError(report.skipped[0].reason)
    return report


def ratios_for(project: Project) -> list[Ratio]:
    """Free, the usual ones, and the sizes that the project's training has. Raises: ConfigError: its settings do not fit together."""
    usual = [Ratio(f"{width}:{height}", width, height) for width, height in USUAL]
    sizes = trainer_rule(project).sizes()
    return [Ratio("free", 0, 0), *usual, *(Ratio(f"{width} x {height}", width, height, True) for width, height in sizes)]


def _free_label(taken: Collection[str]) -> str:
    """"crop", then "crop-2" …"""
    return next(label for label in ("crop", *(f"crop-{number}" for number in range(2, len(taken) + 3))) if label not in taken)


def _beside(unit: Unit) -> str:
    """Name of a mask or the like of the whole picture; empty: there is none."""
    parts = {one.label for one in unit.variants if one.kind == "part"}
    return next((one.name for one in unit.variants if one.kind in BESIDE and one.label not in parts and not unit.label), "")
