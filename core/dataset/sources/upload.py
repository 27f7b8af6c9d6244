"""What came through the browser: where it goes, the record of each upload, and the source that an import reads it from.

`<project>/uploads/upload_<time>.upload` is the record (one JSON object a line): first the folder that the files went into, then one line
for each file that is whole. The files lie in `<project>/uploads/upload_<time>/`, or in the maker's own folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from core.base.errors import DatasetError
from core.base.files import append_lines, explain_disk_errors, read_json_lines
from core.base.paths import ROOT
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.images.files import natural_key
from core.dataset.items import Skipped
from core.dataset.project import Project
from core.dataset.sources import (
    ARCHIVE_SUFFIXES,
    IMPORT_SUFFIXES,
    UPLOAD_SUFFIX,
    VIDEO_SUFFIXES,
    WORD_SUFFIXES,
    SourceContent,
    SourceFile,
    is_junk,
    is_table,
    kind_of,
)
from core.dataset.sources.archive import ArchiveSource

TAKEN = (*IMPORT_SUFFIXES, *WORD_SUFFIXES, *ARCHIVE_SUFFIXES)
"""Endings of files that are taken, besides `TABLES`."""
HOLDS_NOTHING = "What was uploaded holds no images"
"""How the sentence begins with which the import of an upload ends where nothing in it can be used; of a job only its words stay."""
UPLOAD_ID = re.compile(r"upload_\d{8}-\d{6}(-\d{1,3})?")


class UploadSettings(Settings):
    """Where uploaded files go, and what happens then."""

    title = "Upload"

    where: Literal["own", "project"] = setting(
        "own", "Where to", "own: new files are added to your own folder that this project's pictures came from, where there is one; no "
        "file that is there is changed, and the same file is not stored twice. project: into uploads/ of the project, apart from them.")
    import_after: bool = setting(True, "Import when everything is here", "The pictures then go on into the project by themselves.")


@dataclass(frozen=True)
class Arrived:
    """One file that came whole."""

    path: str
    """Its path in the browser."""
    name: str
    """Where it lies, in the upload's folder, with "/"."""
    size: int
    already: bool = False
    """The same content lay there before."""


@dataclass
class UploadRecord:
    """Which files came with one upload, and where they lie."""

    path: Path

    @classmethod
    def of(cls, project: Project, upload: str) -> UploadRecord:
        """The record of that upload, which need not be there yet. Raises: DatasetError: this is no upload's name."""
        if not UPLOAD_ID.fullmatch(upload):
            raise DatasetError(f"No upload is called {upload!r}.")
        return cls(uploads_of(project) / f"{upload}{UPLOAD_SUFFIX}")

    def folder(self) -> Path | None:
        """The folder that the files lie in; None while there is no record."""
        lines = self._lines()
        place = lines[0].get("folder") if lines else None
        return self.path.parent / place if isinstance(place, str) else None  # an absolute path stands for itself

    def arrived(self) -> list[Arrived]:
        """The files that are whole, in the order in which they came; half a line is passed over."""
        found = []
        for line in self._lines()[1:]:
            with contextlib.suppress(TypeError):
                found.append(Arrived(**line))
        return found

    def begin(self, folder: Path) -> None:
        """Note the folder. It is noted as a relative path where it moves with the project. Raises: DiskError."""
        inside = folder.is_relative_to(self.path.parent)
        place = str(folder.relative_to(self.path.parent)) if inside else str(folder)
        append_lines(self.path, [json.dumps({"folder": place}, ensure_ascii=False)])

    def add(self, files: Iterable[Arrived]) -> None:
        """Note files that are whole. Raises: DiskError."""
        append_lines(self.path, [json.dumps(asdict(file), ensure_ascii=False) for file in files], errors="replace")

    def end(self) -> None:
        """Note that no more is to come. Raises: DiskError."""
        if self.path.exists():
            append_lines(self.path, [json.dumps({"ended": True})], sync=True)

    def ended(self) -> bool:
        """Whether no more was to come when it was last noted."""
        lines = self._lines()
        return bool(lines) and "ended" in lines[-1]

    def _lines(self) -> list[dict[str, Any]]:
        return list(read_json_lines(self.path))


def uploads_of(project: Project) -> Path:
    """The folder of a project's uploads and their records."""
    return project.folder / "uploads"


def list_uploads(project: Project) -> list[UploadRecord]:
    """The records of a project's uploads, oldest first."""
    found = uploads_of(project).glob(f"upload_*{UPLOAD_SUFFIX}")
    return [UploadRecord(path) for path in sorted(found, key=natural_key) if UPLOAD_ID.fullmatch(path.stem)]


def not_imported(project: Project) -> list[UploadRecord]:
    """Uploads with files that no import has read yet, oldest first."""
    read = {record.path for place in project.info().sources if (record := record_at(project, place)) is not None}
    return [record for record in list_uploads(project) if record.path not in read and record.arrived()]


def importable(project: Project) -> UploadRecord | None:
    """The oldest upload that was not imported yet, else the last one that can bring pictures; None: there is none."""
    waiting = not_imported(project)
    return waiting[0] if waiting else next((record for record in reversed(list_uploads(project)) if _brings_pictures(record)), None)


def _brings_pictures(record: UploadRecord) -> bool:
    """Whether there are pictures or archives in it."""
    try:
        facts = record.path.stat()
    except OSError:
        return False
    return _has_pictures(record.path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=256)
def _has_pictures(path: Path, changed: int, size: int) -> bool:
    return any(file.name.lower().endswith((*IMPORT_SUFFIXES, *ARCHIVE_SUFFIXES)) for file in UploadRecord(path).arrived())


def record_at(project: Project, place: str) -> UploadRecord | None:
    """The upload that a source of the project is; of a project that was moved or copied, the record that went along. None: it is none."""
    path = Path(place)
    if path.suffix != UPLOAD_SUFFIX:
        return None
    here = uploads_of(project) / path.name
    return UploadRecord(here if here.is_file() else path)


def current_upload(project: Project, settings: UploadSettings) -> str:
    """The id of the upload that what is dropped now belongs to: the last one if it was interrupted, else a new one."""
    last = list_uploads(project)[-1:]
    for record in last:
        if not record.ended() and record.folder() == folder_for_new(project, record.path.stem, settings):
            return record.path.stem
    stamp = f"upload_{datetime.now():%Y%m%d-%H%M%S}"
    names = (stamp, *(f"{stamp}-{number}" for number in range(2, 1000)))
    return next(name for name in names if not os.path.lexists(uploads_of(project) / name)
                and not (uploads_of(project) / f"{name}{UPLOAD_SUFFIX}").exists())


def own_folder(project: Project) -> Path | None:
    """The maker's own folder that the project's pictures came from last, where it is there and can be written to; None: there is none."""
    home = project.folder.resolve()
    for source in reversed(project.info().sources):
        folder = Path(source)
        try:
            if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
                continue
            place = folder.resolve()
        except OSError:
            continue
        if home not in (place, *place.parents) and place not in home.parents and not place.is_relative_to(ROOT / "assets"):
            return folder
    return None


def folder_for_new(project: Project, upload: str, settings: UploadSettings) -> Path:
    """Where the files of a new upload go."""
    own = own_folder(project) if settings.where == "own" else None
    return own or uploads_of(project) / upload


def refusal(path: str) -> str:
    """Why a file of this name is not taken; empty when it is."""
    suffix = Path(path).suffix.lower()
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return "Its name points outside of the folder."
    if len(parts) > 17:
        return "It lies in more than 16 folders."
    if is_junk(path):
        return "It is a hidden file, or one that systems leave behind."
    if suffix in VIDEO_SUFFIXES:
        return "It is a video, not an image."
    if suffix not in TAKEN and not is_table(path):
        return "It is neither a picture, nor a caption, nor an archive."
    return ""


class UploadSource:
    """The files of one upload; its archives are opened, each a folder of its own.

    Args: location: the record of the upload. scratch: a folder to unpack in.
    """

    def __init__(self, location: Path | str, scratch: Path, recursive: bool = True, options: Settings | None = None,
                 progress: Progress = SILENT) -> None:
        self.location, self.scratch, self.recursive, self.progress = Path(location), scratch, recursive, progress
        self.place = str(location)

    def __enter__(self) -> UploadSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def parts(self) -> Iterator[SourceContent]:
        """The files that came whole, then each archive, its files under the archive's name.

        Raises: DatasetError: the record is damaged. DiskError: no space to unpack. Cancelled.
        """
        record, found = UploadRecord(self.location), SourceContent()
        folder, archives = record.folder(), []
        if folder is None:
            raise DatasetError(f"{self.location} is no record of an upload.", "Upload the files again.")
        for name, called in {file.name: file.path for file in record.arrived()}.items():
            if not self.recursive and "/" in name:
                continue
            file = SourceFile(name, folder / name, called=called)
            if Path(name).suffix.lower() in ARCHIVE_SUFFIXES:
                archives.append(file)
            else:
                found.add(file)
        found.images.sort(key=lambda file: natural_key(Path(file.name)))
        yield found
        for archive in archives:
            yield from self._inside(archive)

    def _inside(self, archive: SourceFile) -> Iterator[SourceContent]:
        try:
            if kind_of(archive.path) != "archive":
                raise DatasetError("It is no archive.")
            with ArchiveSource(archive.path, self.scratch, self.recursive, None, self.progress) as source:
                inside = source.content().below(archive.name)
                yield replace(inside, skipped=[Skipped(f"{archive.name}/{item.name}", item.reason) for item in inside.skipped])
        except DatasetError as error:
            yield SourceContent(skipped=[Skipped(archive.name, str(error))])


def make_folder(folder: Path) -> None:
    """Make a folder with those above it. Raises: DiskError; DatasetError: a file of that name is in the way."""
    with explain_disk_errors(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise DatasetError(f"A file stands where the folder {folder} should be.", "Rename one of them.") from error
