"""What every way of filling a hole has in common."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from core.base.progress import Progress
from core.base.registry import Entry
from core.dataset.images.inpainting.settings import InpaintSettings

if TYPE_CHECKING:
    import numpy

    Pixels = numpy.ndarray[tuple[int, int, int], numpy.dtype[numpy.uint8]]
    """(height, width, 3), RGB."""
    Hole = numpy.ndarray[tuple[int, int], numpy.dtype[numpy.bool_]]
    """(height, width), true where it is to be filled."""


@dataclass(frozen=True)
class Wish:
    """What one filling is told beside the pixels."""

    prompt: str
    on_step: Callable[[int, int], None]
    """Told the steps that are done and all of them; what it raises ends the work."""


class Painter(ABC):
    """Fills the holes of one piece of a picture. Args: settings: all of them. entry: of the registry. model: what `load` opened."""

    draws_all: ClassVar[bool] = False
    """Whether what lies around the hole is drawn anew too, so that it can be held against the picture."""

    def __init__(self, settings: InpaintSettings, entry: Entry, model: Any = None) -> None:
        self.settings, self.entry, self.model = settings, entry, model

    @classmethod
    @contextlib.contextmanager
    def opened(cls, settings: InpaintSettings, entry: Entry, progress: Progress) -> Iterator[Painter]:
        """The painter with its model open. Raises: ModelError, MissingDependency: it cannot be had; Cancelled."""
        yield cls(settings, entry)

    @property
    def side(self) -> int:
        """Of the pieces that it works on at once, px."""
        return self.settings.resolution or int(self.entry.options.get("side", 512))

    @property
    def multiple(self) -> int:
        """The sides of what it works on are multiples of this, px."""
        return 1

    @property
    def least(self) -> int:
        """Smallest side of what it works on, px."""
        return 16

    @abstractmethod
    def scale(self, size: tuple[int, int], area: int) -> float:
        """By how much a piece is made smaller or larger for it. Args: size: width, height. area: of the holes, pixels."""

    @abstractmethod
    def fill(self, pixels: Pixels, hole: Hole, wish: Wish) -> Pixels:
        """The same piece with the holes filled; what it gives outside of them is not used, but held against the picture if `draws_all`.

        Args: pixels: their sides are multiples of `multiple`.
        Raises: ModelError: it failed; RuntimeError, MemoryError: among others, where memory does not suffice; Cancelled.
        """
