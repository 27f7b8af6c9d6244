"""The metadata of a safetensors file changed: in the room behind its header where it fits, else by one copy of the file in blocks."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from core.base.errors import DiskError
from core.base.files import atomic_write
from core.base.progress import SILENT, Progress
from core.base.tensor_headers import ROOM, Header, fitted, header_bytes, laid_out, read_header
from core.utilities.files.hashing import legacy_hash
from core.utilities.files.header_rescue import mend_header, write_header
from core.utilities.files.targets import taken

BLOCK = 4 << 20
"""Bytes of the tensors that are copied at once."""
WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def change_metadata(path: Path, metadata: Mapping[str, str], target: Path | None = None, progress: Progress = SILENT) -> bool:
    """Give a file another metadata. Its tensors are not read, or only copied.

    In its place only the header is written, and what it was is kept beside until the new one is on the disk, so that a kill in between is
    mended by the next tool that opens the file (`mend_header`). A file that has other names (hard links) or is a link, as in the cache of
    Hugging Face, is never changed in its place: a copy of its own takes its name.

    Args: metadata: all of it. target: where the file with it goes, which must be free; None or the same path: the file itself.
    Returns: whether only the header was written.
    Raises: ModelError: no safetensors file, or too long a header. ConfigError: something lies at the target. DiskError: no room, or the
        file is protected. Cancelled. The file is as it was.
    """
    path, target = Path(path), Path(target or path)
    mend_header(path)
    header, is_itself = read_header(path), target == path
    if is_itself and not path.is_symlink():
        _refuse_protected(path)
    wanted = {str(name): str(value) for name, value in metadata.items()}
    if "sshs_legacy_hash" in wanted and _training(wanted) != _training(header.metadata):
        wanted["sshs_legacy_hash"] = legacy_hash(path, header, wanted)
    text = header_bytes(laid_out(header.tensors), wanted)
    head = fitted(text, header.length) if is_itself and not path.is_symlink() and path.stat().st_nlink == 1 else None
    if head is None:
        with taken(target):
            _copy(path, header, header_bytes(laid_out(header.tensors), wanted, ROOM), target, progress)
        return False
    write_header(path, header, head)
    return True


def _training(metadata: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if name.startswith("ss_")}


def _copy(path: Path, header: Header, head: bytes, target: Path, progress: Progress) -> None:
    """The tensors behind a new header, beside the target and renamed."""
    progress.start("Copying", (header.size - header.start) >> 20)
    mode = stat.S_IMODE(path.stat().st_mode) if target == path and not path.is_symlink() else None
    with open(path, "rb") as source, atomic_write(target, mode, replace=target == path, clear=True) as file:
        source.seek(header.start)
        file.write(head)
        while block := source.read(BLOCK):
            file.write(block)
            progress.advance(by=len(block) >> 20)


def _refuse_protected(path: Path) -> None:
    """Raises: DiskError: the file may not be written, by its rights; those count for root too, who could."""
    mode = path.stat().st_mode
    if not mode & WRITABLE or not os.access(path, os.W_OK):
        raise DiskError(f"{path} is protected: it may only be read (its rights are {stat.filemode(mode)}).",
                        "Allow that it is written (chmod u+w), or give another file under Save as.")
