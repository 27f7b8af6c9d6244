"""The header of a file written over in its place; until it is done both lie beside, so that a kill in between is mended."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import time
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from core.base.errors import ModelError
from core.base.files import explain_disk_errors
from core.base.flocks import take_lock
from core.base.locks import open_lock_file
from core.base.parts import OLD
from core.base.tensor_headers import Header

SAMPLE = 64 << 10
"""Bytes at the beginning and at the end of the tensors by which a file is known again."""


@dataclass(frozen=True)
class Rescue:
    """What is kept: to which file it belongs, and both headers, which are equally long."""

    size: int
    """Bytes of the whole file."""
    tensors: str
    """SHA-256 of some of its tensors' bytes."""
    old: bytes
    new: bytes

    def as_bytes(self) -> bytes:
        """As it lies on the disk: one line of JSON, then the headers."""
        told = {"size": self.size, "tensors": self.tensors, "length": len(self.old)}
        return json.dumps(told).encode() + b"\n" + self.old + self.new

    @classmethod
    def read(cls, data: bytes) -> Rescue | None:
        """None: it was not written to its end, and so the file beside was not touched."""
        line, _, headers = data.partition(b"\n")
        try:
            told = json.loads(line)
            length = int(told["length"])
            found = cls(int(told["size"]), str(told["tensors"]), headers[:length], headers[length:])
        except (ValueError, KeyError, TypeError):
            return None
        return found if length and len(found.old) == len(found.new) == length else None

    def is_torn(self, file: BinaryIO) -> bool:
        """Whether a file is that one, with a header that is neither the old nor the new one but partly each."""
        if os.fstat(file.fileno()).st_size != self.size or _sample(file, len(self.old)) != self.tensors:
            return False
        file.seek(0)
        present = file.read(len(self.old))
        if present in (self.old, self.new):
            return False
        return all(byte in both for byte, *both in zip(present, self.old, self.new, strict=True))

    def is_done(self, file: BinaryIO) -> bool:
        """Whether the file has one of both headers whole."""
        file.seek(0)
        return file.read(len(self.old)) in (self.old, self.new)


def write_header(path: Path, header: Header, head: bytes) -> None:
    """Over the old header, which is as long. Raises: DiskError. ModelError: another process writes it just now."""
    kept = _place(path)
    with explain_disk_errors(path), open(path, "r+b") as file, open_lock_file(kept) as beside:
        _take(beside, path)
        old = file.read(header.start)
        data = Rescue(header.size, _sample(file, header.start), old, head).as_bytes()
        beside.truncate(0)
        if beside.write(data) != len(data):
            kept.unlink(missing_ok=True)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(beside.fileno())
        file.seek(0)
        file.write(head)
        file.flush()
        os.fsync(file.fileno())
        kept.unlink(missing_ok=True)


def mend_header(path: Path) -> bool:
    """Put back the header that a file had when a process was killed while it wrote another one over it.

    Only into that very file, known by its size and some of its tensors, and only where its header is a mixture of both. What is kept for
    another file, which was moved away say, stays. Where it may not be written, it stays as it is.
    Returns: whether there was something to mend.
    """
    if not path.is_file() or not (kept := _place(path)).is_file():
        return False
    try:
        with open_lock_file(kept) as beside, open(path, "r+b") as file:
            if not take_lock(beside.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB) and time.time() - kept.stat().st_mtime < OLD:
                return False  # without locks nobody knows whether it is being written
            beside.seek(0)
            rescue = Rescue.read(beside.read())
            torn = rescue is not None and rescue.is_torn(file)
            if rescue is not None and torn:
                file.seek(0)
                file.write(rescue.old)
                file.flush()
                os.fsync(file.fileno())
            if rescue is None or torn or rescue.is_done(file):
                kept.unlink(missing_ok=True)
            return torn
    except OSError:  # held by its writer, or no right to write: whoever reads the file says what is wrong with it
        return False


def _take(beside: FileIO, path: Path) -> None:
    """Raises: ModelError: another process writes this header just now."""
    try:
        take_lock(beside.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ModelError(f"The metadata of {path.name} is being changed by another process just now.", "Try again in a moment.") from error


def _sample(file: BinaryIO, start: int) -> str:
    """SHA-256 of the first and the last `SAMPLE` bytes behind a header. Args: start: where it ends."""
    file.seek(start)
    digest = hashlib.sha256(file.read(SAMPLE))
    file.seek(max(start, os.fstat(file.fileno()).st_size - SAMPLE))
    digest.update(file.read(SAMPLE))
    return digest.hexdigest()


def _place(path: Path) -> Path:
    """Beside the file, with a name that is never too long for the disk."""
    return path.with_name(f".{path.name[:40]}.{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}.header")
