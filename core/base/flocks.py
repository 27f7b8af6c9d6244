"""The lock of an open file; where the file system has none, the work goes on."""

from __future__ import annotations

import errno
import fcntl

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
