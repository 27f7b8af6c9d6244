"""Images to a tagger: decoded and prepared on several threads, written straight into the batch that the model is given."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from core.base.errors import StudioError
from core.dataset.captions.taggers import TaggerModel
from core.dataset.images.opening import open_rgb
from core.dataset.items import ImageItem
from core.dataset.parallel import bounded_map

if TYPE_CHECKING:
    import numpy

Batch = tuple[list[ImageItem], "numpy.ndarray", list[tuple[ImageItem, StudioError]]]
"""Images, their pixels (as many along the first axis), and those that could not be opened with the reason."""

SPARE = 1.5
"""How much larger than the model's side a picture is decoded at least; where it is squeezed, its shorter side."""


def feed(items: Sequence[ImageItem], model: TaggerModel, batch_size: int, workers: int = 0) -> Generator[Batch, None, None]:
    """Batches of prepared images, in order; while the model works on one, the next two are being filled.

    The pixels of a batch are overwritten once the next batch is asked for. A JPEG is decoded at its own half, quarter or eighth where
    that leaves `SPARE` times the model's side, which is several times quicker.

    Args: workers: threads; 0 chooses.
    """
    free: deque[numpy.ndarray] = deque()
    buffers: dict[int, numpy.ndarray] = {}

    def places() -> Iterator[tuple[int, ImageItem, numpy.ndarray]]:
        for number, item in enumerate(items):
            if number % batch_size == 0:
                buffers[number // batch_size] = free.popleft() if free else model.new_batch(batch_size)
            yield number, item, buffers[number // batch_size][number % batch_size]

    def work(place: tuple[int, ImageItem, numpy.ndarray]) -> None:
        _, item, pixels = place
        longer = max(item.width, item.height) / max(1, min(item.width, item.height)) if model.squeezes else 1
        model.prepare(open_rgb(item.path, at_least=round(SPARE * model.size * max(1, longer))), pixels)

    whole: list[ImageItem] = []
    broken: list[tuple[ImageItem, StudioError]] = []
    with closing(bounded_map(work, places(), workers, ahead=2 * batch_size)) as prepared:
        for (number, item, pixels), error in prepared:
            buffer = buffers[number // batch_size]
            if isinstance(error, StudioError):
                broken.append((item, error))
            else:
                if len(whole) != number % batch_size:
                    buffer[len(whole)] = pixels  # one before it could not be opened
                whole.append(item)
            if (number + 1) % batch_size == 0 or number + 1 == len(items):
                yield whole, buffer[:len(whole)], broken
                whole, broken = [], []
                free.append(buffers.pop(number // batch_size))
