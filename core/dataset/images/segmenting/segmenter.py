"""What every segmenter can do: say how much each pixel of a picture belongs to its subject."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from core.base.progress import Progress
from core.base.registry import Entry

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from core.dataset.images.masks import Mask
    from core.dataset.images.segmenting.settings import MaskSettings


class Segmenter(ABC):
    """A segmenter, not yet opened. Args: entry: its own in the registry. settings: its fields are read there. Raises: ConfigError."""

    def __init__(self, entry: Entry, settings: MaskSettings) -> None:
        self.entry, self.settings = entry, settings

    def told(self) -> dict[str, Any]:
        """What decides about its masks beside the settings (a file, a commit), fit for JSON."""
        return {}

    def ready(self, progress: Progress) -> AbstractContextManager[Any]:
        """Held while there are pictures to work on. Raises: ModelError and the like."""
        return contextlib.nullcontext()

    def prepare(self, picture: Picture) -> Any:
        """What is done on threads before the model. Args: picture: RGB or RGBA, upright, of any size."""
        return picture

    def infer(self, prepared: Any, progress: Progress) -> Any:
        """What the model does. Raises: ModelError: it failed on this picture."""
        return prepared

    @abstractmethod
    def finish(self, picture: Picture, result: Any) -> Mask:
        """The mask, soft, of the picture's size."""


def to_size(values: Any, size: tuple[int, int]) -> Mask:
    """Probabilities (h, w) of any size → a mask of the picture's, bilinear. Args: size: width and height, px."""
    import numpy
    from PIL import Image

    field = Image.fromarray(numpy.ascontiguousarray(values, dtype=numpy.float32))
    wide = field if field.size == size else field.resize(size, Image.Resampling.BILINEAR)
    return numpy.rint(numpy.clip(numpy.asarray(wide), 0, 1) * 255).astype(numpy.uint8)
