"""How a picture is written: its format, how much is lost, and what the file says beside the pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.base.settings import Settings, setting
from core.dataset.images.opening import BROKEN, CAMERA_BLOCK, DESCRIPTION_TAG, ORIENTATION_TAG

if TYPE_CHECKING:
    from PIL.Image import Exif
    from PIL.Image import Image as Picture

SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
WEBP_LONGEST = 16383
"""Sides that WebP can hold (VP8 bitstream, 14 bits)."""
DROPPED = (ORIENTATION_TAG, CAMERA_BLOCK, 0x8825, 0x0201, 0x0202)
"""EXIF fields that no longer fit a changed picture, orientation and thumbnail; and where it was taken."""
DROPPED_OF_CAMERA = (0xA002, 0xA003, 0x9214, 0xA214, 0x927C, 0xA005)
"""Of its second block: sizes, places in the picture, what only the camera's maker reads, and a block of its own."""
JPEG_NOTES = 65_533
"""Bytes of an EXIF block that JPEG can hold (a marker's length has 16 bits)."""


class SaveSettings(Settings):
    """Format and quality."""

    title = "Saving"

    format: Literal["same", "png", "jpeg", "webp"] = setting("same", "Format", "same: JPEG stays JPEG and WebP stays WebP, everything "
                                                             "else is PNG. PNG loses nothing; JPEG and WebP are much smaller.")
    quality: int = setting(95, "Quality", "Of JPEG and of WebP that may lose something.", level="advanced", ge=85, le=100)
    lossless: bool = setting(True, "WebP without loss", "Every pixel stays as it is. Off: smaller, by the quality above.", level="advanced",
                             only={"format": ("webp", "same")})
    metadata: bool = setting(False, "Keep camera notes", "Keep what the file says beside the pixels: camera, date, author. Where it was "
                             "taken is left out in any case.", level="advanced")

    def kind_for(self, source_format: str) -> str:
        """Pillow's name of the format that is wanted."""
        return source_format if self.format == "same" else self.format.upper()

    def keeps_pixels(self) -> bool:
        """Whether WebP is written without loss."""
        return self.lossless

    def writes_anew(self, source_format: str) -> bool:
        """Whether a picture whose size stays is written: in another format, in another quality than the usual one, or with chosen loss."""
        kind = self.kind_for(source_format)
        if kind != source_format:
            return True
        usual = type(self).fields()["quality"].default
        return (kind == "JPEG" and self.quality != usual) or (kind == "WEBP" and not self.keeps_pixels())


class ExactSettings(SaveSettings):
    """Format and quality of a tool that leaves pixels as they are: unless somebody asks for it, nothing is lost by saving."""

    format: Literal["same", "png", "jpeg", "webp"] = setting("same", "Format", "same: WebP stays WebP and everything else is PNG, without "
                                                             "loss, so that every pixel that is not worked on stays as it is. JPEG is much "
                                                             "smaller, but changes all of them a little.")
    lossless: bool = setting(True, "WebP without loss", "Every pixel stays as it is. Off: smaller, by the quality above.", level="advanced",
                             only={"format": ("webp",)})

    def kind_for(self, source_format: str) -> str:
        """PNG in place of JPEG, where it was not asked for."""
        kind = super().kind_for(source_format)
        return "PNG" if self.format == "same" and kind == "JPEG" else kind

    def keeps_pixels(self) -> bool:
        """Whether WebP is written without loss."""
        return self.lossless or self.format == "same"


@dataclass(frozen=True)
class Encoded:
    """A picture as a file."""

    data: bytes
    suffix: str
    """With its dot."""
    note: str = ""
    """Why it is not the format that was asked for, or says less than was; empty: all is as it was asked for."""


def encode(image: Picture, settings: SaveSettings, source_format: str, description: str = "", exif: Exif | None = None) -> Encoded:
    """Write a picture into bytes.

    Args:
        image: RGB, RGBA or L, upright.
        source_format: Pillow's name of the format that it had: "JPEG", "WEBP" …
        description: goes into the EXIF field ImageDescription.
        exif: what the source says; taken over if the settings say so.
    """
    wanted = settings.kind_for(source_format)
    kind, note = (wanted, "") if wanted in SUFFIXES else ("PNG", "")
    if kind == "JPEG" and image.mode == "RGBA":
        kind, note = "PNG", "it has transparency, which JPEG cannot hold: saved as PNG"
    if kind == "WEBP" and max(image.size) > WEBP_LONGEST:
        kind, note = "PNG", f"its longer side is over {WEBP_LONGEST} px, which WebP cannot hold: saved as PNG"
    most = JPEG_NOTES if kind == "JPEG" else 0
    notes, trouble = _exif(exif if settings.metadata else None, description, most)
    if most and len(notes) > most:
        kind, note = "PNG", "how it was made takes more room than JPEG has: saved as PNG"
    note = "; ".join(words for words in (note, trouble) if words)
    out = io.BytesIO()
    if kind == "JPEG":
        image.convert("RGB").save(out, "JPEG", quality=settings.quality, subsampling=0, optimize=True, exif=notes)
    elif kind == "WEBP":
        exact = settings.keeps_pixels()
        image.save(out, "WEBP", quality=80 if exact else settings.quality, lossless=exact, exact=True, method=4, exif=notes)
    else:
        image.save(out, "PNG", compress_level=3, exif=notes)
    return Encoded(out.getvalue(), SUFFIXES[kind], note)


def _exif(kept: Exif | None, description: str, most: int) -> tuple[bytes, str]:
    """The EXIF block of a new file, empty for none, and why it is without the camera's notes. Args: most: bytes that fit; 0: any."""
    if kept:
        try:
            block = _block(kept, description)
        except BROKEN:
            return _block(None, description), "its camera notes cannot be read whole: left out"
        if not most or len(block) <= most:
            return block, ""
        return _block(None, description), "its camera notes are more than JPEG can hold: left out"
    return _block(None, description), ""


def _block(kept: Exif | None, description: str) -> bytes:
    from PIL import Image

    block = Image.Exif()
    if kept:
        for tag, value in kept.items():
            if tag not in DROPPED:
                block[tag] = value
        if camera := {tag: value for tag, value in kept.get_ifd(CAMERA_BLOCK).items() if tag not in DROPPED_OF_CAMERA}:
            block[CAMERA_BLOCK] = camera
    if description:
        block[DESCRIPTION_TAG] = description
    return block.tobytes() if len(block) else b""
