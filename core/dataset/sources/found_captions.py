"""Captions that stand beside the source files and not in the project: found, shown for review, and kept apart until they are saved.

What was taken or left is noted in `.lorabook/source_captions.jsonl`, by the source file and the text, so that it is not shown again unless
it changes. Sources are never touched.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

from core.base.errors import DatasetError
from core.base.files import append_lines, read_json_lines
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted
from core.dataset.captions.editing import EditPlan, apply_plan
from core.dataset.captions.files import CAPTION_EXTENSION, read_caption, revision_of
from core.dataset.history import Change
from core.dataset.images.files import stem_of
from core.dataset.index import Index
from core.dataset.items import Skipped, list_items
from core.dataset.project import Project
from core.dataset.sources.beside import Beside, Home, SourceTexts, file_names, homes_of
from core.dataset.sources.captions import read_words
from core.dataset.sources.ledger import ImportRecord, PlaceRecord, read_ledger, read_places

DECISIONS = "source_captions.jsonl"
DEEPEST = 4
"""Parts of a picture's path that are tried in another source."""


class FindSettings(Settings):
    """Which captions beside the sources are shown."""

    title = "Captions beside the sources"

    decided: bool = setting(False, "Also what was decided", "Show captions again that were taken or left before, and differ from the "
                            "project's now: after an undo, say.")


class TakeSettings(Settings):
    """What becomes of captions that were found."""

    title = "Take captions from beside the sources"

    images: tuple[str, ...] = setting((), "Images", "Ids (names without the ending). None given: all for which a caption is found.")
    decision: Literal["take", "leave"] = setting("take", "Decision", "take: they become the project's captions. leave: they are not shown "
                                                 "again unless they change.")


@dataclass(frozen=True)
class FoundCaption:
    """A caption beside a source that is not the project's."""

    id: str
    """Of the image."""
    image: str
    """File name of the image in the project."""
    sha256: str
    """Of the image; empty where it is not known."""
    present: str | None
    """The project's caption; None or empty: there is none."""
    found: str
    place: str
    """Where it stands: its path in the source."""
    source: str
    """The image's source, as the ledger calls it."""

    @property
    def kind(self) -> Literal["missing", "changed"]:
        """missing: the project has none. changed: it was changed beside the source after the import."""
        return "changed" if self.present else "missing"

    @property
    def revision(self) -> str:
        """Names the very text."""
        return revision_of(self.found.encode("utf-8", "surrogatepass"))


@dataclass
class FoundReport:
    """What stands beside the sources."""

    found: list[FoundCaption] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """Sources that are not there now."""
    skipped: list[Skipped] = field(default_factory=list)
    decided: int = 0
    """Captions that were taken or left before, differ from the project's now, and are not shown."""
    closed: list[str] = field(default_factory=list)
    """Archives that are not looked into."""

    def count(self, kind: str) -> int:
        """How many are of that kind."""
        return sum(one.kind == kind for one in self.found)

    def sentence(self) -> str:
        """The result in one line."""
        missing, changed = self.count("missing"), self.count("changed")
        parts = [f"{missing} for images without a caption" if missing else "",
                 f"{changed} changed there or brought anew after the import" if changed else ""]
        away = f" {len(self.gone)} of the sources cannot be looked into now." if self.gone else ""
        if self.decided:
            away = f" {counted(self.decided, 'caption')} that you decided on before {'is' if self.decided == 1 else 'are'} not shown.{away}"
        if self.closed:
            archives = "archive is" if len(self.closed) == 1 else "archives are"
            away = f" {len(self.closed)} {archives} not looked into.{away}"
        if not self.found:
            return f"No {'other ' if self.decided else ''}caption beside the sources is missing here.{away}"
        word = "caption" if len(self.found) == 1 else "captions"
        return f"{len(self.found)} {word} found beside the sources: {', '.join(filter(None, parts))}.{away}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"found": [{**asdict(one), "kind": one.kind} for one in self.found], "gone": self.gone, "decided": self.decided,
                "closed": self.closed, "skipped": [vars(item) for item in self.skipped]}


@dataclass
class TakeReport:
    """What became of captions that were decided on."""

    taken: int = 0
    left: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def sentence(self) -> str:
        """The result in one line."""
        parts = [f"{self.taken} {'caption' if self.taken == 1 else 'captions'} taken from beside the sources",
                 f"{self.left} left there" if self.left else "", f"{len(self.skipped)} skipped" if self.skipped else ""]
        return f"{', '.join(filter(None, parts))}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Here(NamedTuple):
    """One image of the project, as far as it matters here."""

    name: str
    mtime_ns: int
    sha256: str
    """Empty where it is not known."""
    caption: str | None


def find_source_captions(project: Project, settings: FindSettings | None = None, progress: Progress = SILENT) -> FoundReport:
    """Captions beside the source files for images whose caption is missing here, or was changed there after the import; nothing is touched.

    Returns: what was found in the natural order of the images, sources that are not there now, and what could not be read.
    Raises: DatasetError: the project's images cannot be read. Cancelled.
    """
    images = [Here(item.name, item.mtime_ns, item.sha256, item.caption) for item in list_items(project)]
    with Index(project.hidden / "index.sqlite") as index:
        return find_for(project, images, index, (settings or FindSettings()).decided, progress)


def find_for(project: Project, images: Sequence[Here], index: Index, decided: bool = False, progress: Progress = SILENT) -> FoundReport:
    """The same for a list of images that is known already."""
    homes, gone = homes_of(project)
    report = FoundReport(gone=gone)
    before, file_of = set() if decided else read_decisions(project, homes), file_names(homes)
    texts, found, decided_on = SourceTexts(index), dict[str, tuple[int, FoundCaption]](), set[str]()
    progress.start("Looking beside the sources", len(homes))
    places = _places(project, images) if homes else {}
    for home, pairs in _by_home(homes, images, places):
        pairs = pairs or _of_the_same_size(home, images, places)
        beside = texts.look(home, [inside for inside, _, _, _ in pairs])
        report.skipped += beside.skipped
        report.closed += beside.closed
        for inside, here, record, rank in pairs:
            one = _found(project, inside, here, record, beside, report)
            if one is not None and (file_of(one.source), one.revision) in before:
                decided_on.add(one.image)
            elif one is not None and (one.image not in found or rank > found[one.image][0]):
                found[one.image] = rank, one
        progress.advance(home.place)
    texts.remember(all_seen=not gone)
    report.found = [found[here.name][1] for here in images if here.name in found]
    report.decided = len(decided_on - found.keys())
    return report


def _places(project: Project, images: Iterable[Here]) -> dict[str, list[ImportRecord]]:
    """Where each image and its captions stand, by the image's name: first where it came from, then where it came once more."""
    records = {record.name: record for record in read_ledger(project)}
    more: dict[str, list[PlaceRecord]] = {}
    for place in read_places(project):
        more.setdefault(place.sha256, []).append(place)
    found: dict[str, list[ImportRecord]] = {}
    for here in images:
        record = records.get(here.name)
        origin = [record] if record is not None and record.describes(here.sha256) else []
        contents = dict.fromkeys([*(one.sha256 for one in origin), here.sha256]) if more else ()
        others = [ImportRecord(here.name, place.sha256, place.source, 0, 0, caption=place.caption)
                  for content in contents if content for place in more.get(content, ())]
        if origin or others:
            found[here.name] = [*origin, *others]
    return found


def _of_the_same_size(home: Home, images: Iterable[Here],
                      places: Mapping[str, Sequence[ImportRecord]]) -> list[tuple[str, Here, ImportRecord, int]]:
    """The images that lie in a source too, by name and size, where the ledger says nothing of it: of an import by an earlier version."""
    found: list[tuple[str, Here, ImportRecord, int]] = []
    if not home.folder.is_dir():
        return found
    for here in images:
        for record in places.get(here.name, ())[:1]:
            parts = record.source.split("/")
            for depth in range(min(len(parts), DEEPEST), 0, -1):
                inside = "/".join(parts[-depth:])
                with contextlib.suppress(OSError, ValueError):
                    if (home.folder / inside).stat().st_size == record.size:
                        same = ImportRecord(here.name, record.sha256, f"{home.begin}{inside}", record.size, 0)
                        found.append((inside, here, same, 0))
                        break
    return found


def _by_home(homes: Sequence[Home], images: Iterable[Here],
             places: Mapping[str, Sequence[ImportRecord]]) -> list[tuple[Home, list[tuple[str, Here, ImportRecord, int]]]]:
    """Sources with their images: path inside it, the image, what the ledger says of it, and a number that is higher for what came later."""
    found: list[tuple[Home, list[tuple[str, Here, ImportRecord, int]]]] = [(home, []) for home in homes]
    begins, file_of = [(home.begin, pairs) for home, pairs in found], file_names(homes)
    for here in images:
        known = set[str]()
        for rank, record in enumerate(places.get(here.name, ())):
            file = file_of(record.source)
            for begin, pairs in begins if file not in known else ():  # else it is the same file under its other name
                if record.source.startswith(begin):
                    known.add(file)
                    pairs.append((record.source[len(begin):], here, record, rank))
                    break
    return found


def _found(project: Project, inside: str, here: Here, record: ImportRecord, beside: Beside, report: FoundReport) -> FoundCaption | None:
    """What stands beside one image's source, if it is news; None: it is not, or nothing stands there."""
    name = f"{inside.rpartition('.')[0]}{CAPTION_EXTENSION}"
    text = beside.texts.get(name, "")  # the first that `read_words` looks at
    if not text:
        words = read_words(beside.captions, inside)
        text, name = words.text, words.name
        report.skipped += [Skipped(one.name, one.reason.removesuffix(" The image came in without it.")) for one in words.problems
                           if not one.reason.startswith("The caption is empty")]
    if not text or text == here.caption:
        return None
    one = FoundCaption(stem_of(here.name), here.name, here.sha256, here.caption, text, name, record.source)
    if not here.caption:
        caption = project.images / f"{one.id}{CAPTION_EXTENSION}"
        try:
            return one if not read_caption(caption).text else None
        except DatasetError as error:
            report.skipped.append(Skipped(caption.name, error.message))
            return None
    if record.caption is not None:
        return one if record.caption != one.revision else None
    return one if beside.changed.get(name, 0) > here.mtime_ns else None  # imported by an earlier version, which noted no caption


def take_source_captions(project: Project, take: Sequence[FoundCaption], leave: Sequence[FoundCaption] = (),
                         progress: Progress = SILENT) -> TakeReport:
    """Make captions that were found the project's, as one entry of the history; the others are noted as left.

    An image that is no longer the one that was shown, and a caption that changed meanwhile, stay as they are and are named.
    Raises: Cancelled: what was taken stays, and can be undone; DiskError.
    """
    report = TakeReport(left=len(leave))
    there = {item.name: item.sha256 for item in list_items(project)} if take else {}
    changes: dict[str, Change] = {}
    wanted = []
    for one in take:
        file = one.id + CAPTION_EXTENSION
        if there.get(one.image) is None or one.sha256 not in ("", there[one.image]):
            report.skipped.append(Skipped(one.image, "It is no longer the image that was shown."))
        elif file in changes:
            report.skipped.append(Skipped(one.image, f"Another image shares its caption {file}."))
        else:
            changes[file] = Change(one.id, file, one.present, one.found, None, there[one.image])
            wanted.append(one)
    if changes:
        what = f"{len(changes)} {'caption' if len(changes) == 1 else 'captions'} taken from beside the sources"
        edited = apply_plan(project, EditPlan(what, list(changes.values()), 0, []), progress)
        report.taken, report.skipped = edited.changed + edited.unchanged, report.skipped + edited.skipped
        failed = {item.name for item in edited.skipped}
        wanted = [one for one in wanted if one.id + CAPTION_EXTENSION not in failed]
    _note(project, [("taken", one) for one in wanted] + [("left", one) for one in leave])
    return report


def take_found(project: Project, settings: TakeSettings, progress: Progress = SILENT) -> TakeReport:
    """The same by the images' ids, for what is found now. Raises: DatasetError: no caption is found for an image that is named."""
    found = {one.id: one for one in find_source_captions(project, progress=progress).found}
    unknown = [name for name in settings.images if name not in found]
    if unknown:
        raise DatasetError(f"No caption is found beside the source of {unknown[0]!r}.", "Look again which ones are found.")
    chosen = [found[name] for name in settings.images] if settings.images else list(found.values())
    take, leave = (chosen, []) if settings.decision == "take" else ([], chosen)
    return take_source_captions(project, take, leave, progress)


def _note(project: Project, decisions: Sequence[tuple[str, FoundCaption]]) -> None:
    now = time.time()
    lines = [json.dumps({"event": event, "source": one.source, "text": one.revision, "time": now}, ensure_ascii=False)
             for event, one in decisions]
    if lines:
        append_lines(project.hidden / DECISIONS, ["\n".join(lines)], sync=True, errors="surrogateescape")


def read_decisions(project: Project, homes: Sequence[Home]) -> set[tuple[str, str]]:
    """File (as `file_names` calls it) and text of everything that was taken or left; half a line is passed over."""
    found, file_of = set[tuple[str, str]](), file_names(homes)
    for value in read_json_lines(project.hidden / DECISIONS, errors="surrogateescape"):
        with contextlib.suppress(KeyError, TypeError):
            found.add((file_of(value["source"]), value["text"]))
    return found
