"""A picture small enough to be sent to a screen: upright, in sRGB, made once and kept."""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import DatasetError, DiskError
from core.base.files import file_mark, write_bytes
from core.dataset.images.opening import open_image, over_white

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from core.dataset.images.masks import Mask

LONGEST = 768
"""Longest side of a preview, in pixels; smaller pictures keep their size."""
LARGEST = 2048
"""The same where sharpness is judged."""
LARGE, CHECKED = "-large", "-checks"
CHECKS_ACROSS, LIGHT_CHECK, DARK_CHECK = 64, 235, 200
"""Of the pattern behind what is transparent: checks along the longer side, and their two greys."""
MOST_KEPT = 40_000_000
"""Pixels of the picture that `CloseUp` keeps: 120 MB."""
MOST_LARGE = 200
"""Large previews that are kept; they take ten times the disk of the others, and few pictures are looked at so closely."""


def preview_image(path: Path, cache: Path, large: bool = False, checks: bool = False) -> bytes:
    """The file of a preview (JPEG; lossless WebP where the picture is small already), transparency laid over white.

    Args:
        path: the picture.
        large: up to `LARGEST` pixels a side, not `LONGEST`.
        checks: transparency laid over a pattern of checks instead, where it is what one looks at.
        cache: the folder where previews are kept. A preview is true as long as the picture's time and size are; when it is made
            anew the old one goes. A folder that cannot be written costs only the time to make it again.

    Raises: DatasetError: missing, no image, damaged or too large; the sentence says which.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise DatasetError(f"{path.name} is not there (any more) or cannot be read ({error.strerror or type(error).__name__}).") from error
    longest = LARGEST if large else LONGEST
    kind = (CHECKED if checks else "") + (LARGE if large else "")
    name = hashlib.sha256(str(path.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:24] + kind
    kept = cache / f"{name}.{facts.st_mtime_ns}.{facts.st_size}"
    with contextlib.suppress(OSError):
        return kept.read_bytes()
    data = _encoded(_shown(path, longest, checks), longest)
    with contextlib.suppress(OSError, DiskError):
        write_bytes(kept, data)
        for other in cache.glob(f"{name}.*"):
            if other != kept:
                other.unlink(missing_ok=True)
        if large:
            _forget_oldest(cache)
    return data


def preview_bytes(data: bytes, large: bool = False, checks: bool = False) -> bytes:
    """The same of a picture that is no file yet; nothing is kept. Raises: DatasetError."""
    longest = LARGEST if large else LONGEST
    return _encoded(_shown(data, longest, checks), longest)


class CloseUp:
    """Parts of the picture that is looked at closely: it is decoded once, and kept where it is not too large."""

    def __init__(self) -> None:
        self._kept: tuple[object, Picture] | None = None

    def part(self, source: Path | bytes, box: tuple[int, int, int, int], size: tuple[int, int]) -> bytes:
        """A part of a picture at another size, as a JPEG; what is transparent shows grey checks.

        Args: source: a file, or what will be one. box: left, top, right, bottom, px. size: width and height of what comes, px.
        Raises: DatasetError: as `preview_image`.
        """
        from PIL import Image

        picture = self._decoded(source).crop(box)
        if picture.size != size:
            picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=93, subsampling=0)
        return buffer.getvalue()

    def forget(self) -> None:
        """Another picture is looked at."""
        self._kept = None

    def _decoded(self, source: Path | bytes) -> Picture:
        mark = (source, file_mark(source)) if isinstance(source, Path) else source
        if self._kept is not None and self._kept[0] == mark:
            return self._kept[1]
        self._kept = None  # never two of them
        picture = _shown(source, 0, checks=True)
        if picture.width * picture.height <= MOST_KEPT:
            self._kept = mark, picture
        return picture


def preview_mask(mask: Mask, box: tuple[int, int, int, int] | None = None, size: tuple[int, int] | None = None) -> bytes:
    """A mask for the screen, as a PNG.

    Args: mask: (height, width) uint8. box: of which part (left, top, right, bottom, px); None: all of it, at most `LARGEST` px a side.
        size: width and height of what comes, px.
    """
    from PIL import Image

    picture = Image.fromarray(mask)
    if box is not None and size is not None:
        picture = picture.crop(box).resize(size, Image.Resampling.BOX)
    elif max(picture.size) > LARGEST:
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _forget_oldest(cache: Path) -> None:
    """Keep the newest of the large previews."""
    found = list(cache.glob(f"*{LARGE}.*"))
    if len(found) > MOST_LARGE:
        for path in sorted(found, key=lambda one: one.stat().st_mtime_ns)[:-MOST_LARGE]:
            path.unlink(missing_ok=True)


def _shown(source: Path | bytes, at_least: int, checks: bool) -> Picture:
    """RGB. Raises: DatasetError."""
    picture = open_image(source, at_least=at_least).image
    return over_checks(picture) if checks and picture.mode == "RGBA" else over_white(picture)


def over_checks(image: Picture) -> Picture:
    """RGB; where it is transparent one sees grey checks. Args: image: RGBA."""
    import numpy
    from PIL import Image

    side = max(8, max(image.size) // CHECKS_ACROSS)
    across, down = (numpy.arange(length) // side for length in image.size)
    pattern = numpy.where((across[None, :] + down[:, None]) % 2, LIGHT_CHECK, DARK_CHECK).astype(numpy.uint8)
    made = Image.fromarray(pattern).convert("RGB")
    made.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return made


def _encoded(image: Picture, longest: int) -> bytes:
    from PIL import Image

    image.info = {}
    buffer = io.BytesIO()
    if max(image.size) > LONGEST:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=3.0)
        finer: dict[str, Any] = {"quality": 88} if longest == LONGEST else {"quality": 93, "subsampling": 0}  # its grain must show
        image.save(buffer, "JPEG", **finer)
    else:
        image.save(buffer, "WEBP", lossless=True, quality=20, method=1)  # pixel art and flat colours stay exact
    return buffer.getvalue()
