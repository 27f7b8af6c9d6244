"""Masks as files for trainers: white counts, and each lies as its picture does.

    lying.jpg    stored 900 x 600, EXIF 6, shown 600 x 900
    lying.png    its mask: stored 900 x 600, EXIF 6

sd-scripts turns neither picture nor mask, other trainers turn both: either way one lies on the other.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset.images.opening import ORIENTATION_TAG, inspect_image, turned

if TYPE_CHECKING:
    from core.dataset.images.masks import Mask

TURNED_BACK = {6: 8, 8: 6}
"""EXIF orientations that another one undoes; each of the others undoes itself."""


def mask_png(mask: Mask, orientation: int = 1) -> bytes:
    """A grey PNG. Args: mask: as its picture is shown. orientation: EXIF 1–8, of the picture's file."""
    from PIL import Image

    image, notes = Image.fromarray(mask), Image.Exif()
    if orientation != 1:
        image = turned(image, TURNED_BACK.get(orientation, orientation))
        notes[ORIENTATION_TAG] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=notes.tobytes() if orientation != 1 else b"")
    return buffer.getvalue()


def lies_as(mask: Path, picture: Path) -> bool:
    """Whether a mask's file has its picture's size and is stored as it is. Raises: DatasetError: one of them cannot be opened."""
    one, other = inspect_image(mask), inspect_image(picture)
    return (one.width, one.height, one.orientation) == (other.width, other.height, other.orientation)
