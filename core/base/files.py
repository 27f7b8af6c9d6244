"""Writing files so that a kill, a full disk or a second process never leaves half of one."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from core.base.errors import DatasetError, DiskError
from core.base.parts import clear_parts_of, open_part

RESERVED_NAMES = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}
"""Names that Windows keeps for devices (https://learn.microsoft.com/windows/win32/fileio/naming-a-file)."""

NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
"""What file systems without hard links answer (FAT, FUSE drives, some network drives)."""
FileMark = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds; another file under the same name has another one."""


@contextlib.contextmanager
def explain_disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a missing permission or a read-only place into a sentence with the path.

    Raises: DiskError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(nearest_folder(path)).free / 2**20
            raise DiskError(f"No space left to write {path} ({free:.0f} MiB free).", "Free some space and run it again.") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise DiskError(f"No permission to write {path}.", "Choose a folder of your own, or change its rights.") from error
        raise


def nearest_folder(path: Path) -> Path:
    """The place itself, or the first folder above it that exists."""
    for parent in (path, *path.parents):
        if parent.exists():
            return parent
    return Path("/")


@contextlib.contextmanager
def atomic_write(path: Path, mode: int | None = None, replace: bool = True, clear: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; on success it is synced and renamed over it, else removed.

    Args:
        path: the final place; its folder is made.
        mode: permission bits; None keeps the ordinary ones.
        replace: False never writes over a file that is there, also not over one that came meanwhile.
        clear: take away first what writers of this file that were killed left; for files so large that it matters.

    Raises: DiskError: no space or no permission; `path` is as it was. FileExistsError: it is there, and must not be replaced.
    """
    path = Path(path)
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if clear:
            clear_parts_of(path)
        handle, temporary = open_part(path, mark=clear)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                if clear:  # renamed while its mark stands, for until then others could take it for a dead one's
                    _take_place(temporary, path, mode, replace)
            if not clear:
                _take_place(temporary, path, mode, replace)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _take_place(temporary: Path, path: Path, mode: int | None, replace: bool) -> None:
    """Give a whole file its name. Raises: FileExistsError: another has it, and must not be replaced."""
    temporary.chmod(mode if mode is not None else ordinary_mode())
    if replace:
        os.replace(temporary, path)
    else:
        _give_free_name(temporary, path)


def _give_free_name(temporary: Path, path: Path) -> None:
    """Rename a file. Raises: FileExistsError: another has that name."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(path):  # a file system without links: look, then rename
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        temporary.rename(path)
    else:
        temporary.unlink()


def ordinary_mode() -> int:
    """Permission bits that new files get."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def write_bytes(path: Path, data: bytes) -> None:
    """Atomic write. Raises: DiskError."""
    with atomic_write(path) as file:
        file.write(data)


def write_new(path: Path, data: bytes) -> None:
    """Atomic write of a file that is not there yet. Raises: FileExistsError: one is there, and stays as it is; DiskError."""
    with atomic_write(path, replace=False) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Atomic write, UTF-8 without BOM. Raises: DiskError."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any, mode: int | None = None, errors: str = "backslashreplace") -> None:
    """Atomic write of readable JSON.

    Args:
        mode: as `atomic_write`.
        errors: what `str.encode` does with letters that UTF-8 does not have (of file names of old archives). With "backslashreplace"
            they come back when the file is read; "replace" is for what people read.
    Raises: DiskError.
    """
    with atomic_write(path, mode) as file:
        file.write((json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n").encode("utf-8", errors))


def write_with(path: Path, save: Callable[[Path], None]) -> None:
    """Let `save(temporary)` write a file of its own (safetensors, Pillow), then sync and rename it to `path`.

    The temporary file keeps the ending of `path`. Raises: DiskError.
    """
    path = Path(path)
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{os.getpid()}.{path.stem[:40]}.part{path.suffix}")
        try:
            save(temporary)
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def read_text(path: Path) -> str:
    """Read UTF-8 (a BOM is dropped).

    Raises: DatasetError: the file is not UTF-8, with the place of the first wrong byte.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8 text (byte {error.start} is 0x{error.object[error.start]:02x}).",
                           "Save it again as UTF-8 in a text editor.") from error


def read_json(path: Path) -> Any:
    """Raises: DatasetError: the file is missing or no JSON."""
    try:
        return json.loads(read_text(path))
    except FileNotFoundError as error:
        raise DatasetError(f"{path} does not exist.") from error
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path} is not valid JSON (line {error.lineno}: {error.msg}).") from error


def read_json_lines(path: Path, errors: str = "replace") -> Iterator[dict[str, Any]]:
    """The objects in a file of JSON lines, from the first on; none where there is no file. Half a line is passed over.

    Args: errors: what `bytes.decode` does with what is no UTF-8.
    """
    if not path.exists():
        return
    with open(path, encoding="utf-8", errors=errors) as file:
        for line in file:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


def append_line(path: Path, line: str, errors: str = "strict") -> None:
    """Append one line. See `append_lines`."""
    append_lines(path, [line], errors=errors)


def append_lines(path: Path, lines: Iterable[str], sync: bool = False, errors: str = "strict") -> None:
    """Append lines, each in one write, so that a reader never sees half a line of two writers mixed.

    Half a line that a kill or a full disk left behind is ended first, so that it does not swallow the next.

    Args:
        sync: return only when they are on the disk.
        errors: what `str.encode` does with letters that UTF-8 does not have; for JSON, "backslashreplace" keeps them.
    Raises: DiskError: no space or no permission; what was written last may be half a line, which readers pass over.
    """
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(handle).st_size
            broken = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            for line in lines:
                data = (("\n" if broken else "") + line + "\n").encode("utf-8", errors)
                broken = False
                if os.write(handle, data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if sync:
                os.fsync(handle)
        finally:
            os.close(handle)


def file_mark(path: Path) -> FileMark | None:
    """Tells a file from another one of its name; None: it is not there, or cannot be looked at."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def safe_stem(name: str, fallback: str = "image", longest: int = 80) -> str:
    """A file stem that every file system and trainer takes.

    NFC; letters, digits (of any script), space, dot, minus and underscore kept; everything else becomes `_`;
    no leading dot, no trailing dot or space, no name that Windows reserves; at most `longest` UTF-8 bytes.
    """
    text = unicodedata.normalize("NFC", name)
    text = re.sub(r"[^\w .\-]", "_", text)
    text = re.sub(r"\.{2,}", ".", re.sub(r"\s+", " ", text)).strip(" .")
    while len(text.encode("utf-8")) > longest:
        text = text[:-1]
    text = text.strip(" .") or fallback
    return f"_{text}" if text.split(".")[0].lower() in RESERVED_NAMES else text
