"""What lies on the disk, by project, kind and age, and making room: a look first, and nothing that cannot be made anew goes unasked."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import field_validator

from core.base.errors import ConfigError
from core.base.parts import age_of
from core.base.paths import projects_dir
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted, told_size
from core.dataset.project import Project, known_projects, shown_name
from core.utilities.disk.heaps import KINDS, Kind, kind_named

DAY = 86_400.0
MOST_NAMED = 300
"""Of one heap: a report with the names of a hundred thousand cached files would be read by nobody."""


class HousekeepingSettings(Settings):
    """What is to go."""

    title = "Housekeeping"

    projects: tuple[str, ...] = setting((), "Projects", "Names of their folders; none given: all.")
    kinds: tuple[str, ...] = setting((), "Kinds", f"What may go: {', '.join(kind.name for kind in KINDS)}. None given: what costs nothing, "
                                     "as it is made anew by itself.")
    days: int = setting(0, "Older than", "Only what was not changed for so long.", unit="days", ge=0, le=10_000)
    delete: bool = setting(False, "Delete it", "Off: only say what would go.", level="expert")
    shown: tuple[str, ...] | None = setting(None, "Only what was shown", "Marks that a look told; where something came or went since, "
                                            "all of it stays. Not given: what is found now.", level="expert")

    @field_validator("kinds")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if kind_named(name) is None:
                raise ValueError(f"No kind is called {name!r}. Known: {', '.join(kind.name for kind in KINDS)}.")
        return value

    def wants(self, kind: Kind) -> bool:
        """Whether a kind may go."""
        return kind.name in self.kinds if self.kinds else kind.loss == "none"


@dataclass(frozen=True)
class Heap:
    """Everything of one kind in one project."""

    project: str
    """Its name, as it is shown."""
    folder: Path
    kind: str
    paths: tuple[Path, ...]
    """Files and whole folders."""
    files: int
    bytes: int
    """That would become free: what has a second name elsewhere takes no room here."""
    days: int
    """Since the newest of it was changed."""
    named: tuple[tuple[str, int], ...] = ()
    """Place in the project and bytes of the first of them, at most `MOST_NAMED`."""

    @property
    def mark(self) -> str:
        """Stands for exactly these files: it is another as soon as one comes, goes or grows."""
        what = "\0".join([str(self.folder), self.kind, str(self.files), str(self.bytes), *sorted(map(str, self.paths))])
        return hashlib.sha256(what.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with the names of the first paths."""
        kind = kind_named(self.kind)
        assert kind is not None  # heaps are made of kinds
        return {**asdict(self), "folder": str(self.folder), "paths": len(self.paths), "title": kind.title, "loss": kind.loss,
                "cost": kind.cost, "mark": self.mark}


@dataclass
class Gone:
    """What went of a heap."""

    project: str
    kind: str
    title: str
    files: int = 0
    bytes: int = 0


@dataclass
class HousekeepingReport:
    """What lies there, and what went."""

    heaps: list[Heap] = field(default_factory=list)
    """Of every kind, whether it may go or not."""
    chosen: list[Heap] = field(default_factory=list)
    """Those that may go by the settings."""
    deleted: bool = False
    files: int = 0
    """That went."""
    bytes: int = 0
    gone: list[Gone] = field(default_factory=list)
    """The same by project and kind."""
    kept: list[str] = field(default_factory=list)
    """What could not be deleted or has changed since it was shown, and why."""

    def sentence(self) -> str:
        """The result in one line."""
        if self.deleted:
            words = f"{told_size(self.bytes)} are free again: {counted(self.files, 'file')} deleted."
            return f"{words} {len(self.kept)} stayed (the list says why)." if self.kept else words
        size, files = sum(heap.bytes for heap in self.chosen), sum(heap.files for heap in self.chosen)
        whole = f"{told_size(sum(heap.bytes for heap in self.heaps))} could be freed in all"
        return f"{told_size(size)} in {counted(files, 'file')} would go; {whole}. Nothing is deleted yet."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"summary": self.sentence(), "heaps": [heap.as_dict() for heap in self.heaps],
                "chosen": [heap.as_dict() for heap in self.chosen], "deleted": self.deleted, "files": self.files, "bytes": self.bytes,
                "gone": [asdict(one) for one in self.gone], "kept": self.kept}


def keep_house(settings: HousekeepingSettings, progress: Progress = SILENT) -> HousekeepingReport:
    """Look at the projects, and delete what may go if that is asked for.

    What a training reads or a run that works needs is never among it. Each thing is looked for again at the moment when it goes.

    Raises: ConfigError: there is no such project. Cancelled: what is deleted is gone, the rest stays.
    """
    projects = _projects(settings.projects)
    progress.start("Looking at the projects", len(projects))
    report = HousekeepingReport()
    for project in projects:
        for kind in KINDS:
            heap = heap_of(project, kind, settings.days)
            if heap.paths:
                report.heaps.append(heap)
                if settings.wants(kind):
                    _choose(heap, settings.shown, report)
        progress.advance(project.folder.name)
    if settings.delete:
        _delete(report, settings.days, progress)
    return report


def heap_of(project: Project, kind: Kind, days: int = 0) -> Heap:
    """What lies there of one kind. Args: days: only what was not changed for so long."""
    paths, ages = [], []
    for path in kind.find(project):
        try:
            age = age_of(path)
        except FileNotFoundError:
            continue
        if age >= days * DAY:
            paths.append(path)
            ages.append(age)
    files = list(_all_files(paths))
    return Heap(shown_name(project.folder), project.folder, kind.name, tuple(paths), len(files), room_of(files),
                int(min(ages, default=0.0) // DAY), tuple(_named(path, project) for path in paths[:MOST_NAMED]))


def _named(path: Path, project: Project) -> tuple[str, int]:
    """Where it lies in the project, a whole folder with a slash at its end, and the bytes that would become free."""
    is_folder = path.is_dir() and not path.is_symlink()
    place = path.relative_to(project.folder) if path.is_relative_to(project.folder) else path
    return f"{place}{'/' if is_folder else ''}", room_of(list(_all_files([path])))


def room_of(files: Sequence[Path]) -> int:
    """Bytes that become free when these files go: a file with several names counts once, and only if all of them go."""
    names, sizes = Counter[tuple[int, int]](), dict[tuple[int, int], tuple[int, int]]()
    for path in files:
        try:
            facts = path.lstat()
        except FileNotFoundError:
            continue
        key = facts.st_dev, facts.st_ino
        names[key] += 1
        sizes[key] = facts.st_nlink, facts.st_size
    return sum(size for key, (links, size) in sizes.items() if names[key] >= links)


def _projects(names: Sequence[str]) -> list[Project]:
    """Raises: ConfigError: there is none of that name."""
    known = {path.name: path for path in known_projects()}
    for name in names:
        if name not in known:
            raise ConfigError(f"No project's folder is called {name!r} in {projects_dir()}.", f"Known: {', '.join(known) or 'none'}.")
    return [Project(known[name]) for name in dict.fromkeys(names or known)]


def _choose(heap: Heap, shown: Sequence[str] | None, report: HousekeepingReport) -> None:
    """Among what may go, unless it is not what was shown."""
    if shown is None or heap.mark in shown:
        report.chosen.append(heap)
    else:
        report.kept.append(f"{heap.project}, {_title(heap.kind)}: it has changed since it was shown. Look again.")


def _title(name: str) -> str:
    kind = kind_named(name)
    return kind.title if kind is not None else name


def _delete(report: HousekeepingReport, days: int, progress: Progress) -> None:
    """What was chosen, as far as it is still there and still not used."""
    report.deleted = True
    progress.start("Deleting", len(report.chosen))
    for heap in report.chosen:
        kind = kind_named(heap.kind)
        assert kind is not None  # heaps are made of kinds
        now, shown = heap_of(Project(heap.folder), kind, days), set(heap.paths)
        report.gone.append(Gone(heap.project, kind.name, kind.title))
        for path in now.paths:
            progress.check()
            if path in shown:  # what came meanwhile was not shown
                _delete_one(path, report)
        progress.advance(heap.project)


def _delete_one(path: Path, report: HousekeepingReport) -> None:
    files = list(_all_files([path]))
    size = room_of(files)
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        report.kept.append(f"{path}: {error.strerror or type(error).__name__}")
        return
    for count in (report, report.gone[-1]):
        count.files, count.bytes = count.files + len(files), count.bytes + size


def _all_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            for place, _, names in os.walk(path):
                yield from (Path(place, name) for name in names)
        else:
            yield path
