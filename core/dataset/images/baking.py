"""An image file as it goes into a project: the same bytes where nothing need change, else upright 8-bit sRGB."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import DatasetError
from core.dataset.images.opening import BROKEN, MAX_PIXELS, inspect_image, is_other_profile, open_image, over_white

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SUFFIX_OF = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "BMP": ".bmp"}
"""Formats that are copied byte for byte, and the ending that they get."""


PLAIN_MODES = frozenset({"RGB", "L", "P", "1"})
"""Pillow's modes of 8 bits or less without a channel of transparency."""


@dataclass(frozen=True)
class Baked:
    """A file ready to be written."""

    data: bytes
    suffix: str
    width: int
    height: int
    changes: tuple[str, ...]
    """Empty: the bytes are those of the source."""


FIRST_OF = "only the first of"
"""How the change of an animation or a file of several pages begins."""


def bake(data: bytes, transparency: str = "keep", min_side: int = 1, max_pixels: int = MAX_PIXELS) -> Baked:
    """Decode the file whole (so that damage is found now, not in training) and say what to write.

    A JPEG that must change becomes a JPEG of quality 95 without chroma subsampling, everything else a PNG (lossless).

    Args:
        data: the file.
        transparency: "keep": alpha stays, and the colours behind fully transparent pixels become white, because a trainer
            that ignores alpha would show them; "white": laid over white.
        min_side: shorter side below which an image is refused.

    Of an animation (GIF, WebP, PNG, AVIF) and of several pages (TIFF) the first frame is taken, and the changes say so.

    Raises: DatasetError: no image, damaged, too small or too large.
    """
    decoded = open_image(data, max_pixels)
    image, facts, changes = decoded.image, decoded.facts, list(decoded.changes)
    if facts.frames > 1:
        changes.append(f"{FIRST_OF} {facts.frames} {'pages' if facts.format == 'TIFF' else 'frames'}")
    if min(image.size) < min_side:
        raise DatasetError(f"It has {image.width} x {image.height} pixels; the shorter side must be at least {min_side}.")
    if image.mode == "RGBA":
        if transparency == "white":
            image = over_white(image)
            changes.append("transparency laid over white")
        elif _whiten_hidden(image):
            changes.append("hidden colours behind transparent pixels made white")
    suffix = SUFFIX_OF.get(facts.format)
    if suffix and not changes:
        return Baked(data, suffix, image.width, image.height, ())
    if not suffix:
        changes.append(f"{facts.format} made PNG")
    buffer = io.BytesIO()
    if facts.format == "JPEG" and image.mode == "RGB":
        image.save(buffer, "JPEG", quality=95, subsampling=0)
        return Baked(buffer.getvalue(), ".jpg", image.width, image.height, tuple(changes))
    _without_notes(image).save(buffer, "PNG")
    return Baked(buffer.getvalue(), ".png", image.width, image.height, tuple(changes))


def is_plain(path: Path) -> bool:
    """Whether every program sees what a person sees, by the header alone: upright, one frame, 8 bit, sRGB, no transparency.

    Such a file need not be baked. Raises: DatasetError: missing, or no image.
    """
    facts = inspect_image(path)
    if facts.orientation != 1 or facts.frames > 1 or facts.format not in SUFFIX_OF or facts.mode not in PLAIN_MODES:
        return False
    from PIL import Image

    try:
        with Image.open(path) as image:
            return "transparency" not in image.info and not is_other_profile(image.info.get("icc_profile"))
    except BROKEN as error:
        raise DatasetError(f"{path.name} is damaged ({error}).") from error


def _whiten_hidden(image: Picture) -> bool:
    """Make the colour of fully transparent pixels white, in place; False when nothing was hidden there."""
    import numpy
    from PIL import Image

    pixels = numpy.array(image)
    hidden = (pixels[..., 3] == 0) & (pixels[..., :3] != 255).any(axis=-1)
    if not hidden.any():
        return False
    pixels[hidden, :3] = 255
    image.paste(Image.fromarray(pixels))
    return True


def _without_notes(image: Picture) -> Picture:
    """The pixels only: the old profile, orientation and transparency entries no longer apply."""
    image.info = {}
    return image
