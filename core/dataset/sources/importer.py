"""One import under way: each picture is read, decoded and placed with its caption and its masks."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from core.base.errors import DatasetError, DiskError, StudioError
from core.base.files import write_new
from core.base.http import refuse_full
from core.base.progress import Progress
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
from core.dataset.items import Skipped
from core.dataset.moving import among_movers
from core.dataset.parallel import bounded_map
from core.dataset.project import Project
from core.dataset.sources import SIDECAR_SUFFIX, SourceContent, SourceFile
from core.dataset.sources.again import CaptionsAgain
from core.dataset.sources.captions import Words, captions_by_name, read_words, sidecars_of, write_lines
from core.dataset.sources.import_report import Imported, ImportReport
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.ledger import ImportRecord, Ledger
from core.dataset.sources.masks import bring_masks, leave_masks
from core.dataset.sources.sidecars import sidecars_by_name

MAX_FILE = 512 * 2**20
"""Bytes; a larger file is no image for training."""


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


@dataclass
class Importer:
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


def _stamp(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns
