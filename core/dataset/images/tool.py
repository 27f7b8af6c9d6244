"""What a picture tool is: what it makes of one picture, in three pieces that `core.dataset.images.working` puts to work.

    prepare    on threads, beside the model: reads and measures
    infer      the model, one picture after the other
    finish     on threads: the versions, not yet files
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from core.base.errors import DatasetError
from core.base.progress import Progress
from core.dataset.images.opening import Decoded
from core.dataset.images.saving import SaveSettings
from core.dataset.images.sourcing import Unit, Work
from core.dataset.images.variants import REPLACED, Kind, Step

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

P = TypeVar("P")
R = TypeVar("R")


class NothingFound(DatasetError):
    """No version comes of a picture, for this reason; what the tool made of it earlier is put aside."""


@dataclass(frozen=True)
class Output:
    """One version that came of a picture, not yet a file."""

    image: Picture
    """RGB, RGBA or L, upright."""
    label: str = ""
    """Of the part that it shows; empty: of what was worked on."""
    note: str = ""
    """What the person should know of it."""


class NotNeeded(DatasetError):
    """A picture needs no version, and why; raised by `Tool.prepare` where that is worth telling."""


class Tool(ABC, Generic[P, R]):
    """What is done to one picture. `prepare` and `finish` run on threads, beside `infer` of another picture."""

    name: ClassVar[str]
    """The stage's: "upscale"."""
    verb: ClassVar[str]
    """Shown while it works: "Upscaling"."""
    kind: ClassVar[Kind]
    """What comes of it."""
    saving: SaveSettings = SaveSettings()
    undoes: Collection[str] = ()
    """Tools whose work does not count this time: where nothing else was done to a picture, the tool begins at the picture itself."""

    @abstractmethod
    def told(self, work: Work) -> Mapping[str, Any]:
        """Everything that decides how the version looks, fit for JSON; it is written into each version."""

    def reads(self, work: Work) -> Iterable[Path]:
        """Files that decide it too, beside what is worked on: a mask, a caption. If one changes meanwhile, nothing is written."""
        return ()

    def anew(self, unit: Unit, step: Step) -> bool:
        """Whether this step, the tool's last one on the way to a version, is done anew; False: the tool goes on from there."""
        return True

    def label(self, unit: Unit) -> str:
        """Under which a version is written that bears none of its own."""
        return unit.label

    def keeps_replaced(self, work: Work) -> bool:
        """Whether it is made anew of what lies in `variants/.replaced/`, which therefore stays there."""
        return work.source.parent.name == REPLACED

    def ready(self, progress: Progress) -> AbstractContextManager[Any]:
        """Held while there are pictures to work on: the model is open then. Raises: ModelError and the like: nothing can be done."""
        return contextlib.nullcontext()

    @abstractmethod
    def prepare(self, work: Work, decoded: Decoded) -> P | None:
        """What is done before the model; None: this picture needs no version.

        Raises: NotNeeded: the same, with the reason. StudioError: it is left out, with this reason.
        """

    def infer(self, prepared: P, progress: Progress) -> R:
        """What the model does, one picture after the other. Raises: StudioError: it is left out; Cancelled."""
        return prepared  # type: ignore[return-value]  # a tool without a model

    @abstractmethod
    def finish(self, work: Work, prepared: P, result: R) -> list[Output]:
        """The versions; none: nothing was found. Raises: NothingFound: the same, with its reason; StudioError: it is left out."""
