"""Opening an image that may be anything: bounded before it is decoded, upright, 8 bit, sRGB."""

from __future__ import annotations

import contextlib
import importlib
import io
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import DatasetError, require

if TYPE_CHECKING:
    from PIL.Image import Exif
    from PIL.Image import Image as Picture

MAX_PIXELS = 120_000_000
"""Larger than any camera's picture; an image that says it is larger is refused before its pixels are decoded."""
ORIENTATION_TAG, DESCRIPTION_TAG = 0x0112, 0x010E
CAMERA_BLOCK = 0x8769
"""EXIF's second block: when and how the picture was taken."""
BROKEN = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, AttributeError, OverflowError, ZeroDivisionError,
          NotImplementedError, MemoryError, struct.error, zlib.error)
"""What Pillow's decoders raise on damaged files; each guards one call of Pillow."""
NO_FRAMES = {"MPO"}
"""Formats whose further frames are depth maps or other views of the same picture."""
HEIF_READERS = ("pi_heif", "pillow_heif")
"""Packages that teach Pillow to read HEIC. pi-heif is asked for first: it only decodes, and brings no GPL encoder along."""
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")


@dataclass(frozen=True)
class ImageFacts:
    """What the header says."""

    format: str
    """Pillow's name: "PNG", "JPEG", "WEBP" …"""
    mode: str
    width: int
    """As shown, after orientation."""
    height: int
    orientation: int
    """EXIF 1–8; 1 is upright."""
    frames: int
    """More than 1: an animation, or a file of several pages; only the first is ever decoded."""


@dataclass(frozen=True)
class Decoded:
    """One image, decoded whole."""

    image: Picture
    """Mode RGB or RGBA, 8 bit, sRGB, upright."""
    facts: ImageFacts
    changes: tuple[str, ...]
    """What had to be changed so that a trainer sees it as a person does; empty for an ordinary file."""


def inspect_image(source: Path | bytes) -> ImageFacts:
    """Read the header only. Raises: DatasetError: missing, or no image."""
    image = _open(source)
    with image:
        return _facts(image)


def read_exif(source: Path | bytes) -> Exif | None:
    """What a file says beside its pixels; None: nothing, or its block is damaged. Raises: DatasetError: missing, or no image."""
    image = _open(source)
    with image:
        try:
            exif = image.getexif() or None
        except BROKEN:
            return None
        if exif is not None:
            with contextlib.suppress(*BROKEN):
                exif.get_ifd(CAMERA_BLOCK)  # it is read only now, while the file is open
        return exif


def read_description(source: Path | bytes) -> str:
    """The EXIF field ImageDescription; empty where there is none. Raises: DatasetError: missing, or no image."""
    exif = read_exif(source)
    return str(exif.get(DESCRIPTION_TAG, "")) if exif is not None else ""


def open_image(source: Path | bytes, max_pixels: int = MAX_PIXELS, at_least: int = 0) -> Decoded:
    """Decode the first frame.

    Args:
        source: a file, or its bytes.
        max_pixels: refuse a larger one before decoding.
        at_least: longest side that is needed, in pixels; a JPEG may then be decoded smaller (never below it), which is faster.
            0: full size.

    Raises:
        DatasetError: missing, no image, cut off, or too large; the sentence says which.
    """
    image = _open(source)
    with image:
        facts = _facts(image)
        if image.width * image.height > max_pixels:
            raise DatasetError(f"{_name(source)} has {image.width} x {image.height} pixels; the limit is {max_pixels / 1e6:g} million.")
        try:
            if at_least and max(image.size) > at_least:
                scale = at_least / max(image.size)
                image.draft(None, (int(image.width * scale) + 1, int(image.height * scale) + 1))  # type: ignore[arg-type]
            image.load()
            orientation = _orientation(image)  # again: a PNG may carry its EXIF block behind the pixels
            picture, changes = _plain(image)
            if orientation != 1:
                picture = turned(picture, orientation)
                changes.append("turned upright")
        except BROKEN as error:
            raise DatasetError(f"{_name(source)} is damaged ({_reason(error)}).") from error
        return Decoded(picture, facts, tuple(changes))


def open_rgb(source: Path | bytes, max_pixels: int = MAX_PIXELS, at_least: int = 0) -> Picture:
    """RGB, transparency laid over white: what a tagger or captioner sees. Raises: DatasetError."""
    return over_white(open_image(source, max_pixels, at_least).image)


def over_white(image: Picture) -> Picture:
    """Mode RGB; what was transparent is white."""
    from PIL import Image

    if image.mode == "RGB":
        return image
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return white


def _open(source: Path | bytes) -> Picture:
    require("PIL", needed_for="Opening images")
    from PIL import Image, UnidentifiedImageError

    try:
        try:
            return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
        except UnidentifiedImageError:
            if _brand(source) not in HEIF_BRANDS or not _learn_heif():
                raise
        return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except FileNotFoundError as error:
        raise DatasetError(f"{_name(source)} is not there (any more).") from error
    except PermissionError as error:
        raise DatasetError(f"No permission to read {_name(source)}.") from error
    except Image.DecompressionBombError as error:
        raise DatasetError(f"{_name(source)} says it has more pixels than any picture; it is left out for safety.") from error
    except UnidentifiedImageError as error:
        raise DatasetError(f"{_name(source)} is not an image{_looks_like(source)}.") from error
    except BROKEN as error:
        raise DatasetError(f"{_name(source)} is damaged ({_reason(error)}).") from error


def _facts(image: Picture) -> ImageFacts:
    orientation = _orientation(image)
    width, height = image.size if orientation < 5 else image.size[::-1]
    kind = image.format or ""
    try:
        frames = 1 if kind in NO_FRAMES else int(getattr(image, "n_frames", 1))
    except BROKEN:
        frames = 1
    return ImageFacts("JPEG" if kind == "MPO" else kind, image.mode, width, height, orientation, frames)


def _orientation(image: Picture) -> int:
    """1 when there is none, or when the EXIF block is damaged: a broken note must not cost the picture."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except BROKEN:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def turned(image: Picture, orientation: int) -> Picture:
    """EXIF 2.32, table 6: how a stored picture must be turned to stand upright."""
    from PIL.Image import Transpose as T

    moves = {2: T.FLIP_LEFT_RIGHT, 3: T.ROTATE_180, 4: T.FLIP_TOP_BOTTOM, 5: T.TRANSPOSE, 6: T.ROTATE_270, 7: T.TRANSVERSE, 8: T.ROTATE_90}
    return image.transpose(moves[orientation])


def _plain(image: Picture) -> tuple[Picture, list[str]]:
    """8-bit RGB or RGBA in sRGB, and what had to be changed for it."""
    changes: list[str] = []
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bit(image)
        changes.append("16-bit made 8-bit")
    elif image.mode == "CMYK":
        changes.append("CMYK made RGB")
    alpha = None
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        if image.mode not in ("RGBA", "LA"):
            changes.append("transparency made a channel")
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("RGB")
    converted = _srgb(image, profile)
    if converted is not None:
        image = converted
        changes.append("colours converted to sRGB")
    if image.mode != "RGB":
        image = image.convert("RGB")
    if alpha is not None and alpha.getextrema() != (255, 255):
        image.putalpha(alpha)
    return image, changes


def _eight_bit(image: Picture) -> Picture:
    import numpy
    from PIL import Image

    values = numpy.asarray(image).astype("float64")
    top = float(values.max(initial=0.0))
    if image.mode.startswith("I;16"):
        scale = 1 / 257
    elif image.mode == "F":
        scale = 255.0 if top <= 1 else 1.0 if top <= 255 else 1 / 257
    else:
        scale = 1.0 if top <= 255 else 1 / 257 if top <= 65535 else 255 / 2**31
    return Image.fromarray(numpy.clip(numpy.rint(values * scale), 0, 255).astype("uint8"))


def _srgb(image: Picture, profile: bytes | None) -> Picture | None:
    """The image in sRGB; None when it is so already, says nothing, or its profile does not fit."""
    if not is_other_profile(profile):
        return None
    from PIL import ImageCms

    try:
        if image.mode not in ("RGB", "L", "CMYK"):
            image = image.convert("RGB")
        return ImageCms.profileToProfile(image, io.BytesIO(profile or b""), ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, *BROKEN):
        return None


def is_other_profile(profile: bytes | None) -> bool:
    """Whether a colour profile says another space than sRGB; what is broken, or cannot be read here, says nothing."""
    try:
        from PIL import ImageCms
    except ImportError:
        return False
    try:
        return bool(profile) and "srgb" not in ImageCms.getProfileDescription(io.BytesIO(profile or b"")).lower()
    except (ImageCms.PyCMSError, *BROKEN):
        return False


def _name(source: Path | bytes) -> str:
    return "The file" if isinstance(source, bytes) else source.name


def _reason(error: BaseException) -> str:
    text = str(error).strip().rstrip(".")
    return text if text and "object at 0x" not in text else type(error).__name__


@cache
def _learn_heif() -> bool:
    """Teach Pillow to read HEIC. Returns: whether a package for it is there."""
    for name in HEIF_READERS:
        try:
            importlib.import_module(name).register_heif_opener()
            return True
        except (ImportError, AttributeError):
            continue
    return False


def _brand(source: Path | bytes) -> bytes:
    """The four letters that say what an ISO media file holds (ISO/IEC 14496-12, "ftyp"); empty where it is none, or cannot be read."""
    try:
        head = source[:64] if isinstance(source, bytes) else _head(source)
    except OSError:
        return b""
    return head[8:12] if head[4:8] == b"ftyp" else b""


def _looks_like(source: Path | bytes) -> str:
    """A guess at what the file is instead, from its first bytes."""
    try:
        head = source[:64] if isinstance(source, bytes) else _head(source)
    except OSError:
        return ""
    if not head:
        return ", it is empty"
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return ", it is a web page that was saved under an image's name"
    brand = _brand(source)
    if brand in HEIF_BRANDS:
        return " that can be read here: for HEIC run 'python3 installer.py --with sources', or save it as PNG or JPEG"
    if brand in AVIF_BRANDS:
        return " that can be read here: this Pillow has no AVIF; save it as PNG or JPEG"
    return ", it is a video" if brand else ""


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(64)
