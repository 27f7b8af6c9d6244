"""Images of a zip or tar archive, unpacked under numbers, so that no name in it can reach outside."""

from __future__ import annotations

import contextlib
import io
import lzma
import re
import shutil
import stat
import tarfile
import tempfile
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import IO

from core.base.errors import DatasetError, DiskError
from core.base.files import explain_disk_errors
from core.base.progress import SILENT, Progress
from core.base.settings import Settings
from core.dataset.images.files import natural_key
from core.dataset.items import Skipped
from core.dataset.sources import IMPORT_SUFFIXES, WORD_SUFFIXES, SourceContent, SourceFile, is_junk, is_table
from core.dataset.sources.tars import Tar

MAX_FILE = 512 * 2**20
"""Bytes of one unpacked file."""
BOMB_RATIO, BOMB_SIZE, BOMB_TOTAL = 1000, 32 * 2**20, 4 * 2**30
"""A file that grows more than a thousandfold to more than the first is no picture; all of an archive together may have the second."""
MAX_ENTRIES = 100_000
"""So many files, or more, are taken for an attack; whoever has so many pictures unpacks them."""
MAX_DIRECTORY = 64 * 2**20
"""Bytes of a zip file's list of contents, which is read into memory whole: 100,000 long names are 20 MiB."""
MAX_TEXT = 64 * 2**20
"""Bytes of a caption or a table that is read inside an archive."""
SPARE = 256 * 2**20
"""Bytes that must stay free on the disk."""
STALE = 24 * 3600
"""Seconds after which something that a killed import left behind is taken away."""
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, OSError,
          ValueError)
"""What the standard library raises on damaged or unusual archives."""


class ArchiveSource:
    """A zip or tar file."""

    def __init__(self, location: Path | str, scratch: Path, recursive: bool = True, options: Settings | None = None,
                 progress: Progress = SILENT) -> None:
        self.location, self.scratch, self.recursive, self.progress = Path(location), scratch, recursive, progress
        self.place = str(location)
        self._folder: Path | None = None
        self._count = 0

    def __enter__(self) -> ArchiveSource:
        with explain_disk_errors(self.scratch):
            self.scratch.mkdir(parents=True, exist_ok=True)
            for old in self.scratch.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - old.stat().st_mtime > STALE:
                        shutil.rmtree(old, ignore_errors=True)
            self._folder = Path(tempfile.mkdtemp(prefix="archive-", dir=self.scratch))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def parts(self) -> Generator[SourceContent, None, None]:
        """All of it as one part."""
        yield self.content()

    def content(self) -> SourceContent:
        """Unpack images and captions, and show them under the names they have inside.

        Raises: DatasetError: the archive cannot be read at all. DiskError: no space.
        """
        is_zip = zipfile.is_zipfile(self.location)
        found = SourceContent(closed=not is_zip)
        reader = self._zip_members if is_zip else self._tar_members
        try:
            for number, (name, size, opened, refusal) in enumerate(reader()):
                if number % 100 == 0:
                    self.progress.check()
                self._take(found, name, size, opened, refusal)
        except BROKEN as error:
            if isinstance(error, OSError) and not isinstance(error, (zipfile.BadZipFile, lzma.LZMAError)) and error.errno:
                raise DatasetError(f"{self.location} could not be read ({error.strerror}).", "Check its drive.") from error
            if not found.images:
                raise DatasetError(f"{self.location} is damaged ({error}).", "Download or pack it again.") from error
            found.skipped.append(Skipped(self.location.name, f"The archive is damaged; what stood before the damage was taken ({error})."))
        found.images.sort(key=lambda file: natural_key(Path(file.name)))
        return found

    def _take(self, found: SourceContent, name: str, size: int, opened: contextlib.AbstractContextManager[IO[bytes]],
              refusal: str) -> None:
        """Unpack one member, or note why not."""
        if self._is_passed_over(name):
            return
        if not _is_of_use(name):
            found.leave(name)
            return
        refusal = refusal or outside(name) or ("" if size <= MAX_FILE else f"It would be {size / 2**20:.0f} MiB unpacked.")
        if refusal:
            found.skipped.append(Skipped(name, refusal))
            return
        assert self._folder is not None
        if shutil.disk_usage(self._folder).free < size + SPARE:
            raise DiskError(f"No space left to unpack {self.location.name}.", "Free some space and run it again; it continues.")
        self._count += 1
        target = self._folder / f"{self._count:07}{Path(name).suffix.lower()}"
        try:
            with opened as stream:
                data = stream.read(MAX_FILE + 1)
        except BROKEN as error:
            found.skipped.append(Skipped(name, f"It is damaged inside the archive ({error})."))
            return
        if len(data) > MAX_FILE:
            found.skipped.append(Skipped(name, "It is larger than it says."))
            return
        with explain_disk_errors(target):
            target.write_bytes(data)
        found.add(SourceFile(name, target))

    def _is_passed_over(self, name: str) -> bool:
        return is_junk(name) or (not self.recursive and "/" in name)

    def _zip_members(self) -> Iterator[tuple[str, int, contextlib.AbstractContextManager[IO[bytes]], str]]:
        if (size := _directory_size(self.location)) > MAX_DIRECTORY:
            raise DatasetError(f"{self.location}: its list of contents has {size / 2**20:,.0f} MiB; it is left out for safety.",
                               "Unpack it and import the folder.")
        with zipfile.ZipFile(self.location) as archive:
            if len(archive.filelist) >= MAX_ENTRIES:
                raise _too_many(self.location)
            self._refuse_overlaps(archive.filelist)
            members = [(zip_name(info), info, _refusal(info)) for info in archive.filelist if not info.is_dir()]
            self._refuse_total(sum(info.file_size for name, info, refusal in members if not refusal and info.file_size <= MAX_FILE
                                   and _is_of_use(name) and not self._is_passed_over(name)))
            for name, info, refusal in members:
                yield name, info.file_size, _Lazy(archive, info), refusal

    def _refuse_overlaps(self, members: list[zipfile.ZipInfo]) -> None:
        """Raises: DatasetError: several members are unpacked from the same bytes, so that a small archive is endless."""
        spans = sorted((info.header_offset, info.header_offset + 30 + info.compress_size) for info in members)  # a header has 30 at least
        if any(end > following for (_, end), (following, _) in pairwise(spans)):
            raise DatasetError(f"Files in {self.location} share the same bytes; it is left out for safety.", "Pack it again.")

    def _refuse_total(self, total: int) -> None:
        """Before anything is unpacked. Raises: DatasetError: it grows like no pictures; DiskError: it does not fit on the disk."""
        self._refuse_growth(total)
        assert self._folder is not None
        free = shutil.disk_usage(self._folder).free
        if free < total + SPARE:
            raise DiskError(f"No space left to unpack {self.location.name}: {-(-total // 2**20)} MiB are needed and {free / 2**20:.0f} MiB "
                            "free.", "Free some space and run it again; it continues.")

    def _refuse_growth(self, total: int) -> None:
        if total > BOMB_TOTAL and total > BOMB_RATIO * self.location.stat().st_size:
            raise DatasetError(f"{self.location} grows more than a thousandfold when unpacked; it is left out for safety.")

    def _tar_members(self) -> Iterator[tuple[str, int, contextlib.AbstractContextManager[IO[bytes]], str]]:
        count = total = 0
        with Tar.open(self.location) as archive:
            while member := archive.next():
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every entry with its headers
                count, total = count + 1, total + max(0, member.size)
                self._refuse_growth(total)
                if count >= MAX_ENTRIES:  # folders too
                    raise _too_many(self.location)
                if member.isdir():
                    continue
                name = guess_name(member.name.encode("utf-8", "surrogateescape"), member.name)
                refusal = "" if member.isreg() and member.size >= 0 else "It is a link or a device, not a file."
                stream = archive.extractfile(member) if not refusal else None
                yield name, member.size, contextlib.closing(stream or io.BytesIO()), refusal


class _Lazy(contextlib.AbstractContextManager[IO[bytes]]):
    """A zip member, opened only when it is entered (a locked or damaged one raises then)."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info

    def __enter__(self) -> IO[bytes]:
        self._stream = self._archive.open(self._info)
        return self._stream

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def _too_many(location: Path) -> DatasetError:
    return DatasetError(f"{location} holds {MAX_ENTRIES:,} entries or more; it is left out for safety.", "Unpack it and import the folder.")


def _directory_size(location: Path) -> int:
    """Bytes of a zip file's list of contents, as its end record or zip64 end record says (APPNOTE.TXT 4.3.14, 4.3.16); 0 where there is
    none. It is found by the function that ZipFile itself goes by, so that both read the same record."""
    with open(location, "rb") as file:
        record = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    return int(record[5]) if record else 0


def _refusal(info: zipfile.ZipInfo) -> str:
    """Why a member of a zip is not unpacked; empty when it is."""
    if stat.S_ISLNK(info.external_attr >> 16):
        return "It is a link, not a file."
    if info.flag_bits & 1:
        return "It is locked with a password."
    if info.file_size > BOMB_SIZE and info.file_size > BOMB_RATIO * max(1, info.compress_size):
        return "It grows more than a thousandfold when unpacked, as no picture does."
    return ""


def texts_of_zip(location: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and content of the captions and tables of a zip that are wanted, without unpacking the rest.

    Raises: DatasetError: it cannot be read.
    """
    try:
        if _directory_size(location) > MAX_DIRECTORY:
            raise DatasetError("Its list of contents is too long.")
        with zipfile.ZipFile(location) as archive:
            for info in archive.filelist:
                name = zip_name(info)
                if info.is_dir() or _refusal(info) or outside(name) or info.file_size > MAX_TEXT or not wanted(name):
                    continue
                with archive.open(info) as stream:
                    yield name, stream.read(MAX_TEXT)
    except BROKEN as error:
        raise DatasetError(f"The archive cannot be read ({error}).") from error


def _is_of_use(name: str) -> bool:
    return Path(name).suffix.lower() in (*IMPORT_SUFFIXES, *WORD_SUFFIXES) or is_table(name)


def outside(name: str) -> str:
    """Why a name must not be trusted; empty when it stays inside the archive."""
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        return "Its name points outside of the archive."
    return ""


def zip_name(info: zipfile.ZipInfo) -> str:
    """A member's name with "/", its letters guessed where the archive does not say its encoding."""
    name = info.filename
    if not info.flag_bits & 0x800:  # the name is not marked as UTF-8, and zipfile read it as cp437
        with contextlib.suppress(UnicodeEncodeError):
            name = guess_name(name.encode("cp437"), name)
    return name.replace("\\", "/")


def guess_name(data: bytes, otherwise: str) -> str:
    """UTF-8 where it fits, then Shift-JIS and GBK where every letter comes out as Chinese or Japanese, else `otherwise`."""
    in_pairs = re.search(rb"[\x80-\xff]{2}", data)  # a lone umlaut in a Latin name is no half of a Chinese letter
    for encoding in ("utf-8", "shift_jis", "gbk"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8" or (in_pairs and all(_east_asian(letter) for letter in text)):
            return text
    return otherwise.encode("utf-8", "replace").decode("utf-8")


def _east_asian(letter: str) -> bool:
    return ord(letter) < 128 or unicodedata.name(letter, "").startswith(("CJK", "HIRAGANA", "KATAKANA", "FULLWIDTH", "IDEOGRAPHIC"))
