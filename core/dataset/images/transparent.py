"""Pictures without their background: transparent by the mask, or before a colour or a blur; the subject's edge freed of the background."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.base.errors import DatasetError
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.images.framing_of import fitting_mask
from core.dataset.images.masks import harden, transparency, with_alpha
from core.dataset.images.opening import Decoded, over_white
from core.dataset.images.saving import SaveSettings
from core.dataset.images.sourcing import Work, content_of
from core.dataset.images.subject_colours import subject_colours
from core.dataset.images.tool import NothingFound, Output, Tool
from core.dataset.images.version_report import VersionReport
from core.dataset.images.working import work_on
from core.dataset.project import Project

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from core.dataset.images.masks import Mask

FORMATS: dict[str, SaveSettings] = {"png": SaveSettings(format="png"), "webp": SaveSettings(format="webp", lossless=True)}


class TransparentSettings(Settings):
    """What goes, what comes in its place, and how the file is written."""

    title = "Transparent background"

    images: tuple[str, ...] = setting((), "Only these", "Ids of images (names without the ending); none given: all.", level="expert")
    parts: bool = setting(False, "Parts too", "Also the crops of each picture, by their own masks.", level="advanced")
    by: Literal["mask", "alpha", "either"] = setting(
        "either", "What stays", "mask: what is white in the picture's mask. alpha: what is not transparent already. either: by the mask, "
        "and where there is none by the transparency.")
    edge: Literal["hard", "soft"] = setting("soft", "Edge", "hard: each pixel stays or goes. soft: as the mask has it.")
    threshold: int = setting(128, "Threshold", "From which value of the mask on a pixel stays.", level="advanced", ge=1, le=255,
                             only={"edge": ("hard",)})
    clean: bool = setting(True, "Free the edge of the background", "Takes the old background's colour out of soft edges, so that no bright "
                          "or dark rim stays around hair.", only={"edge": ("soft",)})
    background: Literal["transparent", "colour", "blur"] = setting("transparent", "Background", "colour, blur: the picture is then not "
                                                                   "transparent.")
    colour: str = setting("#ffffff", "Colour", "As #rrggbb.", pattern=r"#[0-9a-fA-F]{6}", only={"background": ("colour",)})
    blur: float = setting(3.0, "Blur", "Of the picture's longer side.", unit="%", gt=0, le=50, only={"background": ("blur",)})
    crop: bool = setting(False, "Crop to what is seen", "Cuts off what is wholly transparent around the subject.")
    margin: float = setting(2.0, "Margin", "Left around the subject, of the picture's longer side.", unit="%", ge=0, le=100,
                            only={"crop": (True,)})
    format: Literal["png", "webp"] = setting("png", "Format", "Neither loses anything; WebP is smaller.")


class Remover(Tool[tuple["Picture", "Mask"], tuple["Picture", "Mask"]]):
    """The tool."""

    name, verb, kind = "transparent", "Taking the background away", "transparent"

    def __init__(self, settings: TransparentSettings) -> None:
        self.settings, self.saving = settings, FORMATS[settings.format]

    def told(self, work: Work) -> dict[str, Any]:
        """The settings, and the mask."""
        mask = self._mask(work)
        return {**self.settings.model_dump(mode="json", exclude={"images", "parts"}), "mask": content_of(mask) if mask is not None else ""}

    def reads(self, work: Work) -> list[Path]:
        """The mask."""
        return [mask] if (mask := self._mask(work)) is not None else []

    def prepare(self, work: Work, decoded: Decoded) -> tuple[Picture, Mask]:
        """Raises: DatasetError: nothing says what stays, or the mask does not fit."""
        image, path = decoded.image, self._mask(work)
        if path is not None:
            mask: Mask | None = fitting_mask(path, work.source, work.unit.item, image.size)
        else:
            mask = transparency(image) if self.settings.by != "mask" else None
        if mask is None:
            lacks = {"mask": "has no mask", "alpha": "is nowhere transparent", "either": "has no mask and is nowhere transparent"}
            raise DatasetError(f"It {lacks[self.settings.by]}.", "Make a mask first.")
        return image, harden(mask, self.settings.threshold) if self.settings.edge == "hard" else mask

    def finish(self, work: Work, prepared: tuple[Picture, Mask], result: tuple[Picture, Mask]) -> list[Output]:
        """One version. Raises: NothingFound: nothing of the picture stays."""
        import numpy
        from PIL import Image

        settings, (image, mask) = self.settings, prepared
        cut = with_alpha(image, mask)
        alpha = numpy.array(cut.getchannel("A"))
        if not alpha.any():
            raise NothingFound("Nothing of it stays: its mask is empty.")
        note = "all of it stays: nothing is taken away" if alpha.min() == 255 else ""
        if settings.edge == "soft" and settings.clean:
            cut = Image.fromarray(numpy.dstack([subject_colours(numpy.array(cut.convert("RGB")), alpha), alpha]))
        if settings.background != "transparent":
            cut = self._before(cut, image)
        box = seen_box(alpha, settings.margin * max(image.size) / 100) if settings.crop else (0, 0, *image.size)
        return [Output(cut if box == (0, 0, *image.size) else cut.crop(box), note=note)]

    def _before(self, cut: Picture, image: Picture) -> Picture:
        """The subject before a colour, or before the picture blurred."""
        from PIL import Image, ImageFilter

        if self.settings.background == "colour":
            ground = Image.new("RGB", cut.size, self.settings.colour)
        else:
            ground = over_white(image).filter(ImageFilter.GaussianBlur(self.settings.blur * max(image.size) / 100))
        ground.paste(cut.convert("RGB"), mask=cut.getchannel("A"))
        return ground

    def _mask(self, work: Work) -> Path | None:
        return work.unit.beside("mask") if self.settings.by != "alpha" else None


def make_remover(project: Project, settings: TransparentSettings) -> Remover:
    """The tool for one project."""
    return Remover(settings)


def make_transparent(project: Project, settings: TransparentSettings, progress: Progress = SILENT) -> VersionReport:
    """Make a version of every picture without its background.

    Raises: DatasetError: the project cannot be read. DiskError. Cancelled: what was made stays.
    """
    return work_on(project, Remover(settings), settings.images, progress, settings.parts)


def seen_box(alpha: Mask, margin: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom around all that is seen, with so many pixels around it, within the picture. It must not be empty."""
    import numpy

    rows, columns = numpy.flatnonzero(alpha.any(axis=1)), numpy.flatnonzero(alpha.any(axis=0))
    more = round(margin)
    return (max(0, int(columns[0]) - more), max(0, int(rows[0]) - more),
            min(alpha.shape[1], int(columns[-1]) + 1 + more), min(alpha.shape[0], int(rows[-1]) + 1 + more))
