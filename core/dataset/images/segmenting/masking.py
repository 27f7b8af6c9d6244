"""Masks in bulk: a segmenter looks at every picture; what somebody drew by hand is left alone unless he says otherwise."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import DatasetError
from core.base.progress import SILENT, Progress
from core.base.settings import field_extra
from core.dataset.images.framing_of import fitting_mask
from core.dataset.images.masks import combine
from core.dataset.images.opening import Decoded
from core.dataset.images.saving import SaveSettings
from core.dataset.images.segmenting import SEGMENTERS
from core.dataset.images.segmenting.segmenter import Segmenter
from core.dataset.images.segmenting.settings import LABELS, MaskSettings, Use
from core.dataset.images.segmenting.shaping import shaped
from core.dataset.images.sourcing import Unit, Work, content_of
from core.dataset.images.tool import NothingFound, Output, Tool
from core.dataset.images.variants import REPLACED, Step, read_made, replaced_one
from core.dataset.images.version_report import VersionReport
from core.dataset.images.working import work_on
from core.dataset.project import Project

if TYPE_CHECKING:
    from core.dataset.images.masks import Mask

MASK = "mask"
BY_HAND = "mask-by-hand"
"""The tools' names, as they stand in the masks."""
NOTHING = "Nothing was found"
EVERYTHING = "the whole picture counts: nothing was told apart"


def label_of(unit: Unit, use: Use) -> str:
    """Under which a mask is written: "", "repaint", "face_focus", "face_focus_repaint"."""
    return "_".join(word for word in (unit.label, LABELS[use]) if word)


class Masker(Tool[tuple[Decoded, Any], Any]):
    """The tool. Raises: ConfigError: settings that do not fit together; MissingDependency."""

    name, verb, kind = MASK, "Masking", "mask"
    saving = SaveSettings(format="png")

    def __init__(self, settings: MaskSettings) -> None:
        self.settings = settings
        self.segmenter: Segmenter = SEGMENTERS.load(settings.segmenter)(SEGMENTERS.entry(settings.segmenter), settings)

    def label(self, unit: Unit) -> str:
        """By what the mask is for."""
        return label_of(unit, self.settings.use)

    def told(self, work: Work) -> dict[str, Any]:
        """The settings that count for this segmenter, what it says of itself, and the mask that it is combined with."""
        values = self.settings.model_dump(mode="json", exclude={"images", "parts", "device"})
        for name, field in MaskSettings.fields().items():
            if self.settings.segmenter not in field_extra(field, "only", {}).get("segmenter", [self.settings.segmenter]):
                values.pop(name)
        base = self._base(work)
        return values | self.segmenter.told() | ({"with": content_of(base)} if base is not None else {})

    def reads(self, work: Work) -> list[Path]:
        """The mask that it is combined with."""
        return [base] if (base := self._base(work)) is not None else []

    def keeps_replaced(self, work: Work) -> bool:
        """What was combined is combined anew with the mask from before."""
        base = self._base(work)
        return super().keeps_replaced(work) or (base is not None and base.parent.name == REPLACED)

    def ready(self, progress: Progress) -> AbstractContextManager[Any]:
        """The segmenter's model is open."""
        return self.segmenter.ready(progress)

    def prepare(self, work: Work, decoded: Decoded) -> tuple[Decoded, Any] | None:
        """Raises: DatasetError: its mask was made by somebody else and stays."""
        there = self._there(work)
        step = _last_step(there) if there is not None else None
        if there is not None and self.settings.existing == "keep" and (step is None or "with" in step.settings):
            raise DatasetError(f"{there.name} was drawn by hand, brought along or put together, and stays.",
                               "To make it anew, set 'A mask that is there' to replace.")
        return decoded, self.segmenter.prepare(decoded.image)

    def infer(self, prepared: tuple[Decoded, Any], progress: Progress) -> Any:
        """What the model answers."""
        return self.segmenter.infer(prepared[1], progress)

    def finish(self, work: Work, prepared: tuple[Decoded, Any], result: Any) -> list[Output]:
        """One mask of the picture's size. Raises: NothingFound; DatasetError: the mask that is there does not fit."""
        from PIL import Image

        picture = prepared[0].image
        mask = shaped(self.segmenter.finish(picture, result), self.settings.shape)
        base = self._base(work)
        note = EVERYTHING if mask.all() and mask.min() == 255 else "" if mask.any() else NOTHING
        if base is not None:
            if not mask.any() and base.parent.name != REPLACED:
                raise DatasetError(f"{NOTHING}; its mask stays as it is.")
            mask = self._combined(fitting_mask(base, work.source, work.unit.item, picture.size), mask)
        if not mask.any() and not (self.settings.write_empty and base is None):
            raise NothingFound(f"{NOTHING}." if base is None else "Nothing is left of its mask.")
        return [Output(Image.fromarray(mask), note=note)]

    def _combined(self, base: Mask, mask: Mask) -> Mask:
        how = self.settings.existing
        if how == "add" or how == "subtract" or how == "intersect":
            return combine(base, mask, how)
        return mask

    def _there(self, work: Work) -> Path | None:
        """The mask that is there."""
        return work.unit.beside("mask", self.label(work.unit))

    def _base(self, work: Work) -> Path | None:
        """The mask that the new one is combined with: the one that is there, or that it was combined with before."""
        there = self._there(work)
        if there is None or self.settings.existing not in ("add", "subtract", "intersect"):
            return None
        step = _last_step(there)
        if step is None or "with" not in step.settings:
            return there
        before = replaced_one(there)
        return before if before is not None and content_of(before) == step.settings["with"] else there


def make_masker(project: Project, settings: MaskSettings) -> Masker:
    """The tool for one project. Raises: ConfigError: settings that do not fit together; MissingDependency."""
    return Masker(settings)


def mask_images(project: Project, settings: MaskSettings, progress: Progress = SILENT) -> VersionReport:
    """Make a mask of every picture.

    Raises: ConfigError: settings that do not fit together. ModelError: the model cannot be had, or is no segmenter. DatasetError: the
        project cannot be read. DiskError. Cancelled: what was made stays.
    """
    return work_on(project, Masker(settings), settings.images, progress, settings.parts)


def _last_step(mask: Path) -> Step | None:
    """The step that this tool made it by; None: somebody else made it."""
    made = read_made(mask)
    return made.steps[-1] if made is not None and made.steps and made.steps[-1].tool == MASK else None
