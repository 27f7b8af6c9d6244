"""Giving the images of a project other names: numbered, plain letters, or by time. Captions and all that belongs to them go along."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from core.base.errors import ConfigError, DatasetError
from core.base.files import safe_stem
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted
from core.dataset.images.files import IMAGE_SUFFIXES
from core.dataset.items import Skipped, list_items
from core.dataset.project import Project
from core.dataset.renaming_journal import Rename, last_renaming
from core.dataset.renaming_steps import mend, names_held, rename_stems
from core.dataset.sources.ledger import fold

EXIF_TIMES = (36867, 36868, 306)
"""DateTimeOriginal, DateTimeDigitized, DateTime (EXIF 2.32, 4.6.5)."""
EXIF_POINTER = 0x8769


class RenameSettings(Settings):
    """How images are called."""

    title = "Rename"

    how: Literal["numbered", "plain", "time"] = setting(
        "numbered", "Names", "numbered: name_0001, name_0002 … plain: the present names with letters, digits, - and _ only. "
        "time: when the picture was taken, else when its file was written.")
    name: str = setting("", "Begin with", "What stands before the number or the time; empty takes the trigger word, else the project.")
    order: Literal["name", "time"] = setting("name", "Numbered by", "Their present names, or the time they were taken.")
    start: int = setting(1, "First number", "", ge=0, le=10_000_000, level="advanced")
    digits: int = setting(4, "Digits", "Numbers are filled up with zeros.", ge=1, le=9, level="advanced")
    images: tuple[str, ...] = setting((), "Only these", "Ids of images (names without the ending); none given: all.", level="expert")
    plan: str = setting("", "Preview", "The mark of a preview: when other names would now come out, nothing is renamed.", level="expert")


@dataclass
class RenamePlan:
    """Who would be called what; nothing was touched."""

    renames: list[Rename] = field(default_factory=list)
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """Names exactly these renamings."""
        digest = hashlib.sha256()
        for rename in self.renames:
            digest.update(f"{rename.old}\0{rename.new}\n".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:20]

    def sentence(self) -> str:
        """The plan in one line."""
        total = len(self.renames) + self.unchanged + len(self.skipped)
        left = f"; {len(self.skipped)} {'keeps its' if len(self.skipped) == 1 else 'keep their'} name" if self.skipped else ""
        return f"Would give {len(self.renames)} of {counted(total, 'image')} another name{left}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the first hundred."""
        return {"renames": len(self.renames), "unchanged": self.unchanged, "mark": self.mark,
                "skipped": [vars(item) for item in self.skipped[:100]],
                "first": [{"old": one.old, "new": one.new} for one in self.renames[:100]]}


@dataclass
class RenameReport:
    """What was renamed."""

    done: int = 0
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    verb: str = "renamed"

    def sentence(self) -> str:
        """The result in one line."""
        left = f" {len(self.skipped)} kept {'its name' if len(self.skipped) == 1 else 'their names'}." if self.skipped else ""
        was, captions = ("was", "its caption") if self.done == 1 else ("were", "their captions")
        return f"{counted(self.done, 'image')} {was} {self.verb}, with {captions}.{left}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"done": self.done, "unchanged": self.unchanged, "skipped": [vars(item) for item in self.skipped]}


def plan_rename(project: Project, settings: RenameSettings) -> RenamePlan:
    """Work out the names; nothing is touched. Two images of one stem (a.png, a.jpg) share their caption, and so their name.

    Raises: ConfigError: the name cannot be used; DatasetError: there are no such images.
    """
    mend(project)
    items = list_items(project)
    wanted = set(settings.images)
    if missing := wanted - {item.id for item in items}:
        raise DatasetError(f"No image is called {min(missing)!r} in {project.images}.",
                           "It may have been moved or renamed; refresh the list.")
    chosen = [item for item in items if not wanted or item.id in wanted]
    if not chosen:
        raise DatasetError("There are no images to rename.", "Import some first.")
    times = {item.id: taken(item.path, item.mtime_ns) for item in chosen} if "time" in (settings.how, settings.order) else {}
    if settings.how == "numbered" and settings.order == "time":
        chosen.sort(key=lambda item: times[item.id])
    stems = list(dict.fromkeys(item.id for item in chosen))
    held = names_held(project, without=stems)
    renames = [Rename(old, new) for old, new in zip(stems, _names(project, settings, stems, times, held), strict=True)]
    return RenamePlan([one for one in renames if one.old != one.new], sum(one.old == one.new for one in renames))


def rename_images(project: Project, settings: RenameSettings, progress: Progress = SILENT) -> RenameReport:
    """Rename images with their captions, variants and a trainer's caches. It can be taken back, and a kill is mended.

    Raises: ConfigError: the preview would now come out otherwise; DatasetError: others are at work on images or captions; DiskError;
        Cancelled: every image has its old name again.
    """
    plan = plan_rename(project, settings)
    if settings.plan and settings.plan != plan.mark:
        raise ConfigError("The images are others now than in the preview, so nothing was renamed.", "Look at the preview again.")
    words = {"numbered": "Numbered", "plain": "Made plain", "time": "Named by time"}[settings.how]
    done = rename_stems(project, plan.renames, f"{words}: {counted(len(plan.renames), 'image')}", progress) if plan.renames else []
    return _report(plan, done, "renamed")


def undo_rename(project: Project, progress: Progress = SILENT) -> RenameReport:
    """Give the images of the last renaming that holds their old names back. One whose old name is taken by now keeps its new one.

    Raises: DatasetError: there is none, or others are at work; DiskError; Cancelled.
    """
    mend(project)
    last = last_renaming(project)
    if last is None:
        raise DatasetError("No renaming can be taken back.")
    present = {path.stem for path in project.images.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES}
    plan = RenamePlan()
    for old, new in last.stems:
        if new in present:
            plan.renames.append(Rename(new, old))
        else:
            plan.skipped.append(Skipped(new, "It is not in the project any more."))
    plan = without_collisions(project, plan)
    done = rename_stems(project, plan.renames, f"Taken back: {last.what}", progress, undoes=last.id)
    return _report(plan, done, "given their old names back")


def without_collisions(project: Project, plan: RenamePlan) -> RenamePlan:
    """The plan without those whose new name another image has, until nobody's is taken."""
    while True:
        held = names_held(project, without=[one.old for one in plan.renames])
        free = [one for one in plan.renames if fold(one.new) not in held]
        if len(free) == len(plan.renames):
            return plan
        kept = [Skipped(one.old, f"Another image is called {one.new} now.") for one in plan.renames if fold(one.new) in held]
        plan = RenamePlan(free, plan.unchanged, [*plan.skipped, *kept])


def _report(plan: RenamePlan, done: Sequence[Rename], verb: str) -> RenameReport:
    return RenameReport(len(done), plan.unchanged, plan.skipped, verb)


def _names(project: Project, settings: RenameSettings, stems: Sequence[str], times: dict[str, datetime], held: set[str]) -> Iterable[str]:
    """A free name for each stem, in order."""
    begin = safe_stem(settings.name.strip() or project.trigger_word or project.name)
    number, taken_now, numbers = settings.start, set(held), dict[str, int]()
    to_come = Counter(fold(stem) for stem in stems)
    for stem in stems:
        to_come[fold(stem)] -= 1
        if settings.how == "numbered":
            while fold(f"{begin}_{number:0{settings.digits}}") in taken_now:
                number += 1
            name, number = f"{begin}_{number:0{settings.digits}}", number + 1
        elif settings.how == "plain":
            base = plain_stem(stem)
            name = _free(base, numbers, taken_now, to_come if base != stem else {})
        else:
            name = _free(f"{begin}_{times[stem]:%Y%m%d-%H%M%S}", numbers, taken_now, {})
        taken_now.add(fold(name))
        yield name


def _free(base: str, numbers: dict[str, int], taken_now: set[str], to_come: Mapping[str, int]) -> str:
    """The base, or with a number. Args: numbers: the last of each base, kept here. to_come: folded names that others may keep: how many."""
    key = fold(base)
    name, number = base, numbers.get(key, 1)
    while (folded := fold(name)) in taken_now or to_come.get(folded, 0) > 0:
        number += 1
        name = f"{base}-{number}"
    numbers[key] = number
    return name


def plain_stem(stem: str) -> str:
    """The name with Latin letters, digits, - and _ only; accents are dropped, what is left of other scripts becomes one _."""
    text = unicodedata.normalize("NFKD", stem.replace("ß", "ss"))
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    return safe_stem(re.sub(r"_*[^A-Za-z0-9_-]+_*", "_", text).strip("_-"))


def taken(path: Path, mtime_ns: int) -> datetime:
    """When a picture was taken, as its EXIF block says, else when its file was written."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            exif = image.getexif()
            values = {**dict(exif), **dict(exif.get_ifd(EXIF_POINTER))}
        return next(datetime.strptime(str(values[tag]).strip("\0 ")[:19], "%Y:%m:%d %H:%M:%S") for tag in EXIF_TIMES if tag in values)
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, StopIteration):
        return datetime.fromtimestamp(mtime_ns / 1e9)
