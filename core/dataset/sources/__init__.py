"""Where images come from. A source shows its files and changes nothing; to add one: a class, one entry here, one test, one line of docs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from core.base.errors import DatasetError
from core.base.hub import HUB_HOSTS
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.base.registry import Entry, Registry
from core.base.settings import Settings
from core.dataset.items import Skipped

CAPTION_SUFFIXES = (".txt", ".caption")
IMPORT_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".jfif", ".jpe", ".gif", ".tif", ".tiff", ".avif", ".apng", ".heic", ".heif",
                   ".jxl")
"""Endings that are tried; what Pillow cannot read is skipped with the reason."""
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".cbz")
TABLES = ("metadata.jsonl", "metadata.csv")
"""Files that hold the captions of the images beside them (https://huggingface.co/docs/datasets/image_dataset)."""
SIDECAR_SUFFIX = ".json"
"""Ending of files that may hold captions among other notes: one beside each picture, or kohya's meta.json for all of them."""
WORD_SUFFIXES = (*CAPTION_SUFFIXES, SIDECAR_SUFFIX)
"""Endings of everything that may stand beside a picture with its caption in it."""
VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v")
UPLOAD_SUFFIX = ".upload"
"""Ending of the record of an upload: where its files lie, and which they are."""
JUNK = ("__macosx", "@eadir", "thumbs.db", "desktop.ini")
"""Folders and files that systems leave behind."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a source, readable now."""

    name: str
    """Its path inside the source, with "/"."""
    path: Path
    """Where it lies; nothing is there yet where `fetch` brings it, and never where `data` is its content."""
    stamp: tuple[int, int] | None = None
    """Size, and a number that changes with its content, where the source tells both without the file being read."""
    fetch: Callable[[Path], None] | None = None
    """Brings it to `path`, from where it is taken away again once it was read. Raises: DatasetError, DiskError."""
    data: bytes | None = None
    """Its content, where it is no file of its own."""
    called: str = ""
    """Its path as the maker knows it, where it was stored under another name."""

    def read(self) -> bytes:
        """Its content. Raises: OSError; DatasetError, DiskError: as `fetch`."""
        if self.data is not None:
            return self.data
        if self.fetch is None:
            return self.path.read_bytes()
        try:
            self.fetch(self.path)
            return self.path.read_bytes()
        finally:
            self.path.unlink(missing_ok=True)


@dataclass
class SourceContent:
    """What a source holds, or a part of it: captions stand in the part of their images."""

    images: list[SourceFile] = field(default_factory=list)
    captions: list[SourceFile] = field(default_factory=list)
    tables: list[SourceFile] = field(default_factory=list)
    """metadata.jsonl and metadata.csv."""
    sidecars: list[SourceFile] = field(default_factory=list)
    """.json files, which may hold captions."""
    masks: dict[str, list[SourceFile]] = field(default_factory=dict)
    """Name of an image → its masks, once they were told from the images."""
    skipped: list[Skipped] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    """Ending → how many files of it are neither images nor captions; sidecars too, until a caption was found in them."""
    known: int = 0
    """Files that were not fetched, because an earlier import fetched them."""
    again: str = ""
    """How these can be fetched all the same, as a sentence."""
    refused: list[str] = field(default_factory=list)
    """Names of the images that were not taken, noted by the import."""
    closed: bool = False
    """Whether its captions cannot be looked at again later."""

    def add(self, file: SourceFile) -> None:
        """Sort one file by its ending."""
        suffix = Path(file.name).suffix.lower()
        if suffix in IMPORT_SUFFIXES:
            self.images.append(file)
        elif suffix in CAPTION_SUFFIXES:
            self.captions.append(file)
        elif is_table(file.name):
            self.tables.append(file)
        else:
            if suffix == SIDECAR_SUFFIX:
                self.sidecars.append(file)
            self.leave(file.name)

    def leave(self, name: str) -> None:
        """Count or explain a file that is not taken."""
        suffix = Path(name).suffix.lower()
        if suffix in ARCHIVE_SUFFIXES:
            self.skipped.append(Skipped(name, "It is an archive inside the source; import it by itself."))
        elif suffix in VIDEO_SUFFIXES:
            self.skipped.append(Skipped(name, "It is a video, not an image."))
        else:
            self.others[suffix] += 1

    def below(self, path: str) -> SourceContent:
        """The same, its files named below the path of the archive that they lie in: two archives may hold the same names."""
        def moved(files: list[SourceFile]) -> list[SourceFile]:
            return [replace(file, name=f"{path}/{file.name}") for file in files]

        return replace(self, images=moved(self.images), captions=moved(self.captions), tables=moved(self.tables),
                       sidecars=moved(self.sidecars), masks={f"{path}/{name}": moved(masks) for name, masks in self.masks.items()})


class Source(Protocol):
    """A place with images, opened. Leaving the `with` block removes what was unpacked; what was downloaded stays if it is left by an
    error, so that the next import goes on with it."""

    place: str
    """The place in words for the ledger and the project: never with a password or token."""

    def __init__(self, location: Path | str, scratch: Path, recursive: bool = True, options: Settings | None = None,
                 progress: Progress = SILENT) -> None:
        """`scratch`: a folder for what is unpacked or downloaded. `options`: the settings of this kind of source, where it has any."""

    def __enter__(self) -> Source: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def parts(self) -> Generator[SourceContent, None, None]:
        """Every file, in one part or in many; a part's files may be gone when the next one is asked for.

        Raises: DatasetError: the source cannot be read; DiskError: no space to unpack or download; Cancelled.
        """


SOURCES: Registry[type[Source]] = Registry(
    "source",
    Entry("folder", "core.dataset.sources.folder:FolderSource", "Folder", note="With its subfolders."),
    Entry("archive", "core.dataset.sources.archive:ArchiveSource", "Archive", note="zip, tar, tar.gz, tar.bz2, tar.xz."),
    Entry("drive", "core.dataset.sources.drive:DriveSource", "Google Drive", source="https://drive.google.com",
          note="A folder or archive of your Google Drive, in a notebook on Colab."),
    Entry("upload", "core.dataset.sources.upload:UploadSource", "Upload", note="What came through the browser, by its record in uploads/."),
    Entry("url", "core.dataset.sources.url:UrlSource", "Address of a file", note="An archive or a picture by http or https.",
          options={"remote": True}),
    Entry("huggingface", "core.dataset.sources.huggingface:HubSource", "Hugging Face", source="https://huggingface.co",
          note="Pictures, captions, archives and parquet files of a repository.", options={"remote": True}),
    Entry("gallery", "core.dataset.sources.gallery:GallerySource", "Picture site (gallery-dl)",
          source="https://codeberg.org/mikf/gallery-dl", licence="GPL-2.0 (a program of its own, installed on wish)",
          note="Gelbooru, Danbooru, Safebooru, Konachan, yande.re, Pixiv, and any address that gallery-dl knows.",
          options={"remote": True}),
)


def source_kind(source: str) -> str:
    """Name of the source that reads a path or address. Raises: DatasetError: none does."""
    if source.startswith("hf://"):
        return "huggingface"
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", source)
    if scheme is None:
        return kind_of(typed_path(source))
    if scheme[1].lower() not in ("http", "https"):
        raise DatasetError(f"{scheme[1]}:// cannot be read; an address begins with https:// or http://.",
                           "Download the file and give its path.")
    address = split_address(source)
    is_hub = (address.hostname or "") in HUB_HOSTS and not re.search("/(resolve|raw)/", address.path)
    return "huggingface" if is_hub else "url"


def split_address(address: str) -> SplitResult:
    """The parts of an address. Raises: DatasetError: it has none that can be read."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # looked at only when it is asked for
    except ValueError as error:
        raise DatasetError(f"The host or port of the address cannot be read ({error}).", "Copy it whole from the browser.") from error
    return parts


def kind_of(location: Path) -> str:
    """Name of the source that reads this place.

    Raises: DatasetError: it does not exist, or is neither a folder nor an archive.
    """
    import zipfile

    from core.dataset.sources.tars import is_tar

    try:
        if location.is_dir():
            return "folder"
        if not location.exists():
            raise DatasetError(f"{location} does not exist.", "Check the path, and that its drive is connected.")
        if location.suffix == UPLOAD_SUFFIX:
            return "upload"
        if zipfile.is_zipfile(location) or is_tar(location):
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


def is_table(name: str) -> bool:
    """Whether a file holds the captions of the images beside it."""
    return name.rsplit("/", 1)[-1].lower() in TABLES
