"""Where images come from. A source shows its files and changes nothing; to add one: a class, one entry here, one test, one line of docs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol

from core.base.errors import DatasetError
from core.base.registry import Entry, Registry
from core.dataset.items import Skipped

CAPTION_SUFFIXES = (".txt", ".caption")
IMPORT_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".jfif", ".jpe", ".gif", ".tif", ".tiff", ".avif", ".apng", ".heic", ".heif",
                   ".jxl")
"""Endings that are tried; what Pillow cannot read is skipped with the reason."""
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".cbz")
VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v")
JUNK = ("__macosx", "@eadir", "thumbs.db", "desktop.ini")
"""Folders and files that systems leave behind."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a source, readable now."""

    name: str
    """Its path inside the source, with "/"."""
    path: Path


@dataclass
class SourceContent:
    """What a source holds."""

    images: list[SourceFile] = field(default_factory=list)
    captions: list[SourceFile] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    ignored: int = 0
    """Files that are neither images nor captions, and belong to no dataset."""

    def add(self, file: SourceFile) -> None:
        """Sort one file by its ending."""
        suffix = Path(file.name).suffix.lower()
        if suffix in IMPORT_SUFFIXES:
            self.images.append(file)
        elif suffix in CAPTION_SUFFIXES:
            self.captions.append(file)
        else:
            self.leave(file.name)

    def leave(self, name: str) -> None:
        """Count or explain a file that is not taken."""
        suffix = Path(name).suffix.lower()
        if suffix in ARCHIVE_SUFFIXES:
            self.skipped.append(Skipped(name, "It is an archive inside the source; import it by itself."))
        elif suffix in VIDEO_SUFFIXES:
            self.skipped.append(Skipped(name, "It is a video, not an image."))
        else:
            self.ignored += 1


class Source(Protocol):
    """A place with images, opened. Leaving the `with` block removes what was unpacked."""

    def __init__(self, location: Path, scratch: Path, recursive: bool = True) -> None:
        """`scratch`: a folder for temporary files."""

    def __enter__(self) -> Source: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def content(self) -> SourceContent:
        """Every file. Raises: DatasetError: the source cannot be read; DiskError: no space to unpack."""


SOURCES: Registry[type[Source]] = Registry(
    "source",
    Entry("folder", "core.dataset.sources.folder:FolderSource", "Folder", note="With its subfolders."),
    Entry("archive", "core.dataset.sources.archive:ArchiveSource", "Archive", note="zip, tar, tar.gz, tar.bz2, tar.xz."),
)


def kind_of(location: Path) -> str:
    """Name of the source that reads this place.

    Raises: DatasetError: it does not exist, or is neither a folder nor an archive.
    """
    import tarfile
    import zipfile

    try:
        if location.is_dir():
            return "folder"
        if not location.exists():
            raise DatasetError(f"{location} does not exist.", "Check the path, and that its drive is connected.")
        if zipfile.is_zipfile(location) or tarfile.is_tarfile(location):
            return "archive"
    except PermissionError as error:
        raise DatasetError(f"No permission to read {location}.", "Change its rights, or copy it.") from error
    if location.suffix.lower() in (".7z", ".rar"):
        raise DatasetError(f"{location} is a {location.suffix[1:]} archive, which cannot be read here.", "Unpack it and import the folder.")
    raise DatasetError(f"{location} is neither a folder nor a zip or tar archive that can be read.",
                       "Give the folder that holds the images.")


def is_junk(name: str) -> bool:
    """Hidden files and what systems leave behind."""
    return any(part.startswith(".") or part.lower() in JUNK for part in name.split("/") if part not in ("", ".", ".."))
