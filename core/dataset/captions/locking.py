"""One writer at a time in a folder of captions, so that between looking at a file and replacing it no other writer comes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EINVAL)
"""What file systems without locks answer (some network drives); there the revision alone guards."""


@contextlib.contextmanager
def writing_in(folder: Path) -> Iterator[None]:
    """Hold a folder while a file in it is looked at and replaced; others wait. It lasts milliseconds, and ends with its holder.

    The lock is on the folder itself and leaves no file. Other programs do not know of it.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        yield  # the folder is made by the write; nobody can be at work in it
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        yield
    finally:
        os.close(handle)
