"""Putting images aside with their captions, and putting them back. Files are moved, never deleted; a record says why."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.base.errors import DatasetError, DiskError
from core.base.files import write_new
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted
from core.dataset.companions import stem_of_companion
from core.dataset.images.files import IMAGE_SUFFIXES
from core.dataset.images.not_worked_on import not_worked_on
from core.dataset.items import Skipped, list_items
from core.dataset.moving import moving_images
from core.dataset.project import Project
from core.dataset.rejected import Rejected, note_move, read_record, rejected_images
from core.dataset.rejected_versions import bring_back, moves_of_versions, tidy, versions_by_stem
from core.dataset.sources.ledger import fold


class RejectSettings(Settings):
    """Images to put aside, and why."""

    title = "Reject images"

    images: tuple[str, ...] = setting(..., "Images", "File names, or ids (names without the ending).")
    reason: str = setting("", "Reason", "Kept beside them, so that it is known later why they are not used.")


class RestoreSettings(Settings):
    """Rejected images to put back."""

    title = "Put images back"

    images: tuple[str, ...] = setting((), "Images", "File names, or ids (names without the ending). None given: all of them.")


@dataclass
class MoveReport:
    """What was rejected or put back."""

    done: list[str] = field(default_factory=list)
    """File names of the images as they are called now."""
    skipped: list[Skipped] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    """File names as they lie in their new folder."""
    word: str = "rejected"

    def sentence(self) -> str:
        """The result in one line."""
        skipped = f", {len(self.skipped)} left where they were" if self.skipped else ""
        return f"{counted(len(self.done), 'image')} {self.word}{skipped}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"done": self.done, "places": self.places, "skipped": [vars(item) for item in self.skipped]}


def reject_images(project: Project, settings: RejectSettings, progress: Progress = SILENT,
                  seen: Mapping[str, str] | None = None) -> MoveReport:
    """Move images with their captions, other files of their stem and their versions to rejected/.

    What an image shares with another one (a.png and a.jpg) is left to that one: its caption is copied, its versions are not.

    Args: seen: file name → SHA-256 of pictures that were looked at, those that stay for the sake of which others go as well; if one is
        no longer the same, nothing is moved.
    Returns: what was moved, and what could not be with the reason.
    Raises: DatasetError: they are being trained on, are not those that were seen, or are moved or worked on by someone else; Cancelled:
        what was moved stays so; DiskError.
    """
    report = MoveReport()
    with moving_images(project), project.not_in_training("rejected"), not_worked_on(project, "nothing was rejected"):
        _mend(project)
        if seen:
            _check_seen(project, seen)
        folder = _Folder(project.images)
        aside = _Folder(project.rejected)
        versions = versions_by_stem(project, {path.stem for path in folder.images.values()})
        for wanted in progress.track(settings.images, "Rejecting", len(settings.images)):
            path = folder.image(wanted)
            if path is None:
                report.skipped.append(Skipped(wanted, "No image of that name is in the project."))
                continue
            try:
                report.places.append(_reject(project, path, folder, aside, versions.get(path.stem, []), settings.reason))
            except OSError as error:
                report.skipped.append(Skipped(path.name, error.strerror or type(error).__name__))
            else:
                report.done.append(path.name)
    return report


def _check_seen(project: Project, seen: Mapping[str, str]) -> None:
    there = {item.name: item.sha256 for item in list_items(project)}
    other = [name for name, sha256 in seen.items() if there.get(name) != sha256]
    if other:
        names = ", ".join(other[:3]) + (f" and {len(other) - 3} more" if len(other) > 3 else "")
        are = "is no longer the picture that was" if len(other) == 1 else "are no longer the pictures that were"
        raise DatasetError(f"{names} {are} looked at, so nothing was moved.", "What is shown now is new; look at it again.")


def restore_images(project: Project, settings: RestoreSettings, progress: Progress = SILENT) -> MoveReport:
    """Put rejected images back, with all that went along. A name that is taken by now gets a number; nothing is written over.

    Returns: what was put back, by its present name.
    Raises: DatasetError: images are moved, or versions made, by someone else; Cancelled: what is back stays; DiskError.
    """
    report = MoveReport(word="put back")
    with moving_images(project), not_worked_on(project, "nothing was put back"):
        _mend(project)
        there = rejected_images(project)
        by_name = {aside.path.name: aside for aside in there}
        for aside in there:
            for key in (aside.name, aside.path.stem, Path(aside.name).stem):
                by_name.setdefault(key, aside)
        wanted = settings.images or tuple(aside.path.name for aside in there)
        folder = _Folder(project.images)
        for name in progress.track(wanted, "Putting back", len(wanted)):
            item = by_name.get(name)
            if item is None or not item.path.exists():
                report.skipped.append(Skipped(name, "No rejected image has that name."))
                continue
            try:
                report.done.append(_restore(project, item, folder))
            except OSError as error:
                report.skipped.append(Skipped(name, error.strerror or type(error).__name__))
        report.places = list(report.done)
    return report


class _Folder:
    """What lies in a folder, listed once: images by name and stem, and the files that go with each stem."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.images: dict[str, Path] = {}
        self.others: dict[str, list[str]] = {}
        self.stems: dict[str, int] = {}
        self._with_others = Counter[str]()  # the stems of `others`, folded
        for path in place.iterdir():
            if path.name.startswith("."):
                continue
            if path.suffix.lower() in IMAGE_SUFFIXES:
                self.add_image(path)
            else:
                self.add_others(stem_of_companion(path.name), [path.name])

    def image(self, name: str) -> Path | None:
        """An image by file name or id, None where there is none."""
        return self.images.get(name)

    def add_image(self, path: Path) -> None:
        """Note an image."""
        self.images[path.name] = path
        self.images.setdefault(path.stem, path)
        self.stems[fold(path.stem)] = self.stems.get(fold(path.stem), 0) + 1

    def forget_image(self, path: Path) -> None:
        """Note that an image went away."""
        for key in (path.name, path.stem):
            if self.images.get(key) == path:
                del self.images[key]
        twin = next((other for suffix in IMAGE_SUFFIXES if (other := self.images.get(path.stem + suffix))), None)
        if twin is not None:
            self.images[path.stem] = twin
        self.stems[fold(path.stem)] -= 1

    def add_others(self, stem: str, names: Iterable[str]) -> None:
        """Note files that go with a stem."""
        if stem not in self.others:
            self._with_others[fold(stem)] += 1
        self.others.setdefault(stem, []).extend(names)

    def forget_others(self, stem: str) -> None:
        """Note that the files of a stem went away."""
        if self.others.pop(stem, None) is not None:
            self._with_others[fold(stem)] -= 1

    def is_shared(self, stem: str) -> bool:
        """Whether several images have this stem."""
        return self.stems.get(fold(stem), 0) > 1

    def free_stem(self, stem: str) -> str:
        """The stem, with a number where an image or a file of it is here already."""
        name, number = stem, 1
        while self.stems.get(folded := fold(name), 0) > 0 or self._with_others[folded] > 0:
            number += 1
            name = f"{stem}-{number}"
        return name


def _reject(project: Project, path: Path, folder: _Folder, aside: _Folder, versions: Sequence[str], reason: str) -> str:
    stem = aside.free_stem(path.stem)
    along = folder.others.get(path.stem, [])
    shared = folder.is_shared(path.stem)
    files = [(name, stem + name[len(path.stem):]) for name in along]
    stored, act = stem + path.suffix, secrets.token_hex(6)
    line = {"event": "rejected", "act": act, "image": path.name, "stored": stored, "files": files, "shared": shared,
            "versions": [] if shared else versions, "reason": reason, "time": time.time()}
    note_move(project, line)
    path.rename(project.rejected / stored)
    try:
        _move_along(project, line)
    except (OSError, DiskError):
        (project.rejected / stored).rename(path)
        note_move(project, {"event": "restored", "act": act, "stored": stored, "name": path.name, "time": time.time()})
        raise
    note_move(project, {"event": "moved", "act": act, "stored": stored})
    folder.forget_image(path)
    if not shared:
        folder.forget_others(path.stem)
    aside.add_image(project.rejected / stored)
    aside.add_others(stem, [new for _, new in files])
    return stored


def _move_along(project: Project, line: Mapping[str, Any]) -> None:
    """What belongs to an image follows it; where that fails, all of it stays.

    Args: line: of the record. Raises: OSError, DiskError.
    """
    gone: list[tuple[Path, Path]] = []
    own = [(project.images / str(old), project.rejected / str(new)) for old, new in line.get("files", [])]
    versions, shared = moves_of_versions(project, line["stored"], line.get("versions", [])), bool(line.get("shared"))
    try:
        for source, place in (*own, *versions):
            if not source.exists() or place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if shared:
                write_new(place, source.read_bytes())
            else:
                source.rename(place)
            gone.append((source, place))
    except (OSError, DiskError):
        for source, place in gone:
            if shared:
                place.unlink()
            else:
                place.rename(source)
        tidy(project, versions)
        raise


def _restore(project: Project, item: Rejected, folder: _Folder) -> str:
    """Captions and versions come first, so that the image is never back without its own."""
    suffix = item.path.suffix
    begun = item.target and not folder.stems.get(fold(item.target))
    stem = item.target if begun else folder.free_stem(Path(item.name).stem)
    note_move(project, {"event": "restoring", "act": item.act, "stored": item.path.name, "stem": stem, "time": time.time()})
    old_stem = Path(item.name).stem
    for old, new in item.files or [(path, path) for path in _beside(item.path)]:
        source, place = project.rejected / new, project.images / (stem + old[len(old_stem):])
        if source.exists() and not place.exists():
            source.rename(place)
            folder.add_others(stem, [place.name])
    bring_back(project, moves_of_versions(project, item.path.name, item.versions, (old_stem, stem)))
    place = project.images / (stem + suffix)
    if place.exists():
        raise FileExistsError(17, f"{place.name} is in the project already")
    item.path.rename(place)
    note_move(project, {"event": "restored", "act": item.act, "stored": item.path.name, "name": place.name, "time": time.time()})
    folder.add_image(place)
    return place.name


def _beside(image: Path) -> list[str]:
    return [path.name for path in image.parent.iterdir() if path != image and stem_of_companion(path.name) == image.stem
            and path.suffix.lower() not in IMAGE_SUFFIXES and re.match(r"[._]", path.name[len(image.stem):])]


def _mend(project: Project) -> None:
    """Finish what a kill interrupted: rejections without a last word. The image goes first, so that what is its own follows it."""
    begun: dict[str, dict[str, Any]] = {}
    for line in read_record(project):
        if line["event"] == "rejected":
            begun[line["act"]] = line
        else:
            begun.pop(line.get("act", ""), None)
    for act, line in begun.items():
        with contextlib.suppress(OSError):  # the next one looks again
            if (project.rejected / line["stored"]).exists():
                _move_along(project, line)
            note_move(project, {"event": "moved", "act": act, "stored": line["stored"]})
