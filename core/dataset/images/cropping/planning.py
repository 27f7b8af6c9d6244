"""Which crops are made of one picture: every framing of every person, without those that are too small or show nothing new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from core.base.buckets import Fitter, Size
from core.base.settings import Settings, setting
from core.dataset.images.cropping.framing import Cut, Framed, Framing, NoCrop, frame
from core.dataset.images.cropping.people import Person
from core.dataset.images.detecting import DETECTORS
from core.dataset.images.saving import ExactSettings

HEAD_DETECTORS = tuple(entry.name for entry in DETECTORS if "person" not in entry.options["finds"])
BODY_DETECTORS = tuple(entry.name for entry in DETECTORS if "person" in entry.options["finds"])
RECIPES = "dataset-recipes: face_focus 3.5 x, upper_body 6 x the face's height, at least 512 px"


class CropSettings(Settings):
    """What is looked for, how it is framed, and which crops are left out."""

    title = "Smart crop"

    images: tuple[str, ...] = setting((), "Only these", "Ids of images (names without the ending); none given: all.", level="expert")
    framings: tuple[Framing, ...] = setting(("face_focus", "upper_body", "full_body"), "Framings", "face_focus: head and shoulders. "
                                            "upper_body: down to the hips. full_body: the whole person.", min_length=1)
    detector: Literal[HEAD_DETECTORS] = setting("lbp-face", "Faces found by",  # type: ignore[valid-type]
                                                "lbp-face needs no download and finds faces in photographs that look into the camera; "
                                                "mtcnn and yunet find turned ones too; anime-face and anime-head are for drawings.")
    people_detector: Literal[("none", *BODY_DETECTORS)] = setting("none", "People found by",  # type: ignore[valid-type]
                                                                  "Tells where a body ends, for full_body. none: a strip of ten face "
                                                                  "heights is taken.")
    smallest: int = setting(512, "Smallest side", "A crop whose shorter side has fewer pixels is left out.", unit="px", ge=16, le=8192,
                            source=RECIPES)
    keep_small: bool = setting(False, "Keep smaller ones", "Crops below the smallest side are made all the same; upscale them then.")
    people: int = setting(3, "People", "So many in a picture at most, the largest first.", ge=1, le=50)
    most: int = setting(6, "Crops of a picture", "At most; the largest person's come first.", ge=1, le=200)
    size: Literal["own", "bucket"] = setting("own", "Size", "own: every pixel stays as it is. bucket: shrunk to the training size; nothing "
                                             "is enlarged.")
    face_times: float = setting(3.5, "Height of a face_focus", "In face heights.", unit="x", level="advanced", ge=1.5, le=20,
                                source=RECIPES)
    body_times: float = setting(6.0, "Height of an upper_body", "In face heights.", unit="x", level="advanced", ge=2, le=30,
                                source=RECIPES)
    alike: float = setting(0.85, "Alike from", "Crops that overlap with the whole picture, or with another crop, by more than that share "
                           "are left out.", level="expert", gt=0.3, le=1)
    device: Literal["auto", "cuda", "cpu"] = setting("auto", "Device", "auto: the GPU where there is one.", level="advanced")
    saving: ExactSettings = setting(ExactSettings(), "Saving", "Format and quality.")


@dataclass(frozen=True)
class Crop:
    """One crop that is to be made."""

    label: str
    """"face_focus"; "face_focus-2" of the second person."""
    framed: Framed
    person: Person


@dataclass
class CropPlan:
    """What becomes of one picture."""

    people: int
    """That were found."""
    crops: list[Crop] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Why a crop is not made, each with its label."""


def plan_crops(people: Sequence[Person], size: Size, fitter: Fitter, settings: CropSettings) -> CropPlan:
    """Which crops are made. People are numbered by size, the largest first and without a number.

    Args: size: of the picture, px.
    """
    plan = CropPlan(len(people))
    for number, person in enumerate(people[:settings.people], 1):
        for framing in dict.fromkeys(settings.framings):
            label = framing if number == 1 else f"{framing}-{number}"
            try:
                framed = frame(person, framing, size, fitter, settings.face_times, settings.body_times)
                _refuse(framed, plan, size, settings)
            except NoCrop as why:
                plan.left_out.append(f"{label}: {why}")
            else:
                plan.crops.append(Crop(label, framed, person))
    if len(people) > settings.people:
        plan.left_out.append(f"{len(people) - settings.people} smaller people: at most {settings.people} are taken")
    return plan


def overlap(one: Cut, other: Cut) -> float:
    """What both cover by what either covers, 0 to 1."""
    width, height = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    both = max(0, width) * max(0, height)
    return both / (_area(one) + _area(other) - both)


def _refuse(framed: Framed, plan: CropPlan, size: Size, settings: CropSettings) -> None:
    """Raises: NoCrop: it is too small, or shows nothing new, or there are enough."""
    if min(framed.size) < settings.smallest and not settings.keep_small:
        raise NoCrop(f"{framed.size[0]} x {framed.size[1]} px, below {settings.smallest}")
    if overlap(framed.cut, (0, 0, *size)) > settings.alike:
        raise NoCrop("nearly the whole picture")
    for other in plan.crops:
        if overlap(framed.cut, other.framed.cut) > settings.alike:
            raise NoCrop(f"nearly the same as {other.label}")
    if len(plan.crops) >= settings.most:
        raise NoCrop(f"at most {settings.most} of a picture are made")


def _area(cut: Cut) -> int:
    return (cut[2] - cut[0]) * (cut[3] - cut[1])
