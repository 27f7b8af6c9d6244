"""Noise taken away and contrast evened out, by scikit-image; in pieces, so that large pictures take no more memory than small ones."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from core.base.errors import require
from core.base.progress import SILENT, Progress
from core.dataset.images.upscaling.tiles import Canvas, Plan, Span, plan_tiles, read_tile
from core.dataset.parallel import bounded_map

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

PATCH, REACH = 5, 6
"""Side of the patches that are compared, and how far they are looked for, px: it sees 8 pixels far."""
PIECE, SHARED = 384, 24
STRIP = 256
"""Rows whose colours are converted at once."""
LARGEST_CONTRAST = 50_000_000
"""Pixels above which contrast is left as it is: about 60 bytes a pixel are needed."""


def denoised(image: Picture, level: float, name: str = "", progress: Progress = SILENT) -> Picture:
    """Without noise up to a level: each pixel becomes the mean of those around it whose neighbourhood looks alike (non-local means).

    Args: image: RGB or RGBA; transparency stays. level: standard deviation of the noise in steps of 255. Raises: Cancelled.
    """
    plan = plan_tiles(image.size, PIECE, SHARED)
    places = [(row, column) for row in plan.rows for column in plan.columns]
    colours = image.convert("RGB")
    canvas = Canvas(image.size, 1)
    for (row, column), made in bounded_map(partial(_denoised_piece, colours, level), places):
        _tell(plan, name, progress)
        if isinstance(made, Exception):
            raise made
        canvas.lay(made, column, row)
    return _with_alpha_of(canvas.image, image)


def evened(image: Picture, clip: float) -> Picture:
    """Contrast evened out over the picture (CLAHE), in the lightness of Lab alone; colours and transparency stay.

    Args: image: RGB or RGBA. clip: how steep the contrast may become, 0 to 1; .01 is mild.
    """
    import numpy
    from PIL import Image

    exposure: Any = require("skimage.exposure", needed_for="Contrast")
    pixels = numpy.asarray(image.convert("RGB"))
    light = numpy.concatenate([_lab(strip)[..., 0] for strip in _strips(pixels)]) / 100
    if image.mode == "RGBA":
        light = _as_seen(light, numpy.asarray(image.getchannel("A")))
    even = exposure.equalize_adapthist(numpy.clip(light, 0, 1), clip_limit=clip)
    made = numpy.empty_like(pixels)
    for number, strip in enumerate(_strips(pixels)):
        begin = number * STRIP
        made[begin: begin + len(strip)] = _relit(strip, even[begin: begin + len(strip)])
    return _with_alpha_of(Image.fromarray(made), image)


def _denoised_piece(image: Picture, level: float, place: tuple[Span, Span]) -> numpy.ndarray:
    import numpy

    restoration: Any = require("skimage.restoration", needed_for="Taking noise away")
    values = read_tile(image, place[1], place[0]).astype(numpy.float32) / 255
    least = min(values.shape[:2])
    if least <= PATCH // 2:
        values = numpy.pad(values, ((0, PATCH), (0, PATCH), (0, 0)), mode="reflect")
    sigma = level / 255
    made = restoration.denoise_nl_means(values, patch_size=PATCH, patch_distance=REACH, h=0.8 * sigma, sigma=sigma, fast_mode=True,
                                        channel_axis=-1)
    made = made[: place[0].end - place[0].begin, : place[1].end - place[1].begin]
    return numpy.rint(numpy.clip(made, 0, 1) * 255).astype(numpy.uint8)


def _tell(plan: Plan, name: str, progress: Progress) -> None:
    if plan.count > 1:
        progress.advance(f"{name}: noise".lstrip(": "), by=0)
    progress.check()


def _as_seen(light: numpy.ndarray, alpha: numpy.ndarray) -> numpy.ndarray:
    """What is not seen as light as the mean of what is, so that it does not decide about the rest."""
    import numpy

    seen = alpha > 0
    mean = float(light[seen].mean()) if seen.any() else 0.5
    filled: numpy.ndarray = numpy.where(seen, light, numpy.float32(mean))
    return filled


def _relit(pixels: numpy.ndarray, light: numpy.ndarray) -> numpy.ndarray:
    """(h, w, 3) uint8 with another lightness, 0 to 1."""
    import numpy

    color: Any = require("skimage.color", needed_for="Contrast")
    lab = _lab(pixels)
    lab[..., 0] = light * 100
    rgb = color.lab2rgb(lab)
    made: numpy.ndarray = numpy.rint(numpy.clip(rgb, 0, 1) * 255).astype(numpy.uint8)
    return made


def _lab(pixels: numpy.ndarray) -> numpy.ndarray:
    import numpy

    color: Any = require("skimage.color", needed_for="Contrast")
    lab: numpy.ndarray = color.rgb2lab(pixels.astype(numpy.float32) / 255)
    return lab


def _strips(pixels: numpy.ndarray) -> list[numpy.ndarray]:
    return [pixels[begin: begin + STRIP] for begin in range(0, len(pixels), STRIP)]


def _with_alpha_of(made: Picture, image: Picture) -> Picture:
    if image.mode == "RGBA":
        made.putalpha(image.getchannel("A"))
    return made


