"""A picture small enough to be sent to a screen: upright, in sRGB, made once and kept."""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import DatasetError, DiskError
from core.base.files import write_bytes
from core.dataset.images.opening import open_rgb

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

LONGEST = 768
"""Longest side of a preview, in pixels; smaller pictures keep their size."""


def preview_image(path: Path, cache: Path) -> bytes:
    """The file of a preview (JPEG; lossless WebP where the picture is small already), transparency laid over white.

    Args:
        path: the picture.
        cache: the folder where previews are kept. A preview is true as long as the picture's time and size are; when it is made
            anew the old one goes. A folder that cannot be written costs only the time to make it again.

    Raises: DatasetError: missing, no image, damaged or too large; the sentence says which.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise DatasetError(f"{path.name} is not there (any more) or cannot be read ({error.strerror or type(error).__name__}).") from error
    name = hashlib.sha256(str(path.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    kept = cache / f"{name}.{facts.st_mtime_ns}.{facts.st_size}"
    with contextlib.suppress(OSError):
        return kept.read_bytes()
    data = _encoded(open_rgb(path, at_least=LONGEST))
    with contextlib.suppress(OSError, DiskError):
        write_bytes(kept, data)
        for other in cache.glob(f"{name}.*"):
            if other != kept:
                other.unlink(missing_ok=True)
    return data


def _encoded(image: Picture) -> bytes:
    from PIL import Image

    image.info = {}
    buffer = io.BytesIO()
    if max(image.size) > LONGEST:
        image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS, reducing_gap=3.0)
        image.save(buffer, "JPEG", quality=88)
    else:
        image.save(buffer, "WEBP", lossless=True, quality=20, method=1)  # pixel art and flat colours stay exact
    return buffer.getvalue()
