"""Tools over pictures: read on threads, worked on one after the other, written on threads; no picture is touched, nothing is done twice.

A tool makes versions (`core.dataset.images.variants`). It works on the best version that is there, and says in each file how it was
made, so that a second run with the same settings finds everything done:

    report = work_on(project, Upscaler(settings), settings.images, progress)     many pictures, as a job
    tried = try_on(project, Upscaler(settings), "girl")                          one picture, nothing written yet
    keep(project, tried)
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from core.base.buckets import Size
from core.base.errors import Cancelled, DatasetError, DiskError, MissingDependency, StudioError
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.dataset.images import one_colour
from core.dataset.images.opening import Decoded, open_image, read_exif
from core.dataset.images.saving import Encoded, SaveSettings, encode
from core.dataset.images.sourcing import Unit, Work, files_seen, is_there, one_unit, outdated, units_of, work_for
from core.dataset.images.variants import (
    REPLACED,
    Kind,
    Made,
    Step,
    list_variants,
    put_aside_variant,
    replaced_one,
    save_variant,
    take_back_variant,
)
from core.dataset.images.version_report import MadeVersion, VersionReport
from core.dataset.items import Skipped, list_items, one_item
from core.dataset.parallel import bounded_map
from core.dataset.project import Project

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

LOCK = "variants.lock"
"""In the project's hidden folder; held for the moment in which versions are written, put aside or listed to be learned from."""
JOB_LOCK = "pictures.lock"
"""Beside it; held by who makes versions of many pictures, as long as he works."""
WRITERS = 2
"""Threads that encode and write while the next picture is worked on."""
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

    @abstractmethod
    def told(self, work: Work) -> Mapping[str, Any]:
        """Everything that decides how the version looks, fit for JSON; it is written into each version."""

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


@dataclass(frozen=True)
class TriedFile:
    """One version, as a file that is not yet written."""

    label: str
    size: Size
    encoded: Encoded


@dataclass(frozen=True)
class Tried:
    """What a tool made of one picture, not yet kept."""

    work: Work
    tool: Tool[Any, Any]
    before: Size
    files: tuple[TriedFile, ...]
    """None: the picture needs no version, or nothing was found."""
    reason: str = ""
    """Why it needs none, where the tool says it."""

    def why_none(self) -> str:
        """Why there is no file, in a sentence about this picture."""
        return f"It has {self.before[0]} x {self.before[1]} pixels. {self.reason or 'Nothing is to be done with these settings.'}"


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
        prepared = held.enter_context(closing(bounded_map(partial(_prepare, tool), units)))
        inferred = _infer_each(tool, prepared, held, progress)
        for (unit, _), outcome in held.enter_context(closing(bounded_map(partial(_finish, project, tool), inferred, WRITERS))):
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
        result = tool.infer(before.content, progress)
    return _encoded(before, tool, result)


def keep(project: Project, tried: Tried, progress: Progress = SILENT) -> list[Path]:
    """Write what was tried. Returns: the versions. Raises: DiskError; DatasetError: the picture, or a version of it, changed meanwhile."""
    item = tried.work.unit.item
    if one_item(project, item.id).sha256 != item.sha256:
        raise DatasetError(f"{item.name} was changed meanwhile.", "Try it again.")
    return _write(project, tried, progress)


@dataclass(frozen=True)
class _Prepared:
    """A picture on its way to the model."""

    work: Work
    decoded: Decoded
    content: Any


_Before = _Prepared | Tried | StudioError | None
"""What preparing came to; `Tried`: no version is needed; None: it is there already."""


def _prepare(tool: Tool[Any, Any], unit: Unit) -> _Prepared | Tried | None:
    """Raises: StudioError: it is left out."""
    work = _work_for(unit, tool)
    if is_there(work, Step(tool.name, tool.told(work))):
        return None
    return _opened(tool, work)


def _opened(tool: Tool[Any, Any], work: Work) -> _Prepared | Tried:
    """Raises: StudioError: it is left out."""
    decoded = open_image(work.source)
    try:
        content = tool.prepare(work, decoded)
    except NotNeeded as error:
        return Tried(work, tool, decoded.image.size, (), str(error))
    return _Prepared(work, decoded, content) if content is not None else Tried(work, tool, decoded.image.size, ())


def _work_for(unit: Unit, tool: Tool[Any, Any]) -> Work:
    """Raises: DatasetError: it cannot be worked on."""
    work = work_for(unit, tool.name, tool.kind, partial(tool.anew, unit), tool.label(unit))
    if work.trouble:
        raise DatasetError(work.trouble)
    return replace(work, seen=files_seen(work))


def _infer_each(tool: Tool[Any, Any], units: Iterator[tuple[Unit, _Before]], held: contextlib.ExitStack, progress: Progress
                ) -> Iterator[tuple[Unit, tuple[_Before, Any]]]:
    """Every unit with what the model made of it; the model is opened for the first that needs it."""
    is_ready = False
    for unit, before in units:
        progress.check()
        if not isinstance(before, _Prepared):
            yield unit, (before, None)
            continue
        if not is_ready:
            held.enter_context(tool.ready(progress))
            is_ready = True
        try:
            result = tool.infer(before.content, progress)
        except StudioError as error:
            _raise_fatal(error)
            yield unit, (error, None)
        else:
            yield unit, (before, result)


def _finish(project: Project, tool: Tool[Any, Any], inferred: tuple[Unit, tuple[_Before, Any]]) -> VersionReport:
    """Write the versions of one picture. Returns: what is told of it. Raises: StudioError."""
    (unit, (before, result)) = inferred
    if isinstance(before, StudioError):
        raise before
    if before is None:
        return VersionReport(there=[unit.title])
    tried = _tried(project, before, tool, result) if isinstance(before, _Prepared) else before
    paths = _write(project, tried)
    made = [MadeVersion(path.name, tried.before, file.size, file.encoded.note) for path, file in zip(paths, tried.files, strict=True)]
    if made:
        return VersionReport(made=made)
    return VersionReport(unneeded=[unit.title], reasons={unit.title: tried.reason} if tried.reason else {})


def _tried(project: Project, before: _Prepared, tool: Tool[Any, Any], result: Any) -> Tried:
    """Raises: NothingFound: what the tool made earlier is put aside; StudioError."""
    try:
        return _encoded(before, tool, result)
    except NothingFound:
        _write(project, Tried(before.work, tool, before.decoded.image.size, ()))
        raise


def _tell(report: VersionReport, unit: Unit, outcome: VersionReport | StudioError, progress: Progress) -> None:
    """Raises: StudioError: nothing more can be done."""
    if isinstance(outcome, StudioError):
        _raise_fatal(outcome)
        progress.note(f"{unit.title} was left out: {outcome}")
        report.skipped.append(Skipped(unit.title, str(outcome)))
        return
    for one in outcome.doubtful():
        progress.note(f"{one.name}: {one.reason}")
    report.made += outcome.made
    report.there += outcome.there
    report.unneeded += outcome.unneeded
    report.reasons |= outcome.reasons


def _raise_fatal(error: StudioError) -> None:
    """What every further picture would meet too ends the work."""
    if isinstance(error, (Cancelled, DiskError, MissingDependency)):
        raise error


def _encoded(prepared: _Prepared, tool: Tool[Any, Any], result: Any) -> Tried:
    work, decoded = prepared.work, prepared.decoded
    text = Made(work.unit.item.sha256, (*work.steps, Step(tool.name, tool.told(work)))).text()
    exif = read_exif(work.source) if tool.saving.metadata else None
    files = []
    for output in tool.finish(work, prepared.content, result):
        file = encode(output.image, tool.saving, decoded.facts.format, text, exif)
        strikes = one_colour.note_of(work.kind, decoded.image, output.image)
        note = "; ".join(words for words in (output.note, strikes, file.note) if words)
        files.append(TriedFile(output.label or tool.label(work.unit), output.image.size, replace(file, note=note)))
    return Tried(work, tool, decoded.image.size, tuple(files))


def _write(project: Project, tried: Tried, progress: Progress = SILENT) -> list[Path]:
    """Write the versions, if nobody else did meanwhile. Raises: DatasetError: somebody did; DiskError."""
    with waited_for(project.hidden / LOCK, progress):
        if files_seen(tried.work) != tried.work.seen:
            raise DatasetError(f"{tried.work.unit.title}, or a version of it, was changed meanwhile.", "Try it again.")
        return _put_in_place(project, tried)


def _put_in_place(project: Project, tried: Tried) -> list[Path]:
    """Write the versions, and put aside what the tool had made before and now would not. Raises: DiskError."""
    work, unit = tried.work, tried.work.unit
    is_again = tried.tool.keeps_replaced(work)
    paths = [save_variant(project, unit.item.id, work.kind, file.encoded.data, file.encoded.suffix, file.label, is_again)
             for file in tried.files]
    written = {path.stem for path in paths}
    for variant in outdated(work, tried.tool.name):
        path = project.variants / variant.name
        if path.stem in written:
            continue
        if replaced_one(path) == work.source:
            take_back_variant(project, variant)  # the version as it was before this tool is what is wanted now
        elif variant.kind == tried.tool.kind:
            put_aside_variant(project, variant)
    return paths
