"""Writing an export's files: each whole or not at all, only what is not there yet, and never over what somebody else wrote.

A file belongs to the export if the manifest names it and it is as the export left it, or if it holds exactly what is to be written (so an
export that was killed before it noted anything is gone on with). What is there under such a name otherwise stays, and is named.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.base.errors import DatasetError
from core.base.files import explain_disk_errors, ordinary_mode, sha256
from core.base.syncing import sync_all
from core.dataset.captions.files import CAPTION_EXTENSION, forget_caches
from core.dataset.export.manifest import Entry, Manifest

PART = ".lorabook-"
"""How the name of a file begins that is not whole yet."""
CLONE = 0x40049409
"""FICLONE of Linux (ioctl_ficlone(2)): a copy that takes no room, where the file system can (Btrfs, XFS)."""
How = Literal["written", "there", "edited", "foreign"]
Content = bytes | Path


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one file."""

    name: str
    """Below the export's folder."""
    how: How
    """edited: it was ours and somebody changed it; foreign: it is somebody else's. Both stay as they are."""
    entry: Entry | None = None
    """To be noted; None for what is not ours."""
    changes: tuple[str, ...] = ()
    """What was changed in a picture, where it was made just now."""


class Writer:
    """Writes into one export's folder; may be used by several threads at once.

    Args: before: what earlier exports wrote. replace_edited: write also over what was changed since.
    """

    def __init__(self, root: Path, before: Manifest, replace_edited: bool = False) -> None:
        self.root, self.before, self.replace_edited = root, before, replace_edited
        self._slots, self._mode = before.by_slot(), ordinary_mode()

    def unchanged(self, slot: str, key: str, stem: str) -> Written | None:
        """The file of a slot, where it stands under this stem as it was made of this very key; None: it must be looked at.

        Args: stem: path below the folder, without the ending.
        """
        name, entry = self._slots.get(slot, ("", None))
        if entry is None or entry.key != key or name.rpartition(".")[0] != stem:
            return None
        facts = _facts(self.root / name)
        return Written(name, "there", entry) if facts is not None and entry.fits(facts) else None

    def put(self, name: str, slot: str, key: str, make: Callable[[], Content], digest: str = "",
            still: Callable[[], bool] = lambda: True) -> Written:
        """Write a file, if it is not there as it should be.

        Args:
            key: names what it is made of.
            digest: SHA-256 of what is made, where it is known beforehand.
            still: asked once it is made; False: what it was made of is another file by now (pictures may be renamed meanwhile).

        Raises: DatasetError: so it is; nothing was written then. DiskError; what `make` raises.
        """
        path, known = self.root / name, self.before.files.get(name)
        facts = _facts(path)
        intact = known is not None and facts is not None and known.fits(facts)
        if known is not None and facts is not None and intact and known.key == key:
            return Written(name, "there", known._replace(slot=slot))
        content = make()
        digest = digest or _digest(content)
        if facts is not None:
            present = known.sha256 if known is not None and intact else _digest(path)
            if present == digest:
                return Written(name, "there", Entry(slot, key, digest, facts.st_size, facts.st_mtime_ns))
            mine = known is not None and present == known.sha256
            if not mine and not (known is not None and self.replace_edited):
                return Written(name, "edited" if known is not None else "foreign")
        self._write(path, content, still)
        if facts is not None:
            forget_trainers_caches(path)
        made = path.stat()
        return Written(name, "written", Entry(slot, key, digest, made.st_size, made.st_mtime_ns))

    def remove_others(self, names: Iterable[str]) -> tuple[list[str], list[str]]:
        """Take away what earlier exports wrote and this one does not. Args: names: what stays.

        Returns: what went, and what stays because somebody changed it. Raises: DiskError.
        """
        keep, gone, edited = set(names), list[str](), list[str]()
        for name, entry in self.before.files.items():
            path = self.root / name
            facts = _facts(path) if name not in keep else None
            if facts is None:
                continue
            if not entry.fits(facts) and _digest(path) != entry.sha256 and not self.replace_edited:
                edited.append(name)
                continue
            with explain_disk_errors(path):
                path.unlink()
            forget_trainers_caches(path)
            gone.append(name)
        for folder in sorted({parent for name in gone for parent in (self.root / name).parents if parent != self.root
                              and parent.is_relative_to(self.root)}, reverse=True):
            with contextlib.suppress(OSError):  # it holds something else
                folder.rmdir()
        return gone, edited

    def clear_parts(self) -> None:
        """Take away what a killed export left half written. Only one export at a time may work in a folder."""
        for part in self.root.glob(f"**/{PART}*.part"):
            with contextlib.suppress(OSError):
                part.unlink()

    def sync(self) -> None:
        """Bring what was written to the disk. Raises: DiskError."""
        with explain_disk_errors(self.root):
            handle = os.open(self.root, os.O_RDONLY)
            try:
                sync_all(handle, [])
            finally:
                os.close(handle)

    def _write(self, path: Path, content: Content, still: Callable[[], bool]) -> None:
        with explain_disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=PART, suffix=".part", dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    if isinstance(content, bytes):
                        file.write(content)
                    else:
                        _copy(content, file.fileno(), name)
                if not still():
                    raise changed_meanwhile()
                Path(name).chmod(self._mode)
                os.replace(name, path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise


def _copy(source: Path, handle: int, name: str) -> None:
    """A copy of its own, that costs no room where the file system can do that. Raises: DatasetError: it went away; OSError."""
    try:
        with open(source, "rb") as file:
            try:
                fcntl.ioctl(handle, CLONE, file.fileno())
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise
                with open(name, "wb") as target:
                    shutil.copyfileobj(file, target, 1 << 20)
    except FileNotFoundError as error:
        raise DatasetError(f"{source.name} is not there (any more).") from error


def changed_meanwhile() -> DatasetError:
    """What is told of a picture that is another file by now than the one that was looked at."""
    return DatasetError("It was changed or renamed while it was exported.", "Export again.")


def forget_trainers_caches(path: Path) -> None:
    """Delete what a trainer keeps of a picture or caption that is another one now; sd-scripts never notices it by itself."""
    if path.suffix == CAPTION_EXTENSION:
        forget_caches(path)
        return
    latents = re.compile(re.escape(path.stem) + r"_\d+x\d+_\w+\.npz")
    with contextlib.suppress(OSError):
        for cache in path.parent.glob("*.npz"):
            if latents.fullmatch(cache.name):
                cache.unlink(missing_ok=True)


def _facts(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _digest(content: Content) -> str:
    """Raises: DatasetError: the file cannot be read."""
    try:
        return sha256(content) if isinstance(content, Path) else hashlib.sha256(content).hexdigest()
    except OSError as error:
        name = content.name if isinstance(content, Path) else "It"
        raise DatasetError(f"{name} cannot be read ({error.strerror or type(error).__name__}).") from error
