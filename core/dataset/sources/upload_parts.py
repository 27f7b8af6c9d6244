"""Partial files of an upload, and the blocks by which they are compared.

A file is compared in blocks of 256 KiB, each with its SHA-256; the hash of all these hashes (`root_of`) is the file's. So a piece that came
out different is sent again by itself, and after a lost connection or a killed kernel what lies on the disk is read, not believed: the
browser compares the hashes of its blocks with those of the partial file, and goes on at the first that differs. A hash of the
whole file could do neither, for a half-done SHA-256 cannot be kept on the disk, nor be had from the browser's own quick implementation.

Partial files lie in `.lorabook-upload/` of the folder that they go into: `<key>.part`, and `<key>.json` with name and size.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from core.base.errors import DatasetError
from core.base.files import explain_disk_errors, read_json, write_json
from core.base.flocks import take_lock
from core.base.syncing import sync_all
from core.dataset.project import Project
from core.dataset.sources.upload import UploadSettings, folder_for_new, uploads_of

BLOCK = 256 * 1024
"""Bytes that are compared at once."""
DIGEST = 32
"""Bytes of a SHA-256."""
PARTS = ".lorabook-upload"
STALE = 3600
"""Seconds after which half a small file is nobody's any more."""


class Offer(NamedTuple):
    """A file as the browser names it."""

    path: str
    """With "/", from the folder that was dropped on."""
    size: int


class Occupied(DatasetError):
    """The file is being uploaded from another window just now."""


@dataclass
class Partial:
    """A file that is being written."""

    offer: Offer
    place: Path
    handle: int
    digests: bytearray
    """Of the blocks that are there."""
    have: int
    used: float = field(default_factory=time.monotonic)

    def cut_to(self, have: int) -> None:
        """Forget what lies behind that byte."""
        self.have = min(self.have, have)
        del self.digests[self.have // BLOCK * DIGEST:]

    def add(self, data: memoryview, digests: bytes) -> None:
        """Write what follows. Raises: DiskError."""
        with explain_disk_errors(self.place):
            done = 0
            while done < len(data):
                written = os.pwrite(self.handle, data[done:], self.have + done)
                if not written:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                done += written
        self.have += len(data)
        self.digests += digests

    def is_whole(self, root: str) -> bool:
        """Whether all of it is there and is what the browser read. Another program may have cut the file meanwhile."""
        size = self.offer.size
        return self.have == size and os.fstat(self.handle).st_size >= size and root_of(self.digests) == root

    def sync(self) -> None:
        """Bring it to the disk. Raises: DiskError."""
        with explain_disk_errors(self.place):
            os.ftruncate(self.handle, self.offer.size)
            os.fsync(self.handle)


def open_partial(offer: Offer, place: Path) -> Partial:
    """Open a partial file, made where it is missing; the blocks that are there are read.

    Raises: Occupied: another window holds it. DiskError: no space, no permission.
    """
    with explain_disk_errors(place):
        write_json(place.with_suffix(".json"), {"path": offer.path, "size": offer.size})
        handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        take_lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        have = min(os.fstat(handle).st_size, offer.size)
        have -= have % BLOCK if have < offer.size else 0
        return Partial(offer, place, handle, bytearray(digests_of(place, have)), have)
    except BlockingIOError as error:
        os.close(handle)
        raise Occupied(f"{offer.path} is being uploaded from another window just now.") from error
    except BaseException:
        os.close(handle)
        raise


def write_small(parts: Path, data: memoryview) -> Path:
    """Write a small file beside its place. Returns: where. Raises: DiskError."""
    place = parts / f"{secrets.token_hex(8)}.small"
    try:
        with explain_disk_errors(place):
            place.write_bytes(data)
    except BaseException:
        place.unlink(missing_ok=True)
        raise
    return place


def move_into_place(part: Path, target: Path) -> None:
    """Rename, but never over another file. Raises: FileExistsError: something lies there. DiskError."""
    with explain_disk_errors(target):
        try:
            os.link(part, target)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV):
                raise
            if os.path.lexists(target):  # a file system without hard links
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
            part.rename(target)
        else:
            part.unlink()


class Unfinished(NamedTuple):
    """A partial file that can be gone on with."""

    path: str
    size: int
    have: int
    place: Path


def unfinished(project: Project, settings: UploadSettings) -> list[Unfinished]:
    """Partial files in the project's uploads, and in the maker's own folder where files go there."""
    places = {parts_of(project, folder) for folder in (uploads_of(project), folder_for_new(project, "x", settings))}
    return [found for place in sorted(places) for found in _unfinished_in(place)]


def _unfinished_in(parts: Path) -> Iterator[Unfinished]:
    for file in sorted(parts.glob("*.json")):
        place = file.with_suffix(".part")
        with contextlib.suppress(DatasetError, OSError, KeyError, TypeError, ValueError):
            facts = read_json(file)
            yield Unfinished(str(facts["path"]), int(facts["size"]), place.stat().st_size, place)


def parts_of(project: Project, folder: Path) -> Path:
    """Where partial files of an upload into `folder` lie: on its file system, the same for all uploads of a project."""
    home = uploads_of(project)
    return (home if folder.is_relative_to(home) else folder) / PARTS


def forget_part(place: Path) -> None:
    """Delete a partial file and what is known of it; the folder too when it was the last."""
    for path in (place, place.with_suffix(".json")):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        place.parent.rmdir()


def tidy(parts: Path) -> None:
    """Take away what a kill left of small files, and the folder when nothing is in it."""
    with contextlib.suppress(OSError):
        for path in parts.glob("*.small"):
            if time.time() - path.stat().st_mtime > STALE:
                path.unlink(missing_ok=True)
        parts.rmdir()


def key_of(offer: Offer) -> str:
    """A file name for a partial file: the same path and size have the same."""
    return hashlib.sha256(f"{offer.size}/{offer.path}".encode("utf-8", "surrogatepass")).hexdigest()[:24]


def digest_spans(size: int) -> int:
    """How many bytes the digests of a file of that size have."""
    return -(-size // BLOCK) * DIGEST


def block_digests(data: memoryview) -> bytes:
    """SHA-256 of each block, one after another; the last one may be shorter."""
    return b"".join(hashlib.sha256(data[start:start + BLOCK]).digest() for start in range(0, len(data), BLOCK))


def digests_of(path: Path, size: int) -> bytes:
    """The same of the first `size` bytes of a file. Raises: DiskError."""
    found, left = [], size
    with explain_disk_errors(path), open(path, "rb") as file:
        while left > 0 and (data := file.read(min(BLOCK, left))):
            found.append(hashlib.sha256(data).digest())
            left -= len(data)
    return b"".join(found)


def root_of(digests: bytes | bytearray) -> str:
    """The hash of a file: SHA-256, in hex, of the digests of its blocks."""
    return hashlib.sha256(digests).hexdigest()


def has_content(path: Path, size: int, digests: bytes) -> bool:
    """Whether a file is just this."""
    return path.is_file() and path.stat().st_size == size and digests_of(path, size) == digests


def sync_file_system(folder: Path) -> None:
    """Bring what waits to the disk that a folder lies on. Raises: DiskError."""
    with contextlib.suppress(FileNotFoundError), explain_disk_errors(folder):
        handle = os.open(folder, os.O_RDONLY)
        try:
            sync_all(handle, [])
        finally:
            os.close(handle)
