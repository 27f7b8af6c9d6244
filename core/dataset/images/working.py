"""Tools over pictures: read on threads, worked on one after the other, written on threads; no picture is touched, nothing is done twice.

A tool makes versions (`core.dataset.images.variants`). It works on the best version that is there, and says in each file how it was
made, so that a second run with the same settings finds everything done:

    report = work_on(project, Upscaler(settings), settings.images, progress)     many pictures, as a job
    tried = try_on(project, Upscaler(settings), "girl")                          one picture, nothing written yet
    keep(project, tried)

What a tool is stands in `tool`, what it works on and what is done already in `sourcing`, how versions are written in `writing`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from core.base.buckets import Size
from core.base.errors import Cancelled, DatasetError, DiskError, MissingDependency, StudioError
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.dataset.images.one_colour import is_of_one_colour, note_of
from core.dataset.images.opening import open_image, read_exif
from core.dataset.images.room import PIXELS_EACH, pixels_in, pixels_of
from core.dataset.images.saving import encode
from core.dataset.images.sourcing import (
    Unit,
    Work,
    files_seen,
    is_there,
    not_cut_anew,
    one_again,
    one_unit,
    units_of,
    with_parts,
    work_for,
)
from core.dataset.images.tool import NothingFound, NotNeeded, Tool
from core.dataset.images.variants import Made, Step, list_variants
from core.dataset.images.version_report import MadeVersion, VersionReport
from core.dataset.images.writing import Tried, TriedFile, write_versions
from core.dataset.items import Skipped, list_items, one_item
from core.dataset.parallel import bounded_map, default_workers
from core.dataset.project import Project

JOB_LOCK = "pictures.lock"
"""In the project's hidden folder; held by who makes versions of many pictures, as long as he works."""
WRITERS = 2
"""Threads that encode and write while the next picture is worked on."""
P = TypeVar("P")
R = TypeVar("R")


def work_on(project: Project, tool: Tool[P, R], images: Sequence[str] = (), progress: Progress = SILENT,
            parts: bool = False) -> VersionReport:
    """Make the versions of pictures that are not there yet.

    Args:
        images: ids; none given: all.
        parts: whether the parts of a picture (crops) are worked on too.

    Raises: DatasetError: the project cannot be read. DiskError. ModelError: the model cannot be had. Cancelled: what was made stays.
    """
    report = VersionReport()
    with waited_for(project.hidden / JOB_LOCK, progress), contextlib.ExitStack() as held:
        items = {item.id: item for item in list_items(project)}
        report.skipped += [Skipped(name, "No picture of that name is in the project.") for name in images if name not in items]
        variants = list_variants(project, items.keys())
        chosen = [items[name] for name in dict.fromkeys(images or items) if name in items]
        units = [unit for item in chosen for unit in units_of(project, item, variants.get(item.id, ()), parts)]
        progress.start(tool.verb, len(units))
        readers = default_workers()
        prepared = held.enter_context(closing(bounded_map(partial(_prepare, project, tool, items.keys()), units, readers, weigh=pixels_of,
                                                          most=readers * PIXELS_EACH)))
        inferred = _infer_each(tool, prepared, held, progress)
        written = held.enter_context(closing(bounded_map(partial(_finish, project, tool), inferred, WRITERS, weigh=_weight,
                                                         most=WRITERS * PIXELS_EACH)))
        for (unit, _), outcome in written:
            _tell(report, unit, outcome, progress)
            progress.advance(unit.title)
    return report


def try_on(project: Project, tool: Tool[P, R], image_id: str, label: str = "", progress: Progress = SILENT) -> Tried:
    """What the tool makes of one picture, or of a part of it; nothing is written. Raises: DatasetError, ModelError, Cancelled."""
    unit = one_unit(project, image_id, label)
    work = _work_for(unit, tool)
    before = _opened(tool, work)
    if isinstance(before, Tried):
        return before
    with tool.ready(progress):
        before.result = tool.infer(before.content, progress)
    return _encoded(before, tool)


def keep(project: Project, tried: Tried, progress: Progress = SILENT) -> list[Path]:
    """Write what was tried. Returns: the versions. Raises: DiskError; DatasetError: the picture, or a version of it, changed meanwhile."""
    item = tried.work.unit.item
    if one_item(project, item.id).sha256 != item.sha256:
        raise DatasetError(f"{item.name} was changed meanwhile.", "Try it again.")
    return write_versions(project, tried, progress)


@dataclass
class _OnItsWay:
    """A picture on its way through the tool. What it holds is let go when its versions are made, whoever still waits for their report."""

    work: Work
    size: Size
    format: str
    """Of the file: Pillow's name."""
    was_plain: bool
    """Whether it is of one colour."""
    content: Any
    """What `prepare` gave."""
    result: Any = None
    """What `infer` gave."""

    def take(self) -> tuple[Any, Any]:
        """Content and result; they are not here any more."""
        taken = self.content, self.result
        self.content = self.result = None
        return taken


_Before = _OnItsWay | Tried | StudioError | None
"""What preparing came to; `Tried`: no version is needed; None: it is there already."""


def _prepare(project: Project, tool: Tool[Any, Any], stems: Collection[str], unit: Unit) -> _OnItsWay | Tried | None:
    """Args: unit: as the job listed it, which may be long ago; stems: of every picture. Raises: StudioError: it is left out."""
    if is_there(_work_for(unit, tool)):
        return None  # also if that is not so any more: nothing is written
    work = _work_for(one_again(project, unit, stems), tool)
    return None if is_there(work) else _opened(tool, work)


def _opened(tool: Tool[Any, Any], work: Work) -> _OnItsWay | Tried:
    """Raises: StudioError: it is left out."""
    decoded = open_image(work.source)
    size, was_plain = decoded.image.size, is_of_one_colour(decoded.image)
    try:
        content = tool.prepare(work, decoded)
    except NotNeeded as error:
        return Tried(work, tool, size, (), str(error))
    return _OnItsWay(work, size, decoded.facts.format, was_plain, content) if content is not None else Tried(work, tool, size, ())


def _work_for(unit: Unit, tool: Tool[Any, Any]) -> Work:
    """What a tool is about to do. Which files it depends on is noted before it reads any of them, so that whatever changes from then on is
    seen before anything is written.

    Raises: DatasetError: it cannot be worked on.
    """
    work = work_for(unit, tool.name, tool.kind, partial(tool.anew, unit), tool.label(unit), tool.undoes)
    if work.trouble:
        raise DatasetError(work.trouble)
    work = replace(work, label=tool.label(unit))
    work = replace(work, seen=files_seen(work, tool.reads(work)))
    return replace(work, step=Step(tool.name, tool.told(work)))


def _infer_each(tool: Tool[Any, Any], units: Iterator[tuple[Unit, _Before]], held: contextlib.ExitStack, progress: Progress
                ) -> Iterator[tuple[Unit, _Before]]:
    """Every unit with what the model made of it; the model is opened for the first that needs it."""
    is_ready = False
    for unit, before in units:
        progress.check()
        if not isinstance(before, _OnItsWay):
            yield unit, before
            continue
        if not is_ready:
            held.enter_context(tool.ready(progress))
            is_ready = True
        try:
            before.result = tool.infer(before.content, progress)
        except StudioError as error:
            _raise_fatal(error)
            yield unit, error
        else:
            yield unit, before


def _weight(inferred: tuple[Unit, _Before]) -> int:
    """Pixels that wait to be written."""
    before = inferred[1]
    return pixels_in(before.content, before.result) if isinstance(before, _OnItsWay) else 0


def _finish(project: Project, tool: Tool[Any, Any], inferred: tuple[Unit, _Before]) -> VersionReport:
    """Write the versions of one picture. Returns: what is told of it. Raises: StudioError."""
    unit, before = inferred
    if isinstance(before, StudioError):
        raise before
    if before is None:
        return VersionReport(there=[unit.title])
    tried = _tried(project, before, tool) if isinstance(before, _OnItsWay) else before
    paths = write_versions(project, tried)
    made = [MadeVersion(path.name, tried.before, file.size, file.encoded.note) for path, file in zip(paths, tried.files, strict=True)]
    if made or tried.left_out:
        return VersionReport(made=made, skipped=list(tried.left_out))
    return VersionReport(unneeded=[unit.title], reasons={unit.title: tried.reason} if tried.reason else {})


def _tried(project: Project, before: _OnItsWay, tool: Tool[Any, Any]) -> Tried:
    """Raises: NothingFound: what the tool made earlier is put aside; StudioError."""
    try:
        return _encoded(before, tool)
    except NothingFound:
        write_versions(project, Tried(before.work, tool, before.size, ()))
        raise


def _tell(report: VersionReport, unit: Unit, outcome: VersionReport | StudioError, progress: Progress) -> None:
    """Raises: StudioError: nothing more can be done."""
    if isinstance(outcome, StudioError):
        _raise_fatal(outcome)
        progress.note(f"{unit.title} was left out: {outcome}")
        report.skipped.append(Skipped(unit.title, str(outcome)))
        return
    for one in outcome.skipped:
        progress.note(f"{one.name} was left out: {one.reason}")
    for one in outcome.doubtful():
        progress.note(f"{one.name}: {one.reason}")
    report.made += outcome.made
    report.there += outcome.there
    report.unneeded += outcome.unneeded
    report.reasons |= outcome.reasons
    report.skipped += outcome.skipped


def _raise_fatal(error: StudioError) -> None:
    """What every further picture would meet too ends the work."""
    if isinstance(error, (Cancelled, DiskError, MissingDependency)):
        raise error


def _encoded(before: _OnItsWay, tool: Tool[Any, Any]) -> Tried:
    """Raises: NothingFound, StudioError: as `Tool.finish`."""
    work = before.work
    outputs = {output.label or work.label: output for output in tool.finish(work, *before.take())}
    why: dict[str, str] = {}
    if tool.kind == "part":
        work = with_parts(work, list(outputs))
        why = {label: reason for label in outputs if (reason := not_cut_anew(work, label))}
    text = Made(work.unit.item.sha256, work.done).text()
    exif = read_exif(work.source) if tool.saving.metadata else None
    files = []
    for label, output in outputs.items():
        if label in why:
            continue
        file = encode(output.image, tool.saving, before.format, text, exif)
        strikes = note_of(work.kind, before.was_plain, output.image)
        note = "; ".join(words for words in (output.note, strikes, file.note) if words)
        files.append(TriedFile(label, output.image.size, replace(file, note=note)))
    left_out = tuple(Skipped(f"{work.unit.item.name} ({label})", reason) for label, reason in why.items())
    return Tried(work, tool, before.size, tuple(files), " ".join(why.values()), left_out)
