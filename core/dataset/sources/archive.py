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
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from core.base.errors import DatasetError, DiskError
from core.base.files import explain_disk_errors
from core.base.progress import SILENT, Progress
from core.base.settings import Settings
from core.dataset.items import Skipped, natural_key
from core.dataset.sources import CAPTION_SUFFIXES, IMPORT_SUFFIXES, SourceContent, SourceFile, is_junk, is_table

MAX_FILE = 512 * 2**20
"""Bytes of one unpacked file."""
BOMB_RATIO, BOMB_SIZE = 1000, 32 * 2**20
"""A file that grows more than a thousandfold to more than this is no picture."""
MAX_ENTRIES = 100_000
"""So many files, or more, are taken for an attack; whoever has so many pictures unpacks them."""
MAX_DIRECTORY = 64 * 2**20
"""Bytes of a zip file's list of contents, which is read into memory whole: 100,000 long names are 20 MiB."""
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
        found = SourceContent()
        reader = self._zip_members if zipfile.is_zipfile(self.location) else self._tar_members
        try:
            for number, (name, size, opened, refusal) in enumerate(reader()):
                if number >= MAX_ENTRIES:
                    raise _too_many(self.location)
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
        if is_junk(name) or (not self.recursive and "/" in name):
            return
        suffix = Path(name).suffix.lower()
        if suffix not in IMPORT_SUFFIXES + CAPTION_SUFFIXES and not is_table(name):
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
        target = self._folder / f"{self._count:07}{suffix}"
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

    def _zip_members(self) -> Iterator[tuple[str, int, contextlib.AbstractContextManager[IO[bytes]], str]]:
        if _directory_size(self.location) > MAX_DIRECTORY:
            raise _too_many(self.location)
        with zipfile.ZipFile(self.location) as archive:
            if len(archive.filelist) >= MAX_ENTRIES:
                raise _too_many(self.location)
            for info in archive.infolist():
                if info.is_dir():
                    continue
                refusal = ""
                if stat.S_ISLNK(info.external_attr >> 16):
                    refusal = "It is a link, not a file."
                elif info.flag_bits & 1:
                    refusal = "It is locked with a password."
                elif info.file_size > BOMB_SIZE and info.file_size > BOMB_RATIO * max(1, info.compress_size):
                    refusal = "It grows more than a thousandfold when unpacked, as no picture does."
                yield zip_name(info), info.file_size, _Lazy(archive, info), refusal

    def _tar_members(self) -> Iterator[tuple[str, int, contextlib.AbstractContextManager[IO[bytes]], str]]:
        packed, total = self.location.stat().st_size, 0
        with tarfile.open(self.location) as archive:
            for member in archive:
                total += member.size
                if total > 4 * 2**30 and total > BOMB_RATIO * packed:
                    raise DatasetError(f"{self.location} grows more than a thousandfold when unpacked; it is left out for safety.")
                if member.isdir():
                    continue
                name = guess_name(member.name.encode("utf-8", "surrogateescape"), member.name)
                refusal = "" if member.isreg() else "It is a link or a device, not a file."
                stream = archive.extractfile(member) if member.isreg() else None
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
    """Bytes of a zip file's list of contents, as its end record says (APPNOTE.TXT 4.3.16); 0 where that cannot be found."""
    with open(location, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - (22 + 0xFFFF)))
        tail = file.read()
    place = tail.rfind(b"PK\5\6")
    return int.from_bytes(tail[place + 12:place + 16], "little") if place >= 0 else 0


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
