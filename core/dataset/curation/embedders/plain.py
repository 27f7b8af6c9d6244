"""A small embedder that needs no download: where a picture has which colours and which edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.base.registry import Entry

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

SIDE = 96
"""Pixels a side of the copy that is described."""
CELLS = 6
"""Cells a side; those of colour and of edges overlap by half, so that a small shift moves little."""
DIRECTIONS = 8
VERSION = 1
"""Another number when the description changes: stored vectors of the old one are not used then."""


@dataclass(frozen=True)
class PlainFiles:
    """There are no files."""

    identity: str = f"plain-{VERSION}"
    stated: str = "colours and edges, no model"

    def open(self, device: str = "auto") -> PlainEmbedder:
        """Ready at once."""
        return PlainEmbedder()


def find_plain(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "") -> PlainFiles:
    """The embedder of this module; nothing is looked for."""
    return PlainFiles()


class PlainEmbedder:
    """Colour layout (MPEG-7's idea) and histograms of oriented gradients (Dalal and Triggs, 2005), each of length 1, side by side."""

    size = 2 * SIDE
    provider = "CPU"

    def prepare(self, picture: Picture) -> numpy.ndarray:
        """(SIDE, SIDE, 3) uint8 YCbCr, squeezed to a square."""
        import numpy
        from PIL import Image

        return numpy.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0).convert("YCbCr"))

    def embed(self, batch: numpy.ndarray) -> numpy.ndarray:
        """(n, SIDE, SIDE, 3) uint8 YCbCr → (n, d) float32 of length 1."""
        import numpy

        pixels = batch.astype(numpy.float32) / 255
        luma = pixels[..., 0]
        luma = luma - luma.mean(axis=(1, 2), keepdims=True)
        spread = luma.std(axis=(1, 2), keepdims=True)
        luma = luma / (spread + 0.02)  # brightness and contrast say little of what is shown
        chroma = (pixels[..., 1:] - 0.5) * 4
        layout = _cells(numpy.concatenate([luma[..., None], chroma], axis=3)).reshape(len(batch), -1)
        edges = numpy.sqrt(_cells(_oriented(luma))).reshape(len(batch), -1)
        edges -= edges.mean(axis=1, keepdims=True)
        whole = numpy.concatenate([_unit(layout), _unit(edges)], axis=1)
        return _unit(whole).astype(numpy.float32)


def _oriented(luma: numpy.ndarray) -> numpy.ndarray:
    """(n, h, w) → (n, h, w, DIRECTIONS): strength of the gradient, shared out among the two nearest directions (unsigned)."""
    import numpy

    down, across = numpy.zeros_like(luma), numpy.zeros_like(luma)
    down[:, 1:-1] = luma[:, 2:] - luma[:, :-2]
    across[:, :, 1:-1] = luma[:, :, 2:] - luma[:, :, :-2]
    strength = numpy.hypot(down, across)
    turn = (numpy.arctan2(down, across) % numpy.pi) / numpy.pi * DIRECTIONS
    distance = numpy.abs(turn[..., None] - numpy.arange(DIRECTIONS))
    distance = numpy.minimum(distance, DIRECTIONS - distance)
    return strength[..., None] * numpy.maximum(0, 1 - distance)


def _cells(values: numpy.ndarray) -> numpy.ndarray:
    """(n, h, w, c) → (n, cells, cells, c): means over overlapping cells."""
    import numpy

    half = SIDE // (CELLS + 1)
    count, channels = len(values), values.shape[3]
    used = half * (CELLS + 1)
    small = values[:, :used, :used].reshape(count, CELLS + 1, half, CELLS + 1, half, channels).mean(axis=(2, 4))
    return numpy.asarray((small[:, :-1, :-1] + small[:, 1:, :-1] + small[:, :-1, 1:] + small[:, 1:, 1:]) / 4)


def _unit(rows: numpy.ndarray) -> numpy.ndarray:
    import numpy

    return rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
