"""The metadata of a safetensors file changed: in the room behind its header where it fits, else by one copy of the file in blocks."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from core.base.errors import ModelError
from core.base.files import atomic_write, explain_disk_errors
from core.base.locks import open_lock_file, take_lock
from core.base.progress import SILENT, Progress
from core.base.tensor_headers import ROOM, Header, fitted, header_bytes, laid_out, read_header
from core.utilities.files.hashing import legacy_hash

BLOCK = 4 << 20
"""Bytes of the tensors that are copied at once."""


def change_metadata(path: Path, metadata: Mapping[str, str], target: Path | None = None, progress: Progress = SILENT) -> bool:
    """Give a file another metadata. Its tensors are not read, or only copied.

    In its place only the header is written, and what it was is kept beside until the new one is on the disk, so that a kill in between
    is mended by the next look (`mend_header`). A file that has other names (hard links) or is a link, as in the cache of Hugging Face,
    is never changed in its place: a copy of its own takes its name.

    Args: metadata: all of it. target: where the file with it goes; None or the same path: the file itself.
    Returns: whether only the header was written.
    Raises: ModelError: no safetensors file, or too long a header. DiskError, Cancelled: the file is as it was.
    """
    path, target = Path(path), Path(target or path)
    mend_header(path)
    header = read_header(path)
    wanted = {str(name): str(value) for name, value in metadata.items()}
    if "sshs_legacy_hash" in wanted and _training(wanted) != _training(header.metadata):
        wanted["sshs_legacy_hash"] = legacy_hash(path, header, wanted)
    text = header_bytes(laid_out(header.tensors), wanted)
    same = target.exists() and target.samefile(path)
    head = fitted(text, header.length) if same and not path.is_symlink() and path.stat().st_nlink == 1 else None
    if head is None:
        _copy(path, header, header_bytes(laid_out(header.tensors), wanted, ROOM), target, progress)
        return False
    _write_header(path, header, head)
    return True


def _training(metadata: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if name.startswith("ss_")}


def _copy(path: Path, header: Header, head: bytes, target: Path, progress: Progress) -> None:
    """The tensors behind a new header, beside the target and renamed."""
    progress.start("Copying", (header.size - header.start) >> 20)
    with open(path, "rb") as source, atomic_write(target, clear=True) as file:
        source.seek(header.start)
        file.write(head)
        while block := source.read(BLOCK):
            file.write(block)
            progress.advance(by=len(block) >> 20)
    shutil.copymode(path, target)


def _write_header(path: Path, header: Header, head: bytes) -> None:
    """Over the old header, which lies beside while it is written."""
    kept = _kept_header(path)
    with explain_disk_errors(path), open(path, "r+b") as file, open_lock_file(kept) as beside:
        _take(beside.fileno(), path)
        beside.truncate(0)
        beside.write(file.read(header.start))
        os.fsync(beside.fileno())
        file.seek(0)
        file.write(head)
        file.flush()
        os.fsync(file.fileno())
        kept.unlink(missing_ok=True)


def _take(handle: int, path: Path) -> None:
    """Raises: ModelError: another process writes this header just now."""
    try:
        take_lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ModelError(f"The metadata of {path.name} is being changed by another process just now.", "Try again in a moment.") from error


def mend_header(path: Path) -> bool:
    """Put back the header that was being written when a process was killed. Returns: whether there was something to mend."""
    kept = _kept_header(path)
    if not kept.is_file():
        return False
    try:
        with open_lock_file(kept) as beside:
            take_lock(beside.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            beside.seek(0)
            old = beside.read()
            whole = len(old) > 8 and len(old) == 8 + int.from_bytes(old[:8], "little")
            mend = whole and not _is_readable(path)
            if mend:
                with explain_disk_errors(path), open(path, "r+b") as file:
                    file.write(old)
                    os.fsync(file.fileno())
            kept.unlink(missing_ok=True)
            return mend
    except BlockingIOError:
        return False


def _is_readable(path: Path) -> bool:
    try:
        read_header(path)
    except ModelError:
        return False
    return True


def _kept_header(path: Path) -> Path:
    return path.with_name(f".{path.name}.header")
