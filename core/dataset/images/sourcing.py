"""What a tool works on: the best version that is there, or the one before this tool last had its turn; and what is done already."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.base.errors import DatasetError
from core.base.files import FileMark, file_mark, sha256
from core.dataset.images.files import IMAGE_SUFFIXES
from core.dataset.images.variants import (
    BESIDE,
    WHOLE,
    Kind,
    Made,
    Step,
    Variant,
    best_of,
    file_name,
    list_variants,
    read_made,
    replaced_one,
    versions_of,
)
from core.dataset.items import ImageItem, one_item
from core.dataset.project import Project


@dataclass(frozen=True)
class Unit:
    """A picture, or a part of it, with the versions that there are."""

    item: ImageItem
    label: str
    """Of the part; empty: the whole picture."""
    folder: Path
    """Of the versions."""
    variants: tuple[Variant, ...]
    """Every version of the picture."""

    @property
    def title(self) -> str:
        """As a list names it."""
        return f"{self.item.name} ({self.label})" if self.label else self.item.name

    def beside(self, kind: Kind, label: str | None = None) -> Path | None:
        """Its mask, or its transparent version; None: there is none. Args: label: of another one than its own: "repaint"."""
        wanted = self.label if label is None else label
        names = [one.name for one in self.variants if one.kind == kind and one.label == wanted]
        return self.folder / names[0] if names else None

    def best(self) -> Variant | None:
        """The version that stands for it; None: only the picture itself is there."""
        return next((one for one in self.variants if one.kind == "part" and one.label == self.label), None) if self.label \
            else best_of(self.variants)


LABELS = "labels"
"""In the step that cut out a part: which parts were cut out together, so that one is missed when it is taken away."""
UNTOLD = Step("")
"""Until the tool was asked what it does."""
Seen = tuple[str, FileMark | None]
"""A file's path and mark; None: there is none."""


@dataclass(frozen=True)
class Work:
    """What is to be worked on."""

    unit: Unit
    source: Path
    """The file."""
    steps: tuple[Step, ...]
    """What was done to it before."""
    kind: Kind
    """What comes of it; a better version than the tool's own is replaced by itself."""
    present: tuple[Variant, ...]
    """Versions that may be what the tool made earlier."""
    trouble: str = ""
    """Why it cannot be worked on; empty: it can."""
    label: str = ""
    """Under which what comes of it is written, where it bears no label of its own."""
    seen: tuple[Seen, ...] = ()
    """Every file that is read or may be written over, as it was when the tool began (`files_seen`)."""
    step: Step = UNTOLD
    """What the tool does to it, as the version will say; the tool is asked once, before it reads anything."""
    goes_on: bool = False
    """What the tool made earlier is ground to build on, and stays where this time nothing is wanted."""
    is_afresh: bool = False
    """Only a version that no other tool had a hand in is what is wanted."""

    @property
    def done(self) -> tuple[Step, ...]:
        """What was done to what comes of it."""
        return (*self.steps, self.step)

    def is_as_seen(self) -> bool:
        """Whether every file on which it depends is still the one that it was."""
        return all(file_mark(Path(path)) == mark for path, mark in self.seen)


def units_of(project: Project, item: ImageItem, variants: Sequence[Variant], parts: bool = False) -> list[Unit]:
    """The picture, and its parts if they are wanted too."""
    labels = [one.label for one in variants if one.kind == "part"] if parts else []
    return [Unit(item, label, project.variants, tuple(variants)) for label in ("", *labels)]


def one_unit(project: Project, image_id: str, label: str = "") -> Unit:
    """One picture, or one part of it. Raises: DatasetError: there is none."""
    item = one_item(project, image_id)
    units = units_of(project, item, versions_of(project, item.id), parts=True)
    for unit in units:
        if unit.label == label:
            return unit
    raise DatasetError(f"{item.name} has no part called {label!r}.", f"Known: {', '.join(one.label for one in units[1:]) or 'none'}.")


def one_again(project: Project, unit: Unit, stems: Collection[str]) -> Unit:
    """The same as it is now: a job lists its pictures when it begins, and comes to the last of them hours later.

    Args: stems: of every picture of the project. Raises: DatasetError: it is gone.
    """
    item = unit.item
    if file_mark(item.path) != (item.size, item.mtime_ns):
        item = one_item(project, item.id)
    now = replace(unit, item=item, variants=tuple(list_variants(project, stems, item.id).get(item.id, ())))
    if unit.label and now.best() is None:
        raise DatasetError(f"The part {unit.label!r} is not there any more.")
    return now


def work_for(unit: Unit, tool: str, kind: Kind, anew: Callable[[Step], bool] = lambda step: True, label: str | None = None,
             undoes: Collection[str] = ()) -> Work:
    """What a tool works on, and what comes of it.

    Where the best version is one that this tool had a hand in, the one from before that is taken, if it is still there: a picture is
    not upscaled twice because another factor was chosen. A part is worked on in its own place.

    Args:
        anew: whether what the tool did last is done anew; False: it is built upon (another spot is repaired).
        label: under which a mask or the like is written; None: the unit's own.
        undoes: tools whose work does not count, if nothing else was done to the picture.
    """
    best = unit.best()
    if kind not in WHOLE:
        wanted = unit.label if label is None else label
        present = tuple(one for one in unit.variants if one.kind == kind and (kind == "part" or one.label == wanted))
        lasts = [made.steps[-1] for one in present if (made := _made_of(unit, one)) is not None and made.steps]
        return replace(_of(unit, best, kind, present), goes_on=any(step.tool == tool and not anew(step) for step in lasts))
    made = _made_of(unit, best) if best is not None else None
    if undoes and best is not None and best.kind in WHOLE and made is not None and all(step.tool in undoes for step in made.steps):
        is_better = WHOLE.index(best.kind) >= WHOLE.index(kind)
        return Work(unit, unit.item.path, (), best.kind if is_better else kind, (best,) if is_better else (), is_afresh=True)
    if best is None or (best.kind in WHOLE and WHOLE.index(best.kind) < WHOLE.index(kind)):
        return _of(unit, best, kind, ())
    begun = [number for number, step in enumerate(made.steps) if step.tool == tool] if made is not None else []
    if made is None or not begun:
        return _of(unit, best, best.kind, (best,), may_replace=best.kind == kind)
    if not anew(made.steps[begun[-1]]):
        return replace(_of(unit, best, best.kind, (best,)), goes_on=True)
    for path, steps in _earlier(unit, best):
        if steps == made.steps[:begun[-1]]:
            return Work(unit, path, steps, best.kind, (best,))
    return _of(unit, best, best.kind, (best,), may_replace=best.kind == kind)


def files_seen(work: Work, read: Iterable[Path] = ()) -> tuple[Seen, ...]:
    """What is worked on, what may be written over under any ending, and which versions of the whole picture there are: as they are now.

    Args: read: files that the tool reads beside the picture.
    """
    unit, kinds = work.unit, WHOLE if not work.unit.label else ()
    names = [one.name for one in work.present]
    names += [file_name(unit.item.id, kind, suffix) for kind in kinds for suffix in IMAGE_SUFFIXES]
    if work.kind in BESIDE or work.label:
        names += [file_name(unit.item.id, work.kind, suffix, work.label) for suffix in IMAGE_SUFFIXES]
    return tuple((str(path), file_mark(path)) for path in dict.fromkeys([work.source, *read, *(unit.folder / name for name in names)]))


def content_of(path: Path) -> str:
    """SHA-256 of a file that a tool goes by, such as a mask. Raises: DatasetError: it was taken away, or cannot be read."""
    try:
        return sha256(path)
    except FileNotFoundError as error:
        raise DatasetError(f"{path.name} is not there (any more).", "Try it again.") from error
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read ({error.strerror or type(error).__name__}).", "Check its rights.") from error


def is_there(work: Work) -> bool:
    """Whether the tool made its versions already, with these settings and of this file."""
    made = [_made_of(work.unit, variant) for variant in work.present]
    if work.kind in WHOLE:
        return any(one is not None and (one.steps == work.done if work.is_afresh else work.step in one.steps) for one in made)
    done = [one.steps[len(work.steps)] for one in made if one is not None and _begins(one.steps, work)]
    labels = {one.label for one in work.present}
    return bool(done) and all(label in labels for step in done for label in step.settings.get(LABELS, ()))


def with_parts(work: Work, labels: Sequence[str]) -> Work:
    """The same when it is known which parts come of it: it says so, and where none lay when it began none may lie when it is written."""
    step = replace(work.step, settings={**work.step.settings, LABELS: list(labels)})
    names = {file_name(work.unit.item.id, "part", suffix, label) for label in labels for suffix in IMAGE_SUFFIXES}
    free = names - {one.name for one in work.present}
    return replace(work, step=step, seen=(*work.seen, *((str(work.unit.folder / name), None) for name in sorted(free))))


def not_cut_anew(work: Work, label: str) -> str:
    """Why a part stays as it is: it is not, or not any more, this tool's own work; empty: it may be written."""
    for one in work.present:
        made = read_made(work.unit.folder / one.name)
        if one.label == label and (made is None or not made.steps or made.steps[-1].tool != work.step.tool):
            return f"{one.name} was cut by hand, brought along or worked on since, and stays. To have it cut anew, put it aside first."
    return ""


def outdated(work: Work) -> Iterator[Variant]:
    """Versions whose last step was this tool's, and which it does not build upon."""
    for variant in work.present if not work.goes_on else ():
        made = _made_of(work.unit, variant)
        if made is not None and made.steps and made.steps[-1].tool == work.step.tool:
            yield variant


def _of(unit: Unit, version: Variant | None, kind: Kind, present: tuple[Variant, ...], may_replace: bool = False) -> Work:
    """Work on a version as it is; None: on the picture itself.

    Args: may_replace: whether a version of an older picture is replaced by one of the present picture.
    """
    if version is None:
        return Work(unit, unit.item.path, (), kind, present)
    made = read_made(unit.folder / version.name)
    if made is not None and made.of != unit.item.sha256:
        if may_replace:
            return Work(unit, unit.item.path, (), kind, present)
        trouble = f"{version.name} was made of an older picture. Make it anew, or take it away."
        return Work(unit, unit.folder / version.name, made.steps, kind, present, trouble)
    return Work(unit, unit.folder / version.name, _steps(unit.folder / version.name, made), kind, present)


def _begins(steps: Sequence[Step], work: Work) -> bool:
    """Whether a version came about like this work, whatever was done to it since."""
    count = len(work.steps)
    if len(steps) <= count or steps[:count] != work.steps or steps[count].tool != work.step.tool:
        return False
    return {name: value for name, value in steps[count].settings.items() if name != LABELS} == work.step.settings


def _earlier(unit: Unit, best: Variant) -> Iterator[tuple[Path, tuple[Step, ...]]]:
    """What the best version may have been made of: the one that it replaced, the ones below it, the picture itself (of a part: no more)."""
    lower = WHOLE[:WHOLE.index(best.kind)] if best.kind in WHOLE else ()
    below = [one for kind in reversed(lower) for one in unit.variants if one.kind == kind and not one.label]
    for path in (replaced_one(unit.folder / best.name), *(unit.folder / one.name for one in below)):
        made = read_made(path) if path is not None else None
        if path is not None and (made is None or made.of == unit.item.sha256):
            yield path, _steps(path, made)
    if best.kind in WHOLE:
        yield unit.item.path, ()


def _steps(path: Path, made: Made | None) -> tuple[Step, ...]:
    """What was done to a version; one that does not say was brought along."""
    return made.steps if made is not None else (Step("file", {"name": path.name}),)


def _made_of(unit: Unit, variant: Variant) -> Made | None:
    """How a version was made; None: nothing tells, or of an older picture."""
    made = read_made(unit.folder / variant.name)
    return made if made is not None and made.of == unit.item.sha256 else None
