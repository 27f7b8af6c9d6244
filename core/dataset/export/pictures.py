"""One picture of an export: what its file says, and the file that goes into the export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.buckets import Size
from core.base.errors import DatasetError
from core.base.files import file_mark
from core.dataset.export.planning import Wanted
from core.dataset.export.settings import ExportSettings
from core.dataset.export.stripping import strip
from core.dataset.images.baking import bake, is_plain
from core.dataset.images.framing_of import misfit
from core.dataset.images.mask_files import mask_png
from core.dataset.images.masks import empty_mask, read_mask, with_alpha
from core.dataset.images.opening import BROKEN, DESCRIPTION_TAG, MAX_PIXELS, inspect_image, open_image, read_exif
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.variants import is_note_of_ours
from core.dataset.items import is_unchanged

if TYPE_CHECKING:
    from PIL.Image import Exif

RECIPE = "1"
"""Another number makes every picture anew that was not copied as it is."""
GPS_TAG = 0x8825
WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")
LOSSLESS = SaveSettings(format="png")


@dataclass(frozen=True, slots=True)
class Look:
    """What a header says."""

    trouble: str = ""
    """Why it cannot be exported; empty: it can."""
    size: Size = (0, 0)
    """As shown."""
    plain: bool = True
    has_alpha: bool = False
    orientation: int = 1
    """EXIF 1–8: how the file is turned when it is shown."""
    described: bool = False
    """Whether it holds a note of Lorabook's tools."""
    has_notes: bool = False
    has_place: bool = False
    """Whether it says where it was taken."""
    mask_trouble: str = ""
    """Why the mask cannot be used; empty: it can, or there is none."""
    marks: tuple[str, ...] = ()
    """Name the files of picture and mask that were looked at."""

    @property
    def turned(self) -> bool:
        """Whether its file is stored lying."""
        return self.orientation != 1


@dataclass(frozen=True, slots=True)
class Prepared:
    """What goes into the export."""

    content: bytes | Path
    """A path: the file as it is."""
    suffix: str
    """With its dot."""
    changes: tuple[str, ...] = ()
    sha256: str = ""
    """Of the content, where it is known without reading it."""


def look_at(wanted: Wanted) -> Look:
    """Read the headers of a picture and its mask; nothing is raised."""
    marks = _marks(wanted)
    try:
        facts = inspect_image(wanted.source)
        size, exif, plain = (facts.width, facts.height), read_exif(wanted.source), is_plain(wanted.source)
    except DatasetError as error:
        return Look(str(error))
    if facts.width * facts.height > MAX_PIXELS:
        return Look(f"{wanted.source.name} has more than {MAX_PIXELS / 1e6:g} million pixels.", size)
    return Look(size=size, plain=plain, has_alpha=facts.mode in WITH_ALPHA or (facts.mode == "P" and not plain),
                orientation=facts.orientation, described=is_note_of_ours(_said(exif)), has_notes=exif is not None,
                has_place=exif is not None and GPS_TAG in exif, mask_trouble=_mask_trouble(wanted), marks=marks)


def is_as_seen(wanted: Wanted, look: Look) -> bool:
    """Whether the picture, its version and its mask are still the files that were planned and looked at: tools may work meanwhile."""
    return is_unchanged(wanted.item) and _marks(wanted) == look.marks


def picture_key(wanted: Wanted, settings: ExportSettings) -> str:
    """Names the file that comes out, as long as picture, mask and what is done with them are the same."""
    mask = _mark(wanted.mask) if wanted.mask is not None and settings.masks == "alpha" else ""
    return "|".join((RECIPE, _mark(wanted.source) if wanted.variant is not None or not wanted.item.sha256 else wanted.item.sha256,
                     mask, settings.masks if settings.masks == "alpha" else "", "bare" if settings.strip_notes else "",
                     "png" if settings.layout == "ai_toolkit" else ""))


def prepare(wanted: Wanted, look: Look, settings: ExportSettings) -> Prepared:
    """Make the file: the same bytes where nothing need change, else upright, over white, without Lorabook's notes.

    Raises: DatasetError: it cannot be read, or is damaged.
    """
    source, alpha = wanted.source, settings.masks == "alpha"
    if alpha and wanted.mask is not None and not look.mask_trouble:
        image = open_image(source).image
        made = encode(with_alpha(image, read_mask(wanted.mask, image.size)), LOSSLESS, "PNG")
        return Prepared(made.data, made.suffix, ("mask put into the transparency",))
    suffix = source.suffix.lower()
    if not look.plain:
        baked = bake(_bytes(source), "keep" if alpha else "white")
        if baked.changes:
            return Prepared(baked.data, baked.suffix, baked.changes)
        suffix = baked.suffix if suffix != ".jpeg" else suffix
    if suffix == ".bmp" and settings.layout == "ai_toolkit":  # toolkit/data_loader.py, 27a03a91: image_extensions
        made = encode(open_image(source).image, LOSSLESS, "BMP")
        return Prepared(made.data, made.suffix, ("BMP made PNG",))
    if look.described or (settings.strip_notes and suffix != ".bmp"):
        return _stripped(source, suffix, settings)
    return Prepared(source, suffix, sha256=wanted.item.sha256 if wanted.variant is None else "")


def prepare_mask(mask: Path | None, size: Size, orientation: int) -> bytes:
    """A mask as a grey PNG of its picture's size.

    Args: mask: None: the whole picture counts, for trainers that want a mask for each. size: of the picture as it is shown, px.
        orientation: EXIF 1–8, of the file that lies beside it.
    Raises: DatasetError: it cannot be read, or has other proportions.
    """
    return mask_png(read_mask(mask, size) if mask is not None else empty_mask(size, 255), orientation)


def mask_key(wanted: Wanted, size: Size, orientation: int) -> str:
    """As `picture_key`, of the mask."""
    lying = f"|lying {orientation}" if orientation != 1 else ""
    return f"{RECIPE}|{size[0]}x{size[1]}|{_mark(wanted.mask) if wanted.mask is not None else 'full'}{lying}"


def _stripped(source: Path, suffix: str, settings: ExportSettings) -> Prepared:
    data = _bytes(source)
    bare = strip(data, everything=settings.strip_notes)
    if bare is None:  # odd, and yet an image: then by way of its pixels
        image = open_image(data).image
        made = encode(image, LOSSLESS, "PNG")
        return Prepared(made.data, made.suffix, ("notes taken out",))
    return Prepared(source if bare == data else bare, suffix, () if bare == data else ("notes taken out",))


def _bytes(path: Path) -> bytes:
    """Raises: DatasetError: it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read ({error.strerror or type(error).__name__}).") from error


def _marks(wanted: Wanted) -> tuple[str, ...]:
    return _mark(wanted.source), _mark(wanted.mask) if wanted.mask is not None else ""


def _mark(path: Path) -> str:
    """Names the present content of a file, without reading it."""
    mark = file_mark(path)
    return f"{path.name}:{mark[0]}:{mark[1]}" if mark is not None else "gone"


def _said(exif: Exif | None) -> str:
    try:
        return str(exif.get(DESCRIPTION_TAG, "")) if exif is not None else ""
    except BROKEN:
        return ""


def _mask_trouble(wanted: Wanted) -> str:
    try:
        return misfit(wanted.mask, wanted.source, wanted.item) if wanted.mask is not None else ""
    except DatasetError as error:
        return str(error)
