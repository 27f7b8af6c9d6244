"""File locks, which the system frees when their holder ends, however it ends; where the file system has none, the work goes on."""

from __future__ import annotations

import contextlib
import errno
import fcntl
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from core.base.files import explain_disk_errors

NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EINVAL})
"""What file systems without locks answer: NFS without its lock service, FUSE drives, some network drives."""


def take_lock(handle: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Lock an open file until it is closed.

    Args: handle: its number. kind: fcntl.LOCK_EX or LOCK_SH, with LOCK_NB not to wait.
    Returns: whether it is locked; False: this file system has no locks.
    Raises: BlockingIOError: it is taken, and `kind` says not to wait. OSError: another failure of the disk.
    """
    try:
        fcntl.flock(handle, kind)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True


def open_lock_file(path: Path) -> FileIO:
    """The file of a lock, made where it is missing. Raises: DiskError: it cannot be written."""
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "a+b", buffering=0)


@contextlib.contextmanager
def locked(path: Path, kind: int = fcntl.LOCK_EX) -> Iterator[bool]:
    """Hold the lock file `path` while the block runs.

    Yields: whether it is locked; False: this file system has no locks, and nobody is kept out.
    Raises: BlockingIOError: as `take_lock`. DiskError: the file cannot be written; errors of the block itself are passed on as they are.
    """
    with open_lock_file(path) as file:
        yield take_lock(file.fileno(), kind)
