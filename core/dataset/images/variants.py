"""Versions of a picture that tools made: what their files are called, which one is the best, and of what each was made.

A version lies in `variants/` under the name of its picture:

    girl_resized.png  girl_upscaled.png  girl_inpainted.png     the whole picture, the last of these that exists is the best
    girl_face_focus.png                                         a part of it, called by its label
    girl_mask.png  girl_face_focus_mask.png                     what counts of the picture, or of a part
    girl_transparent.png  girl_face_focus_transparent.png       without its background

What it was made of is written into the file itself (the EXIF field ImageDescription), so that it goes along when files are renamed or
copied; a copy for a trainer is made without it.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from core.base.errors import DatasetError
from core.base.files import explain_disk_errors, write_bytes
from core.dataset.images.files import IMAGE_SUFFIXES, image_files, natural_name_key, stem_of
from core.dataset.images.opening import read_description
from core.dataset.project import Project

Kind = Literal["resized", "upscaled", "inpainted", "part", "mask", "transparent"]
WHOLE: tuple[Kind, ...] = ("resized", "upscaled", "inpainted")
"""Versions of the whole picture; a later one is better."""
BESIDE: tuple[Kind, ...] = ("mask", "transparent")
"""What goes with a picture, or with a part of it."""
LABEL = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")
REPLACED = ".replaced"
"""Folder in variants/ with what the last saving under each name replaced."""
AT_IT = 60.0
"""Seconds for which a version that is just being taken back may lie under a hidden name."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One file of `variants/`."""

    stem: str
    """Of the picture that it was made of."""
    kind: Kind
    name: str
    label: str = ""
    """Of a part ("face_focus"); empty: the whole picture."""


@dataclass(frozen=True)
class Step:
    """One thing that was done on the way from the picture to a version."""

    tool: str
    """The stage: "resize", "upscale" …"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Everything that decides how it looks."""


@dataclass(frozen=True)
class Made:
    """How a version was made."""

    of: str
    """SHA-256 of the picture in `images/` that it goes back to."""
    steps: tuple[Step, ...]
    """In order; a version that was made of another version begins with that one's steps."""

    def text(self) -> str:
        """As it stands in the file."""
        steps = [[step.tool, dict(step.settings)] for step in self.steps]
        return json.dumps({"lorabook": steps, "of": self.of}, ensure_ascii=True, sort_keys=True)


def variant_of(name: str, stems: Collection[str]) -> Variant | None:
    """What a file of `variants/` is; None: it belongs to none of the pictures, or is no version.

    Args: name: the file's. stems: of the pictures; "a_mask.png" is the mask of "a", but where there is a picture "a_mask" it is not.
    """
    stem = owner_of(name, stems)
    place, ending = name[len(stem):].rsplit(".", 1) if stem and "." in name[len(stem):] else ("", "")
    if not place.startswith("_") or f".{ending.lower()}" not in IMAGE_SUFFIXES:
        return None
    rest = place[1:]
    if rest in WHOLE:
        return Variant(stem, rest, name)
    for kind in BESIDE:
        if rest == kind:
            return Variant(stem, kind, name)
        if rest.endswith(f"_{kind}") and LABEL.fullmatch(label := rest.removesuffix(f"_{kind}")):
            return Variant(stem, kind, name, label)
    return Variant(stem, "part", name, rest) if LABEL.fullmatch(rest) else None


def owner_of(name: str, stems: Collection[str]) -> str:
    """The picture that a file of `variants/` was made of: the longest stem that it begins with; empty for none."""
    for end in range(len(name) - 1, 0, -1):
        if name[end] in "_." and name[:end] in stems:
            return name[:end]
    return ""


def versions_of(project: Project, stem: str) -> list[Variant]:
    """The versions of one picture; those of another one whose name begins like its own are not among them. Raises: DatasetError."""
    return list_variants(project, {stem_of(path.name) for path in image_files(project.images)}).get(stem, [])


def list_variants(project: Project, stems: Collection[str], only: str = "") -> dict[str, list[Variant]]:
    """The versions of each picture that has any, by its stem.

    Args:
        stems: of every picture of the project, or "girl_2_upscaled.png" would be taken for a version of "girl".
        only: of this picture alone.

    Raises: DatasetError: the folder cannot be read.
    """
    found: dict[str, list[Variant]] = {}
    known = stems if isinstance(stems, (set, frozenset, dict)) else set(stems)
    try:
        with os.scandir(project.variants) as entries:
            names = sorted((entry.name for entry in entries if entry.name.startswith(only)), key=natural_name_key)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DatasetError(f"{project.variants} cannot be read ({error.strerror or type(error).__name__}).", "Check its rights.") from error
    for entry in names:
        name = entry.removeprefix(".")
        variant = variant_of(name, known)
        if variant is not None and name != entry and not _set_right(project.variants / entry):
            continue
        if variant is not None and only in ("", variant.stem):
            found.setdefault(variant.stem, []).append(variant)
    return found


def best_of(variants: Iterable[Variant]) -> Variant | None:
    """The best version of the whole picture; None: there is only the picture itself."""
    whole = [variant for variant in variants if variant.kind in WHOLE]
    return max(whole, key=lambda variant: WHOLE.index(variant.kind), default=None)


def file_name(stem: str, kind: Kind, suffix: str, label: str = "") -> str:
    """What a version is called. Raises: DatasetError: no label of that form. Args: suffix: with its dot."""
    if label and not LABEL.fullmatch(label):
        raise DatasetError(f"A part cannot be called {label!r}.", "Use small letters, digits and _.")
    words = [stem, label] if label else [stem]
    if kind == "part":
        if not label or label in get_args(Kind):
            raise DatasetError(f"A part cannot be called {label!r}.", "Choose another label.")
    else:
        words.append(kind)
    return "_".join(words) + suffix


def save_variant(project: Project, stem: str, kind: Kind, data: bytes, suffix: str, label: str = "", again: bool = False) -> Path:
    """Write a version, whole or not at all. What it replaces, also under another ending, is kept in `variants/.replaced/`.

    Args: again: it is made anew of what is kept there, which therefore stays there.

    Raises: DiskError: no space or no permission. DatasetError: no label of that form, or another picture is called like it.
    """
    path = project.variants / file_name(stem, kind, suffix, label)
    _refuse_another(project, stem, path.name)
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        before = list(under_any_ending(path))
        for old in before if not again else ():
            _keep(old)
        write_bytes(path, data)
        for old in before:
            if old.name != path.name:
                old.unlink(missing_ok=True)
    return path


def put_aside_variant(project: Project, variant: Variant) -> None:
    """Take a version out of use; it is kept in `variants/.replaced/`, in the place of what it had replaced. Raises: DiskError."""
    path = project.variants / variant.name
    with explain_disk_errors(path):
        _keep(path)
        path.unlink()


def read_made(path: Path) -> Made | None:
    """How a version was made, from its file; None: it does not say, or is no image."""
    try:
        return _made_of(read_description(path))
    except DatasetError:
        return None


def is_note_of_ours(text: str) -> bool:
    """Whether the ImageDescription of a file was written by a tool of Lorabook."""
    return _made_of(text) is not None


def _made_of(text: str) -> Made | None:
    try:
        values = json.loads(text)
        return Made(str(values["of"]), tuple(Step(str(tool), dict(settings)) for tool, settings in values["lorabook"]))
    except (ValueError, KeyError, TypeError):
        return None


def replaced_one(path: Path) -> Path | None:
    """The version that this one replaced; None: there is none any more."""
    return next(iter(under_any_ending(path.parent / REPLACED / path.name)), None)


def _set_right(held: Path) -> bool:
    """What a taking back left under a hidden name when the machine went down in the middle of it, put where it belongs.

    Returns: whether it stands in `variants/` now.
    """
    place = held.with_name(held.name.removeprefix("."))
    aside = place.parent / REPLACED / place.name
    try:
        if time.time() - held.stat().st_ctime < AT_IT:
            return False
        if not under_any_ending(place):
            os.replace(held, place)
            return True
        if not under_any_ending(aside):
            os.replace(held, aside)
    except OSError:
        pass  # a folder that cannot be written to is listed all the same
    return False


def under_any_ending(path: Path) -> list[Path]:
    """The files of that name, whatever their ending as pictures."""
    return [found for suffix in IMAGE_SUFFIXES if (found := path.with_suffix(suffix)).is_file()]


def _keep(path: Path) -> None:
    """It also in `variants/.replaced/`, in the place of the one before: by a second name where the file system has such, else a copy."""
    aside = path.parent / REPLACED
    aside.mkdir(exist_ok=True)
    older, held = under_any_ending(aside / path.name), aside / f".{path.name}"
    held.unlink(missing_ok=True)
    try:
        os.link(path, held)
        os.replace(held, aside / path.name)
        held.unlink(missing_ok=True)  # both names of one file: then a rename does nothing
    except OSError:
        write_bytes(aside / path.name, path.read_bytes())
    for one in older:
        if one.name != path.name:
            one.unlink()


def _refuse_another(project: Project, stem: str, name: str) -> None:
    """Raises: DatasetError: the name would be taken for a version of another picture, or for the picture itself."""
    for end in range(len(stem) + 1, len(name)):
        if name[end] in "_." and any((project.images / f"{name[:end]}{suffix}").exists() for suffix in IMAGE_SUFFIXES):
            raise DatasetError(f"{name} would be taken for a version of the picture {name[:end]!r}.",
                               "Give that picture another name (Rename), or the part another label.")
