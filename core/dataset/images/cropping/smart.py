"""Smart crop: parts of each picture around its faces and people, with the proportions of a training size."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core.base.buckets import BucketRule, Fitter
from core.base.progress import SILENT, Progress
from core.base.words import counted
from core.dataset.curation.scorers.packaged import at_most
from core.dataset.images.cropping.people import Person, people_in
from core.dataset.images.cropping.planning import Crop, CropSettings, plan_crops
from core.dataset.images.detecting import DETECTORS, Box, Detector, Found, open_detector
from core.dataset.images.opening import Decoded, over_white
from core.dataset.images.resizing import resized
from core.dataset.images.sourcing import Work
from core.dataset.images.tool import NothingFound, Output, Tool
from core.dataset.images.version_report import VersionReport
from core.dataset.images.working import work_on
from core.dataset.project import Project
from core.dataset.training_file import trainer_rule

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

LOOKED_AT = 1280
"""Longest side of the copy in which faces are sought, px: one that it hides would give a crop of too few pixels."""


@dataclass(frozen=True)
class Looked:
    """What was found in one picture."""

    name: str
    people: int
    crops: tuple[str, ...]
    """Labels of those that were made."""
    left_out: tuple[str, ...]
    """Why others were not, each with its label."""

    def sentence(self) -> str:
        """"girl.png: 2 people, 3 crops; left out: full_body-2: …"."""
        why = f"; left out: {'; '.join(self.left_out)}" if self.left_out else ""
        return f"{self.name}: {_people(self.people)}, {counted(len(self.crops), 'crop')}{why}."


@dataclass
class CropReport(VersionReport):
    """What came of it, and what was seen in each picture that was looked at."""

    looked: list[Looked] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**super().as_dict(), "looked": [vars(one) for one in self.looked]}


@dataclass(frozen=True)
class Before:
    """A picture, and the copy in which people are sought."""

    image: Picture
    copy: Picture
    """RGB, what was transparent is white."""


class Cropper(Tool[Before, list[Person]]):
    """The tool. Args: rule: by which crops find their training size. Raises: ConfigError: it is no rule."""

    name, verb, kind = "crop", "Cropping", "part"

    def __init__(self, settings: CropSettings, rule: BucketRule) -> None:
        self.settings, self.saving = settings, settings.saving
        self.fitter = Fitter(rule)
        self.looked: dict[str, Looked] = {}
        """By the picture's name; filled while it works."""
        self._heads: Detector | None = None
        self._bodies: Detector | None = None

    def told(self, work: Work) -> dict[str, Any]:
        """The settings, and the training rule."""
        rule = self.fitter.rule
        told = self.settings.model_dump(mode="json", exclude={"images", "device"})
        return {**told, "rule": [*rule.resolution, rule.enable_bucket, rule.min_bucket_reso, rule.max_bucket_reso, rule.bucket_reso_steps,
                                 rule.bucket_no_upscale]}

    @contextlib.contextmanager
    def ready(self, progress: Progress) -> Iterator[None]:
        """The detectors are open. Raises: ModelError, MissingDependency, ConfigError, DiskError, Cancelled."""
        with contextlib.ExitStack() as held:
            self._heads = held.enter_context(open_detector(self.settings.detector, self.settings.device, progress))
            if self.settings.people_detector != "none":
                self._bodies = held.enter_context(open_detector(self.settings.people_detector, self.settings.device, progress))
            try:
                yield
            finally:
                self._heads = self._bodies = None

    def prepare(self, work: Work, decoded: Decoded) -> Before:
        """The copy that the detectors look at."""
        return Before(decoded.image, at_most(over_white(decoded.image), LOOKED_AT))

    def infer(self, prepared: Before, progress: Progress) -> list[Person]:
        """Who is in it, in pixels of the picture. Raises: ModelError, Cancelled."""
        assert self._heads is not None
        heads = _enlarged(self._heads.find(prepared.copy), prepared)
        progress.check()
        bodies = _enlarged(self._bodies.find(prepared.copy), prepared) if self._bodies is not None else []
        return people_in(heads, bodies)

    def finish(self, work: Work, prepared: Before, result: list[Person]) -> list[Output]:
        """Raises: NothingFound: nobody was found, or no crop is large enough or shows anything new."""
        plan = plan_crops(result, prepared.image.size, self.fitter, self.settings)
        seen = Looked(work.unit.title, plan.people, tuple(crop.label for crop in plan.crops), tuple(plan.left_out))
        self.looked[work.unit.title] = seen
        if not result:
            raise NothingFound(f"Nobody was found by {DETECTORS.entry(self.settings.detector).title}.", self._other_detector())
        if not plan.crops:
            raise NothingFound(f"{_people(plan.people)}, but no crop: {'; '.join(plan.left_out)}.")
        return [self._output(prepared.image, crop) for crop in plan.crops]

    def _output(self, image: Picture, crop: Crop) -> Output:
        cut, bucket, notes = image.crop(crop.framed.cut), crop.framed.bucket, [_seen(crop.person)]
        if self.settings.size == "bucket" and cut.width >= bucket[0] and cut.height >= bucket[1]:
            cut = resized(cut, bucket, bucket)
        elif self.settings.size == "bucket":
            notes.append(f"smaller than its training size {bucket[0]} x {bucket[1]}: upscale it")
        return Output(cut, crop.label, "; ".join(notes))

    def _other_detector(self) -> str:
        if DETECTORS.entry(self.settings.detector).options["drawn"]:
            return "For photographs choose lbp-face, mtcnn or yunet."
        return "mtcnn and yunet find turned faces too; for drawings choose anime-face or anime-head."


def make_cropper(project: Project, settings: CropSettings) -> Cropper:
    """The tool for one project. Raises: ConfigError: the training sizes do not fit together."""
    return Cropper(settings, trainer_rule(project))


def crop_images(project: Project, settings: CropSettings, progress: Progress = SILENT) -> CropReport:
    """Make crops of every picture around its faces and people.

    Raises: ConfigError: the training sizes do not fit together, or CUDA is not to be had. ModelError, MissingDependency: a detector cannot
        be had. DatasetError: the project cannot be read. DiskError. Cancelled: what was made stays.
    """
    tool = make_cropper(project, settings)
    report = work_on(project, tool, settings.images, progress)
    looked = [tool.looked[name] for name in sorted(tool.looked)]
    for one in looked:
        if one.crops and one.left_out:  # a picture without a crop is told of as it comes
            progress.note(one.sentence())
    return CropReport(**vars(report), looked=looked)


def _enlarged(found: list[Found], before: Before) -> list[Found]:
    """What was found in the copy, in pixels of the picture."""
    x, y = before.image.width / before.copy.width, before.image.height / before.copy.height

    def of(box: Box) -> Box:
        return box[0] * x, box[1] * y, box[2] * x, box[3] * y

    return [replace(one, box=of(one.box), landmarks=tuple((left * x, top * y) for left, top in one.landmarks) if one.landmarks else None)
            for one in found]


def _seen(person: Person) -> str:
    """"face 182 px high, 76 % sure"."""
    what = f"face {round(person.face_height)} px high" if person.face_height else "a person without a face"
    return f"{what}, {person.score:.0%} sure".replace("%", " %")


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"
