"""Enhance: a version of each picture that is larger, with its faces restored, its contrast evened out, its noise taken away, as chosen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError
from core.base.progress import SILENT, Progress
from core.base.settings import SET, setting
from core.base.words import counted
from core.dataset.images.detecting import Detector, DetectorName, open_detector
from core.dataset.images.enhancing.cleaning import LARGEST_CONTRAST, denoised, evened
from core.dataset.images.enhancing.faces import SIDE, Place, cut_face, lay_face, place_of
from core.dataset.images.enhancing.restoring import FaceRestorer, opened_restorer
from core.dataset.images.opening import Decoded
from core.dataset.images.saving import SaveSettings
from core.dataset.images.sourcing import Work
from core.dataset.images.tool import NothingFound, NotNeeded, Output, Tool
from core.dataset.images.upscaling.enlarging import Enlarger
from core.dataset.images.upscaling.network import Network
from core.dataset.images.upscaling.opened import identity_of, opened_network
from core.dataset.images.upscaling.tool import SizedSettings, Wanted, enlarged, fitted, goal_for, told_by, why_large_enough
from core.dataset.images.version_report import VersionReport
from core.dataset.images.working import work_on
from core.dataset.project import Project

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

LARGEST_FACE = 1.25 * SIDE
"""Side of a face's square from which it has more detail than a restorer gives back, px."""


class EnhanceSettings(SizedSettings):
    """What is done to each picture."""

    title = "Enhance"

    images: tuple[str, ...] = setting((), "Only these", "Ids of images (names without the ending); none given: all.", level="expert")
    upscale: bool = setting(True, "Upscale", "Enlarge pictures that are smaller than the size below.")
    faces: bool = setting(False, "Restore faces", "Faces are found, drawn anew by a model and laid back. Of drawings it makes photographs: "
                          "leave it off there. It may change who a person looks like.")
    restorer: str = setting("gfpgan-1.4", "Face restorer", "gfpgan-1.4, or the name of a file in models/restorers. codeformer may not be "
                            "used commercially (S-Lab License 1.0), and needs a package that you install yourself.", only={"faces": SET})
    detector: DetectorName = setting(  # type: ignore[valid-type]
        "lbp-face", "Face detector", "Finds the faces. One that knows eyes and mouth places them better.", level="advanced",
        only={"faces": SET})
    face_strength: float = setting(0.8, "Strength on faces", "How much of a face is replaced: 0 nothing, 1 all of it.", ge=0, le=1,
                                   level="advanced", only={"faces": SET})
    contrast: float = setting(0.0, "Adaptive contrast", "Clip limit of CLAHE on the lightness: 0 leaves it, .01 is mild, .03 strong.", ge=0,
                              le=0.1)
    denoise: float = setting(0.0, "Noise", "Take away noise up to this deviation in steps of 255: 0 leaves it, 3 is mild, 10 strong. It is "
                             "done before enlarging, so that noise is not enlarged.", ge=0, le=40)
    saving: SaveSettings = setting(SaveSettings(), "Saving", "Format and quality.")

    def is_any(self) -> bool:
        """Whether there is something to do."""
        return self.upscale or self.faces or self.contrast > 0 or self.denoise > 0


@dataclass(frozen=True)
class Restored:
    """A face that is to be laid into the picture."""

    face: Picture
    place: Place
    """In the picture before it was enlarged."""


@dataclass(frozen=True)
class Bettered:
    """What came of a picture."""

    image: Picture
    faces: tuple[Restored, ...] = ()
    notes: tuple[str, ...] = ()


class Enhancer(Tool["Wanted", "Bettered"]):
    """The tool. Raises: ConfigError: nothing is chosen."""

    name, verb, kind = "enhance", "Enhancing", "upscaled"

    def __init__(self, settings: EnhanceSettings) -> None:
        if not settings.is_any():
            raise ConfigError("Nothing is chosen that Enhance should do.", "Switch on Upscale or Restore faces, or set contrast or noise.")
        self.settings, self.saving = settings, settings.saving
        self.enlarger = Enlarger(settings.tile, settings.overlap)
        self._network: Network | None = None
        self._restorer: FaceRestorer | None = None
        self._detector: Detector | None = None

    def told(self, work: Work) -> dict[str, Any]:
        """What is used of the settings, but not where and how precisely it is computed."""
        chosen = self.settings
        unused = set() if chosen.upscale else {*SizedSettings.fields()}
        unused |= set() if chosen.faces else {"restorer", "detector", "face_strength"}
        told = {name: value for name, value in told_by(chosen).items() if name not in unused}
        told |= {"model": identity_of(chosen.model)} if chosen.upscale else {}
        return told | ({"restorer": identity_of(chosen.restorer, "face restorer")} if chosen.faces else {})

    @contextlib.contextmanager
    def ready(self, progress: Progress) -> Iterator[None]:
        """The models are open that are needed. Raises: ModelError, DiskError, ConfigError, MissingDependency, Cancelled."""
        chosen = self.settings
        with contextlib.ExitStack() as held:
            if chosen.upscale:
                self._network = held.enter_context(opened_network(chosen.model, chosen.device, chosen.precision, progress))
            if chosen.faces:
                self._restorer = held.enter_context(opened_restorer(chosen.restorer, chosen.device, progress))
                self._detector = held.enter_context(open_detector(chosen.detector, chosen.device, progress))
            try:
                yield
            finally:
                self._network = self._restorer = self._detector = None

    def prepare(self, work: Work, decoded: Decoded) -> Wanted | None:
        """Raises: NotNeeded: it is large enough, and nothing else is chosen; DatasetError: it would become larger than any picture."""
        chosen, size = self.settings, decoded.image.size
        goal = goal_for(size, chosen) if chosen.upscale else size
        if goal == size and not chosen.changed(upscale=False).is_any():
            raise NotNeeded(why_large_enough(chosen))
        return Wanted(work.unit.title, decoded.image, goal)

    def infer(self, prepared: Wanted, progress: Progress) -> Bettered:
        """Noise first, then faces and size. Raises: ModelError, DatasetError, Cancelled."""
        wanted, notes = prepared, []
        if self.settings.denoise:
            wanted = replace(wanted, image=denoised(wanted.image, self.settings.denoise, wanted.name, progress))
        faces: tuple[Restored, ...] = ()
        if self._restorer is not None and self._detector is not None:
            faces, told = restored_faces(self._restorer, self._detector, wanted.image, progress)
            notes.append(told)
        image = wanted.image
        if self._network is not None and wanted.goal != image.size:
            image = enlarged(self.enlarger, self._network, wanted, progress)
        return Bettered(image, faces, tuple(notes))

    def finish(self, work: Work, prepared: Wanted, result: Bettered) -> list[Output]:
        """At the size that is wanted, faces laid in, contrast last. Raises: NothingFound: no face was found, and nothing else is chosen."""
        chosen, before = self.settings, prepared.image.size
        if not result.faces and prepared.goal == before and not chosen.contrast and not chosen.denoise:
            raise NothingFound("No face was found that is to be restored.")
        made = fitted(prepared.goal, result.image, self.enlarger)
        image, notes = with_faces(made.image, result.faces, before, chosen.face_strength), [*result.notes]
        if chosen.contrast and image.width * image.height > LARGEST_CONTRAST:
            notes.append(f"contrast was left as it is: over {LARGEST_CONTRAST / 1e6:g} million pixels")
        elif chosen.contrast:
            image = evened(image, chosen.contrast)
        return [Output(image, note="; ".join(words for words in (made.note, *notes) if words))]


def make_enhancer(project: Project, settings: EnhanceSettings) -> Enhancer:
    """The tool for a project. Raises: ConfigError: nothing is chosen."""
    return Enhancer(settings)


def enhance_images(project: Project, settings: EnhanceSettings, progress: Progress = SILENT) -> VersionReport:
    """Make an enhanced version of every picture that needs one.

    Raises: ConfigError: nothing is chosen, or CUDA was asked for and is not to be had. DatasetError: the project cannot be read.
        ModelError: a model is none, or cannot be had. MissingDependency. DiskError. Cancelled: what was made stays.
    """
    return work_on(project, make_enhancer(project, settings), settings.images, progress)


def restored_faces(restorer: FaceRestorer, detector: Detector, image: Picture, progress: Progress = SILENT
                   ) -> tuple[tuple[Restored, ...], str]:
    """Faces of a picture, restored, and what should be known of it. Raises: ModelError; Cancelled."""
    picture = image.convert("RGB")
    places = [place_of(found.box, found.landmarks) for found in detector.find(picture) if found.kind == "face"]
    restored = []
    for place in places:
        progress.check()
        if place.side <= LARGEST_FACE:
            restored.append(Restored(restorer.restore(cut_face(picture, place)), place))
    large = len(places) - len(restored)
    left = f", {large} left: their detail is finer than a restorer's" if large else ""
    return tuple(restored), f"{counted(len(restored), 'face')} restored{left}"


def with_faces(image: Picture, faces: tuple[Restored, ...], before: tuple[int, int], strength: float) -> Picture:
    """A picture with its restored faces. Args: before: its size when they were cut out."""
    if not faces:
        return image
    made = image.convert("RGB")
    for one in faces:
        lay_face(made, one.face, one.place.scaled(made.width / before[0], made.height / before[1]), strength)
    if image.mode == "RGBA":
        made.putalpha(image.getchannel("A"))
    return made
