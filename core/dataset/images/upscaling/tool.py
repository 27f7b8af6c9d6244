"""Upscaling: a version of each picture that a network made larger; the picture itself stays as it is."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.base.buckets import Size
from core.base.errors import DatasetError
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.images.opening import MAX_PIXELS, Decoded
from core.dataset.images.resizing import ResizeSettings, new_size, resized
from core.dataset.images.saving import SaveSettings
from core.dataset.images.sourcing import Work
from core.dataset.images.tool import NotNeeded, Output, Tool
from core.dataset.images.upscaling.enlarging import Enlarger
from core.dataset.images.upscaling.network import Network, Precision
from core.dataset.images.upscaling.opened import identity_of, opened_network
from core.dataset.images.version_report import VersionReport
from core.dataset.images.working import work_on
from core.dataset.project import Project

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MOST_PASSES = 2
"""So often a picture goes through the network at most; what is still missing then is enlarged by Lanczos."""
MOST_ON_THE_WAY = 2 * MAX_PIXELS
"""Pixels that the network may make before they are brought to the size that is wanted."""
Mode = Literal["shortest", "longest", "factor", "model"]


class NetworkSettings(Settings):
    """With which network, and how it computes."""

    title = "Upscaling model"

    model: str = setting("realesrgan-x4plus", "Model", "A named upscaler, which is fetched when it is first used, or the name of a file in "
                         "models/upscalers. Mind its licence.")
    tile: int = setting(0, "Tile", "Side of the pieces in which a picture is computed; 0: by the device and its memory. It shrinks by "
                        "itself where memory does not suffice.", unit="px", level="expert", ge=0, le=4096)
    overlap: int = setting(16, "Overlap", "Of neighbouring tiles; a model that sees no further than half of it makes exactly the same "
                           "in tiles. More, where a seam can be seen; it takes longer.", unit="px", level="expert", ge=4, le=256)
    precision: Precision = setting("auto", "Precision", "auto: half on a GPU where the model bears it, else full.", level="expert")
    device: Literal["auto", "cuda", "cpu"] = setting("auto", "Device", "auto takes the GPU where there is one.", level="advanced")


class SizedSettings(NetworkSettings):
    """With which network, and to which size."""

    title = "Upscaling"

    mode: Mode = setting("shortest", "Size by", "shortest, longest: that side gets exactly the length below; a picture that has it "
                         "already is not enlarged. factor: so many times as large. model: as large as the model makes it.")
    side: int = setting(2048, "Length", "Of the shortest or longest side.", unit="px", ge=64, le=16384,
                        only={"mode": ("shortest", "longest")}, source="dataset-recipes: 2048, 1024 to 4096")
    scale: float = setting(2.0, "Factor", "So many times as wide and as high.", gt=1, le=16, only={"mode": ("factor",)})


class UpscaleSettings(SizedSettings):
    """Which pictures, with which network, to which size."""

    title = "Upscale"

    images: tuple[str, ...] = setting((), "Only these", "Ids of images (names without the ending); none given: all.", level="expert")
    saving: SaveSettings = setting(SaveSettings(), "Saving", "Format and quality.")


@dataclass(frozen=True)
class Wanted:
    """A picture, and how large it is to be."""

    name: str
    image: Picture
    goal: Size | None
    """None: as the network makes it."""


class Upscaler(Tool["Wanted", "Picture"]):
    """The tool."""

    name, verb, kind = "upscale", "Upscaling", "upscaled"

    def __init__(self, settings: UpscaleSettings) -> None:
        self.settings, self.saving = settings, settings.saving
        self.enlarger = Enlarger(settings.tile, settings.overlap)
        self._network: Network | None = None

    def told(self, work: Work) -> dict[str, Any]:
        """Everything but where and how precisely it is computed."""
        return {**told_by(self.settings), "model": identity_of(self.settings.model)}

    @contextlib.contextmanager
    def ready(self, progress: Progress) -> Iterator[None]:
        """The network is open. Raises: ModelError, DiskError, ConfigError, MissingDependency, Cancelled."""
        with opened_network(self.settings.model, self.settings.device, self.settings.precision, progress) as self._network:
            try:
                yield
            finally:
                self._network = None

    def prepare(self, work: Work, decoded: Decoded) -> Wanted | None:
        """Raises: NotNeeded: it is large enough; DatasetError: it would become larger than any picture."""
        goal = goal_for(decoded.image.size, self.settings)
        if goal == decoded.image.size:
            raise NotNeeded(why_large_enough(self.settings))
        return Wanted(work.unit.title, decoded.image, goal)

    def infer(self, prepared: Wanted, progress: Progress) -> Picture:
        """As large as it is to be, or larger. Raises: ModelError, DatasetError, Cancelled."""
        assert self._network is not None
        return enlarged(self.enlarger, self._network, prepared, progress)

    def finish(self, work: Work, prepared: Wanted, result: Picture) -> list[Output]:
        """At exactly the size that is wanted."""
        return [fitted(prepared.goal, result, self.enlarger)]


def make_upscaler(project: Project, settings: UpscaleSettings) -> Upscaler:
    """The tool for a project."""
    return Upscaler(settings)


def upscale_images(project: Project, settings: UpscaleSettings, progress: Progress = SILENT) -> VersionReport:
    """Make a larger version of every picture that is not as large as it is to be.

    Raises: DatasetError: the project cannot be read. ModelError: the model is none, or cannot be had. ConfigError: CUDA was asked for and
        is not to be had. DiskError. Cancelled: what was made stays.
    """
    return work_on(project, make_upscaler(project, settings), settings.images, progress)


def told_by(settings: SizedSettings) -> dict[str, Any]:
    """Settings that decide how a version looks: without those that its mode does not use, and not where and how precisely."""
    unused = {"images", "device", "precision"}
    unused |= set() if settings.mode in ("shortest", "longest") else {"side"}
    unused |= set() if settings.mode == "factor" else {"scale"}
    return settings.model_dump(mode="json", exclude=unused)


def goal_for(size: Size, settings: SizedSettings) -> Size | None:
    """As `goal_of`, by settings."""
    return goal_of(size, settings.mode, settings.side, settings.scale)


def why_large_enough(settings: SizedSettings) -> str:
    """Why a picture is not enlarged."""
    if settings.mode == "factor":
        return f"{settings.scale:g} times its pixels are no more than it has."
    return f"Its {settings.mode} side has {settings.side} px or more."


def goal_of(size: Size, mode: Mode, side: int, scale: float) -> Size | None:
    """How large a picture is to be; its own size: it is large enough; None: as the network makes it. Raises: DatasetError: too large."""
    if mode == "model":
        return None
    if mode == "factor":
        goal = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    elif (min(size) if mode == "shortest" else max(size)) >= side:
        return size
    else:
        goal = new_size(size, ResizeSettings(mode=mode, side=max(side, 16), enlarge=True))[0]
    if goal[0] * goal[1] > MAX_PIXELS:
        raise DatasetError(f"With {size[0]} x {size[1]} pixels it would become {goal[0]} x {goal[1]}; the limit is {MAX_PIXELS / 1e6:g} "
                           "million pixels.", "Choose a smaller size.")
    return goal


def enlarged(enlarger: Enlarger, network: Network, wanted: Wanted, progress: Progress = SILENT) -> Picture:
    """A picture as large as it is to be, or larger. Raises: DatasetError: it would become too large on the way; ModelError; Cancelled."""
    image = wanted.image
    for _ in range(passes(image.size, wanted.goal, network.scale)):
        size = (image.width * network.scale, image.height * network.scale)
        if size[0] * size[1] > (MAX_PIXELS if wanted.goal is None else MOST_ON_THE_WAY):
            raise DatasetError(f"The model would make {size[0]} x {size[1]} pixels of {image.width} x {image.height}, which is too large.",
                               f"Choose a model that enlarges less than {network.scale} times.")
        image = enlarger.enlarge(network, image, wanted.name, progress)
    return image


def passes(size: Size, goal: Size | None, scale: int) -> int:
    """How often a picture goes through the network."""
    if goal is None or scale < 2:
        return 1
    factor = max(goal[0] / size[0], goal[1] / size[1])
    return min(MOST_PASSES, max(1, math.ceil(math.log(factor, scale) - 1e-6)))


def fitted(goal: Size | None, made: Picture, enlarger: Enlarger) -> Output:
    """What was made at exactly the size that is wanted, and what should be known of it."""
    notes = []
    if goal is not None and goal != made.size:
        if goal[0] > made.width:
            notes.append(f"the model made {made.width} x {made.height} of it, the rest is enlarged plainly")
        made = resized(made, goal, goal)
    if enlarger.shrunk:
        notes.append(f"memory sufficed for tiles of {enlarger.shrunk} px only")
    return Output(made, note="; ".join(notes))
