"""Tar archives, opened so that no header in them can fill the memory: tarfile reads a header whole, whatever size it claims."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from pathlib import Path
from typing import Any

from core.base.errors import DatasetError

MAX_HEADER = 2**20
"""Bytes of one header; the longest path has 4096 and what is noted of a file beside it some thousands."""
MAX_HEADERS = 256 * 2**20
"""Bytes of all headers in one archive: those that hold for all files behind them are kept."""
HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


class Header(tarfile.TarInfo):
    """An entry that is refused before its header is read into memory."""

    def _proc_member(self, archive: Tar) -> Any:
        """Raises: DatasetError: its header is too large, or a map of holes, which may go on without end."""
        if self.type in HEADERS:
            archive.headers += abs(self.size)
            if not 0 <= self.size <= MAX_HEADER or archive.headers > MAX_HEADERS:
                raise DatasetError(f"{archive.name!s} holds a header of {self.size // 2**10} KiB, which no archive of pictures has; "
                                   "it is left out for safety.", "Unpack it and import the folder.")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise _holes(archive)
        return super()._proc_member(archive)  # type: ignore[misc]

    def _proc_gnusparse_10(self, _next: tarfile.TarInfo, _headers: dict[str, str], archive: Tar) -> None:
        """Raises: DatasetError."""
        raise _holes(archive)


class Tar(tarfile.TarFile):
    """A tar archive whose headers are bounded."""

    tarinfo = Header
    headers = 0
    """Bytes of headers so far."""


def is_tar(location: Path) -> bool:
    """Whether it is a tar archive that can be read. Raises: DatasetError: a header in it is too large; PermissionError."""
    try:
        with Tar.open(location):
            return True
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, RecursionError):
        return False


def _holes(archive: Tar) -> DatasetError:
    return DatasetError(f"{archive.name!s} holds files with holes, which are not read here.", "Pack it again without --sparse, or "
                        "unpack it and import the folder.")
