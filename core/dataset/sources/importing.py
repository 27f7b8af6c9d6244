"""Bring images and their captions from a source into a project. The source is never changed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.base.errors import DatasetError, DiskError, StudioError
from core.base.files import write_new
from core.base.http import refuse_full, shown_address
from core.base.parts import clear_old_parts
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted
from core.dataset.captions.files import (
    NO_FILE,
    Caption,
    CaptionConflict,
    caption_path_for,
    forget_caches,
    remove_caption,
    revision_of,
    write_caption,
)
from core.dataset.images.baking import Baked, bake
from core.dataset.items import Skipped, list_items
from core.dataset.moving import among_movers
from core.dataset.parallel import bounded_map
from core.dataset.project import Project
from core.dataset.renaming_steps import giving_names
from core.dataset.sources import SIDECAR_SUFFIX, SOURCES, UPLOAD_SUFFIX, Source, SourceContent, SourceFile, kind_of, source_kind
from core.dataset.sources.again import CaptionsAgain
from core.dataset.sources.captions import Words, captions_by_name, read_words, sidecars_of, write_lines
from core.dataset.sources.download import refuse_password
from core.dataset.sources.drive import on_drive
from core.dataset.sources.gallery import GallerySettings
from core.dataset.sources.huggingface import HubSettings
from core.dataset.sources.import_report import Imported, ImportReport, words_of_others
from core.dataset.sources.ledger import ImportRecord, Ledger
from core.dataset.sources.masks import bring_masks, leave_masks, set_masks_apart
from core.dataset.sources.sidecars import sidecars_by_name
from core.dataset.sources.upload import HOLDS_NOTHING
from core.dataset.sources.url import UrlSettings

MAX_FILE = 512 * 2**20
"""Bytes; a larger file is no image for training."""


class ImportSettings(Settings):
    """From where, and what becomes of unusual images."""

    title = "Import"

    kind: Literal["auto", "folder", "archive", "drive", "url", "huggingface", "gallery"] = setting(
        "auto", "From", "auto looks at what is there.")
    source: str = setting(..., "Folder or archive", "A folder with images, or a zip or tar archive. It is never changed. Of other "
                          "kinds: the address, the repository, or the tags that are looked for.", min_length=1)
    recursive: bool = setting(True, "With subfolders", "Also take the images of its subfolders.")
    captions: bool = setting(True, "With captions", "Bring the captions that stand beside the images: .txt, .caption "
                             "and .json files, metadata.jsonl and metadata.csv.")
    keep_lines: bool = setting(False, "Keep the lines of captions", "What becomes of a caption of several lines. On: it keeps them, for "
                               "training with wildcards, which draws one each time. Off: they become one line, since without wildcards "
                               "only the first is read.", level="advanced")
    transparency: Literal["keep", "white"] = setting(
        "keep", "Transparency", "keep: transparent images stay so. white: they are laid over white.", level="advanced")
    min_side: int = setting(32, "Smallest side", "Images with a shorter side are skipped.", ge=1, le=4096, unit="px", level="advanced")
    max_megapixels: float = setting(120.0, "Largest image", "Larger images are skipped before they are decoded.", gt=0, le=1000,
                                    unit="megapixels", level="expert")
    workers: int = setting(0, "Images at once", "How many are decoded at once; 0 chooses.", ge=0, le=64, level="expert", unit="threads")
    url: UrlSettings = setting(UrlSettings(), "Address")
    huggingface: HubSettings = setting(HubSettings(), "Hugging Face")
    gallery: GallerySettings = setting(GallerySettings(), "Picture site")

    def to_keep(self) -> ImportSettings:
        """An address without what is secret in it."""
        scheme, mark, _ = self.source.partition("://")
        if not mark:
            return self
        try:
            return self.changed(source=shown_address(self.source))
        except ValueError:  # nobody can read it; the source itself says so
            return self.changed(source=f"{scheme}://***")


@dataclass(frozen=True)
class _Prepared:
    """A source file, read and decoded; `baked` is None where its content is in the project already."""

    sha256: str
    baked: Baked | None
    size: int
    mtime_ns: int
    """Or another number that changes with the content (`SourceFile.stamp`)."""
    written: str = ""
    """SHA-256 of `baked.data`."""
    words: Words = field(default_factory=Words)
    """Empty where the image has a caption already."""


def import_images(project: Project, settings: ImportSettings, progress: Progress = SILENT) -> ImportReport:
    """Copy images into `images/`, each upright, safely named, with a stem of its own and its caption beside it.

    Content that is in the project already is not copied again, so that an interrupted import goes on where it stopped.

    Returns: what came in under which name, what was there already, and everything skipped with the reason.

    Raises:
        DatasetError: the source is missing, unreadable or holds no image.
        Cancelled: what came in stays. DiskError: no space, no permission; what came in stays whole.
    """
    report = ImportReport()
    clear_old_parts(project.images)
    with giving_names(project, progress), _opened(project, settings, progress) as source, closing(source.parts()) as parts:
        importer: _Importer | None = None
        pictures, looks = False, settings.captions and Path(source.place).is_absolute()
        for content in parts:
            set_masks_apart(content)
            report.skipped += content.skipped
            for ending, count in content.others.items():
                report.others[ending] = report.others.get(ending, 0) + count
            report.known += content.known
            report.again = content.again or report.again
            if not (content.images or (looks and (content.captions or content.tables or content.sidecars))):
                continue
            if content.images:
                _note_source(project, source.place)
                pictures = True
            if importer is None:
                ledger = Ledger(project, [(item.path.name, item.sha256) for item in list_items(project)])
                importer = _Importer(project, settings, source.place, ledger, report, progress)
            importer.take(content)
        if importer is not None:
            importer.conclude()
        if importer is not None and pictures:
            report.skipped += importer.again.lone
        elif not report.known:
            _conclude_without(project, settings, source.place, report, importer.again.unmatched if importer is not None else [])
    return report


def _opened(project: Project, settings: ImportSettings, progress: Progress) -> Source:
    """The source that the settings name. Raises: DatasetError: there is none of that kind, or it is the project itself."""
    progress.start("Reading the source")
    kind = source_kind(settings.source) if settings.kind == "auto" else settings.kind
    if SOURCES.entry(kind).options.get("remote"):
        refuse_password(settings.source)
        return SOURCES.load(kind)(settings.source, project.hidden / "downloads", settings.recursive, getattr(settings, kind), progress)
    location = on_drive(settings.source) if kind == "drive" else typed_path(settings.source)
    if settings.kind != "auto":
        kind_of(location)
    _refuse_own(project, location)
    return SOURCES.load(kind)(location, project.hidden / "unpacked", settings.recursive, None, progress)


def _conclude_without(project: Project, settings: ImportSettings, place: str, report: ImportReport, unmatched: Sequence[Skipped]) -> None:
    """What is to be said where no picture came. Raises: DatasetError: nothing that came belongs to the project."""
    is_upload = place.endswith(UPLOAD_SUFFIX)
    report.captions_only = bool(report.differ or report.same)
    if report.captions_only or is_upload:  # an upload is not to be offered again
        _note_source(project, place)
    if report.captions_only:
        report.skipped += unmatched
        return
    nothing = HOLDS_NOTHING if is_upload else f"{place} holds no images"
    if unmatched:
        first = ", ".join(one.name for one in unmatched[:3]) + (" …" if len(unmatched) > 3 else "")
        its = f"its {counted(len(unmatched), 'caption')} {'fits' if len(unmatched) == 1 else 'fit'}"
        raise DatasetError(f"{nothing}, and {its} no picture of this project: {first}.",
                           "A caption fits where it is called like its picture." + _first_reason(report))
    raise DatasetError(f"{nothing}{'' if settings.recursive else ' (subfolders were left out)'}.",
                       "Taken are PNG, JPEG, WebP, BMP, TIFF, AVIF, GIF and, with pi-heif, HEIC files." + _first_reason(report))


def _first_reason(report: ImportReport) -> str:
    first, others = next(iter(report.skipped), None), words_of_others(report.others)
    reason = f" Left out were {len(report.skipped)}, the first: {first.name} ({first.reason})" if first else ""
    return f"{reason} {others}" if others else reason


@dataclass
class _Importer:
    """One import under way."""

    project: Project
    settings: ImportSettings
    home: str
    """The source, in the ledger's words."""
    ledger: Ledger
    report: ImportReport
    progress: Progress
    captions: dict[str, SourceFile] = field(default_factory=dict)
    reading: dict[str, threading.Lock] = field(default_factory=dict)
    """By how the name begins: images of one stem share a caption, which is fetched to one place."""
    looks: bool = False
    """Whether captions of the part that comes in now can be looked at again later."""
    sidecars: set[str] = field(default_factory=set)
    """.json files of that part in which captions were found, or which are told of otherwise."""

    def __post_init__(self) -> None:
        self.again = CaptionsAgain(self.project, self.ledger, self.report, self.home)

    def take(self, content: SourceContent) -> None:
        """Bring in one part of the source. Raises: Cancelled, DiskError."""
        self.captions, problems = captions_by_name(content)
        self.sidecars.clear()
        if self.settings.captions:
            beside, damaged = sidecars_by_name(content)
            self.captions = {**beside, **self.captions}
            problems += damaged
        self.looks = self.settings.captions and Path(self.home).is_absolute() and not content.closed
        for problem in problems:
            self.sidecars.add(problem.name)
            self._skip(problem.name, problem.reason)
        if missing := sum(file.stamp[0] for file in content.images if file.fetch and file.stamp and not self._is_known(file)):
            refuse_full(self.project.hidden, missing, f"the pictures of {self.home}")
        if content.images:
            self.progress.start("Importing", len(content.images))
        self.progress.check()
        with closing(bounded_map(self.prepare, content.images, self.settings.workers)) as prepared:
            for file, result in prepared:
                masks = content.masks.get(file.name, [])
                self.place(file, result, masks)
                if isinstance(result, StudioError):
                    content.refused.append(file.name)
                    leave_masks(masks, file, "That picture was not taken.", self.report)
                self.progress.advance(file.name)
        if told := sum(file.name in self.sidecars for file in content.sidecars):
            self.report.others = {ending: rest for ending, count in self.report.others.items()
                                  if (rest := count - (told if ending == SIDECAR_SUFFIX else 0))}
        if self.settings.captions:
            self.again.gather(content, self.captions, self.looks)

    def conclude(self) -> None:
        """Find the pictures of captions that stood beside none, when all parts came in. Raises: Cancelled, DiskError."""
        self.again.conclude(self._bring_late)

    def _bring_late(self, words: Words, image: str) -> bool:
        """A caption for a picture that came with another part."""
        with among_movers(self.project, self.progress) as moves:
            self.ledger.look_again(moves)
            target = self.project.images / image
            return target.exists() and self._bring_caption(words, target) is not None

    def prepare(self, file: SourceFile) -> _Prepared:
        """Read, hash and decode one file, and read its caption (in a thread). Raises: DatasetError: why it is skipped; DiskError."""
        try:
            stamp = file.stamp or _stamp(file.path)
            if stamp[0] > MAX_FILE:
                raise DatasetError(f"It has {stamp[0] / 2**20:.0f} MiB; the limit is {MAX_FILE / 2**20:.0f}.")
            known = self.ledger.hash_at(self._place(file), *stamp)
            if known:
                return _Prepared(known, None, *stamp, words=self._words_of(file, known))
            data = file.read()
        except FileNotFoundError as error:
            raise DatasetError("It is not there (any more).") from error
        except PermissionError as error:
            raise DatasetError("There is no permission to read it.") from error
        except OSError as error:
            raise DatasetError(f"It could not be read ({error.strerror}).") from error
        sha = hashlib.sha256(data).hexdigest()
        if self.ledger.name_of(sha):
            return _Prepared(sha, None, *stamp, words=self._words_of(file, sha))
        baked = bake(data, self.settings.transparency, self.settings.min_side, int(self.settings.max_megapixels * 1e6))
        written = hashlib.sha256(baked.data).hexdigest() if baked.changes else sha
        return _Prepared(sha, baked, *stamp, written, self._words_of(file))

    def place(self, file: SourceFile, result: _Prepared | StudioError, masks: Sequence[SourceFile] = ()) -> None:
        """Write one image, its caption and its masks into the project. Raises: DiskError."""
        if isinstance(result, DiskError):
            raise result
        if isinstance(result, StudioError):
            self._skip(file.name, result.message)
            return
        with among_movers(self.project, self.progress) as moves:
            self.ledger.look_again(moves)
            self._place_prepared(file, result)
            image = self.ledger.image_of(result.sha256) if masks else None
            if image is not None:
                record = self.ledger.record_of(result.sha256, image)
                changed = record is None or record.written != record.sha256
                bring_masks(self.project, masks, file, image, changed, self.report)

    def _place_prepared(self, file: SourceFile, result: _Prepared) -> None:
        self.sidecars.update((result.words.name, *(problem.name for problem in result.words.problems)))
        present = self.ledger.name_of(result.sha256)
        if present is not None or result.baked is None:
            self.report.already.append(Imported(present or "", file.name, ()))
            image = self.ledger.image_of(result.sha256)
            if image is not None:
                brought = self._bring_caption(result.words, self.project.images / image)
                if brought is not None:
                    self.ledger.note_caption(result.sha256, image, self._revision_of(result.words) or "")
                if self.looks and result.words.from_json:
                    self.report.skipped += self.again.left_json(result.sha256, image, result.words) if brought is None else []
                elif self.looks:
                    self.report.differ += self.again.is_news(result.sha256, image, self._place(file), result.words)
            return
        while True:
            name = self.ledger.claim(result.sha256, Path(file.name).stem, result.baked.suffix)
            self.ledger.record(ImportRecord(name, result.sha256, self._place(file), result.size, result.mtime_ns, result.written,
                                            self._revision_of(result.words)))
            target = self.project.images / name
            self.ledger.forget_latents(name)
            forget_caches(caption_path_for(target))
            caption = self._bring_caption(result.words, target)
            try:
                write_new(target, result.baked.data)
            except FileExistsError:  # somebody put a file of that name there this very moment: it stays, this one gets another name
                if caption is not None:
                    self._count_caption(result.words, -1)
                    with suppress(CaptionConflict):  # it was edited already
                        remove_caption(caption_path_for(target), caption.revision)
            else:
                break
        self.report.imported.append(Imported(name, file.name, result.baked.changes))

    def _words_of(self, file: SourceFile, known: str = "") -> Words:
        """The caption of an image, read before anybody has to wait for it. Args: known: SHA-256 of one that is in the project."""
        if not self.settings.captions:
            return Words()
        if known:
            image = self.ledger.image_of(known)
            if image is None or (not self.looks and caption_path_for(self.project.images / image).exists()):
                self.sidecars.update(one.name for one in sidecars_of(self.captions, file.name))
                return Words()
        with self.reading.setdefault(Path(file.name).name.partition(".")[0].casefold(), threading.Lock()):
            return read_words(self.captions, file.name)

    def _revision_of(self, words: Words) -> str | None:
        """What the ledger notes of the source's caption: its revision; empty: there is none; None: it was not looked at."""
        if not self.settings.captions:
            return None
        return revision_of(words.text.encode("utf-8")) if words.text else ""

    def _bring_caption(self, words: Words, image: Path) -> Caption | None:
        """The caption goes before the image, so that an image in the project is never there without it. Returns: what was written."""
        target = caption_path_for(image)
        if target.exists():
            return None
        for problem in words.problems:
            self._skip(problem.name, problem.reason)
        if not words.text:
            return None
        keeps = bool(words.lines) and self.settings.keep_lines
        try:
            written = write_lines(target, words.lines) if keeps else write_caption(target, words.text, NO_FILE)
        except (DatasetError, OSError) as error:
            self._skip(words.name, f"{error} The image came in without it.")
            return None
        self._count_caption(words)
        return written

    def _count_caption(self, words: Words, number: int = 1) -> None:
        self.report.captions += number
        self.report.from_json += number * words.from_json
        self.report.in_lines += number * bool(words.lines and self.settings.keep_lines)
        self.report.joined += number * bool(words.lines and not self.settings.keep_lines)

    def _is_known(self, file: SourceFile) -> bool:
        """Whether an earlier import brought it, so that it is not fetched."""
        return file.stamp is not None and self.ledger.hash_at(self._place(file), *file.stamp) is not None

    def _place(self, file: SourceFile) -> str:
        return f"{self.home.rstrip('/')}/{file.name}"

    def _skip(self, name: str, reason: str) -> None:
        self.report.skipped.append(Skipped(name, reason))
        self.progress.warn(f"{name}: {reason}")


def _refuse_own(project: Project, location: Path) -> None:
    """Raises: DatasetError: the project would be imported into itself."""
    if not location.is_dir():
        return
    source, home = location.resolve(), project.folder.resolve()
    if home in (source, *source.parents):
        raise DatasetError(f"{location} lies inside the project itself.", "Choose the folder that the images come from.")
    if source in home.parents:
        raise DatasetError(f"{location} holds the project itself ({project.folder}).",
                           "Choose a subfolder of it that holds only the images, or move the project to another place.")


def _stamp(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def _note_source(project: Project, place: str) -> None:
    project.change_info(lambda info: info if place in info.sources else info.changed(sources=(*info.sources, place)))
