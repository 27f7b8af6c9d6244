"""Replacing many caption files: each whole or not at all, only over the text that was seen, and durable before the next step.

The new texts are written beside their captions first, then brought to the disk together, then put in place one by one, each after
a look at what its file holds. So neither a kill nor a power failure leaves an empty caption, and a hundred thousand do not cost a
hundred thousand waits for the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

from core.base.errors import DatasetError
from core.base.files import explain_disk_errors
from core.base.progress import SILENT, Progress
from core.base.syncing import sync_all
from core.dataset.captions.files import decode_caption, find_caches, has_lines, one_line
from core.dataset.captions.locking import writing_in
from core.dataset.items import Skipped
from core.dataset.project import is_trained_on

BATCH = 1000
"""Captions whose new texts lie beside them at once. More at once wait for the disk less often, but on ext4 without a journal creating
them takes up to three times as long: it passes over the inodes that were freed in the last minute one by one."""
STEP = 500
"""Captions after which a cancel is heard."""
SYNC_EACH = 32
"""Up to so many files each is synced alone; for more it is quicker to let the file system write all that waits."""
TOGETHER = 32
"""Files that a thread closes in one go."""
CLOSERS = 4
"""Threads that let go of replaced files: on some disks freeing one takes milliseconds of waiting."""
PART = ".lorabook-{token}-{number}.part"
LEFTOVERS = ".lorabook-*.part"
CHANGED = "It was changed by something else meanwhile, so it was left as it is."


@dataclass(frozen=True)
class Swap:
    """One caption file that is to be replaced."""

    file: str
    """Its name."""
    before: str | None
    """The caption that must be there (as one line, or as it stands in several); None: no file."""
    after: str | None
    """What is written; None: the file goes."""


@dataclass
class SwapReport:
    """What became of them."""

    done: int = 0
    same: int = 0
    """Files that held the new text already."""
    skipped: list[Skipped] = field(default_factory=list)


Lines = Callable[[Mapping[str, str]], None]
"""Takes texts of several lines by file name, before they are replaced."""


def swap_captions(folder: Path, swaps: Sequence[Swap], progress: Progress = SILENT, lines: Lines | None = None) -> SwapReport:
    """Replace caption files.

    Args: folder: where they are. swaps: at most one for each file; the caller has noted them in the history. lines: notes there what
        stands in several lines, which `Swap.before` does not tell.

    Returns: counts, and every file that was left as it was with the reason: it holds another text, or cannot be read.
    Raises: Cancelled: whole steps are done or not begun; DiskError: no space or no permission, nothing is half written, and what was
        replaced before it stays.
    """
    report = SwapReport()
    with explain_disk_errors(folder), _Folder(folder, [swap.file for swap in swaps]) as place:
        for start in range(0, len(swaps), max(1, BATCH)):
            _swap_batch(place, swaps[start:start + max(1, BATCH)], report, progress, lines)
    return report


def clear_leftovers(folder: Path) -> None:
    """Remove what a kill left beside the captions. Only while nobody writes."""
    for path in folder.glob(LEFTOVERS):
        path.unlink(missing_ok=True)


class _Folder:
    """An open folder, and threads that let go of replaced files."""

    def __init__(self, path: Path, captions: Sequence[str]) -> None:
        self.path = path
        self.caches = {} if is_trained_on(path) else find_caches(path, captions)  # a training that runs reads them at each step
        self.handle = os.open(path, os.O_RDONLY)
        self._closers = ThreadPoolExecutor(CLOSERS, thread_name_prefix="captions")
        self._closing: deque[Future[None]] = deque()
        self._open: list[int] = []

    def __enter__(self) -> _Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.settle()
        self._closers.shutdown()
        with contextlib.suppress(OSError):
            os.fsync(self.handle)  # the new names are on the disk too before the history says that it is done
        os.close(self.handle)

    def let_go(self, handle: int) -> None:
        """Close a file beside the work; a bounded number of them is open."""
        self._open.append(handle)
        if len(self._open) >= TOGETHER:
            self._closing.append(self._closers.submit(_close, self._open))
            self._open = []
            if len(self._closing) > CLOSERS:
                self._closing.popleft().result()

    def remove(self, part: str) -> None:
        """Take away a text that was not put in place."""
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(part, os.O_RDONLY, dir_fd=self.handle)
            os.unlink(part, dir_fd=self.handle)
            self.let_go(handle)

    def settle(self) -> None:
        """Wait until all are closed."""
        _close(self._open)
        self._open = []
        while self._closing:
            self._closing.popleft().result()


def _swap_batch(place: _Folder, swaps: Sequence[Swap], report: SwapReport, progress: Progress, lines: Lines | None) -> None:
    """Write the new texts beside their files, bring them to the disk, then give each its file's name after a look at what is there."""
    token, handle, sync_each = secrets.token_hex(4), place.handle, len(swaps) <= SYNC_EACH
    noted = None if lines is None else _InLines(handle, swaps, lines)
    parts: dict[int, str] = {}
    try:
        for number, swap in enumerate(swaps):
            if number % STEP == 0:
                progress.check()
            if swap.after is not None:
                parts[number] = part = PART.format(token=token, number=number)
                _write(handle, part, swap.after, sync=sync_each)
        if not sync_each:
            sync_all(handle, list(parts.values()))
        for start in range(0, len(swaps), STEP):
            batch = range(start, min(start + STEP, len(swaps)))
            with writing_in(place.path):
                for number in batch:
                    _put(place, swaps[number], number, parts.pop(number, ""), report, noted)
            progress.advance(swaps[batch[-1]].file, by=len(batch))
    finally:
        for part in parts.values():
            place.remove(part)
        place.settle()


class _InLines:
    """Captions of a batch that stand in several lines, which are noted before the first of them is replaced: all at once, as each note
    waits for the disk."""

    def __init__(self, place: int, swaps: Sequence[Swap], note: Lines) -> None:
        self._place, self._swaps, self._note = place, swaps, note
        self._texts: dict[str, str] | None = None

    def hold(self, number: int, text: str) -> bool:
        """Whether the text of this caption is noted; where none was looked for yet, this one and those behind it are."""
        if self._texts is None:
            self._texts = {self._swaps[number].file: text, **dict(self._find(number + 1))}
            self._note(self._texts)
        return self._texts.get(self._swaps[number].file) == text

    def _find(self, start: int) -> Iterator[tuple[str, str]]:
        for swap in self._swaps[start:]:
            with contextlib.suppress(DatasetError, OSError):  # it is named when its turn comes
                text, handle = _look(self._place, swap)
                if handle >= 0:
                    os.close(handle)
                if _must_be_noted(text, swap) and _may_go(text, swap):
                    yield swap.file, text


def _forget_caches(place: _Folder, file: str) -> None:
    for name in place.caches.get(file, ()):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place.handle)


def _is(text: str | None, wanted: str | None) -> bool:
    """Whether a file holds a text. An empty file is no caption either; of a text of several lines its one line is enough."""
    return (text or None) == (wanted or None) or (wanted is not None and text == one_line(wanted))


def _lost_lines(text: str | None, wanted: str | None) -> bool:
    """Whether a file says in one line what is to stand in several: a person typed, and took that back."""
    return text is not None and wanted is not None and has_lines(wanted) and text == one_line(wanted)


def _may_go(text: str | None, swap: Swap) -> bool:
    """Whether a file holds what must be there. Args: text: as it stands there; None: there is no file."""
    present = text if text is None else one_line(text)
    return _is(present, swap.before) or (_lost_lines(present, swap.after) and not _must_be_noted(text, swap))


def _must_be_noted(text: str | None, swap: Swap) -> TypeGuard[str]:
    """Whether a file says more than `Swap.before` tells: it stands in several lines."""
    return text is not None and text != swap.before and has_lines(text)


def _look(place: int, swap: Swap) -> tuple[str | None, int]:
    """The present caption as it stands in its file, and the open file; None and -1 where there is none.

    Raises: DatasetError: it is no text; OSError.
    """
    try:
        handle = os.open(swap.file, os.O_RDONLY | os.O_NONBLOCK, dir_fd=place)
    except FileNotFoundError:
        return None, -1
    try:
        data = _read(handle)
        if swap.before is not None and data == swap.before.encode("utf-8", "surrogatepass"):
            return swap.before, handle
        return decode_caption(data, swap.file), handle
    except BaseException:
        os.close(handle)
        raise


def _put(place: _Folder, swap: Swap, number: int, part: str, report: SwapReport, noted: _InLines | None) -> None:
    """Put the new text in place if the file still holds what it must; the report says what became of it.

    Args: number: its place in the batch. part: the new text's file; empty: the caption goes. noted: takes what stands in several lines
        before it is replaced.
    """
    done, handle, reason = False, -1, CHANGED
    try:
        text, handle = _look(place.handle, swap)
    except DatasetError as error:
        reason = error.message
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE):
            raise
        reason = f"It cannot be read ({error.strerror})."
    else:
        try:
            if text is None and swap.after is None:
                reason = ""  # nothing is to go; an empty file, which may have been there, is no caption either
            elif _may_go(text, swap):
                if noted is None or not _must_be_noted(text, swap) or noted.hold(number, text):
                    done = _replace(place, swap, part, is_there=handle >= 0)
            elif _is(text if text is None else one_line(text), swap.after):
                reason = ""
        finally:
            if handle >= 0:
                place.let_go(handle)  # while it is open its blocks need not be freed, so that the rename is quick
    finally:
        if part and not done:
            place.remove(part)
    if done:
        report.done += 1
    elif reason:
        report.skipped.append(Skipped(swap.file, reason))
    else:
        report.same += 1


def _replace(place: _Folder, swap: Swap, part: str, is_there: bool) -> bool:
    """Give the new text its name, or remove the caption. Returns: False: a file of that name came meanwhile."""
    if not is_there:
        return _make(place.handle, part, swap.file)
    _forget_caches(place, swap.file)
    if part:
        os.rename(part, swap.file, src_dir_fd=place.handle, dst_dir_fd=place.handle)
    else:
        os.unlink(swap.file, dir_fd=place.handle)
    return True


def _make(place: int, part: str, file: str) -> bool:
    """Give a new file its name, unless one of that name came meanwhile."""
    try:
        os.link(part, file, src_dir_fd=place, dst_dir_fd=place)
        os.unlink(part, dir_fd=place)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
    with contextlib.suppress(FileNotFoundError):  # a file system without links: look, then rename
        os.stat(file, dir_fd=place)
        return False
    os.rename(part, file, src_dir_fd=place, dst_dir_fd=place)
    return True


def _read(handle: int) -> bytes:
    data = os.read(handle, 1 << 16)
    if len(data) < 1 << 16:
        return data
    with os.fdopen(os.dup(handle), "rb") as file:
        file.seek(0)
        return file.read()


def _write(place: int, part: str, text: str, sync: bool) -> None:
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=place)
    try:
        data = text.encode("utf-8")
        if os.write(handle, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if sync:
            os.fsync(handle)
    finally:
        os.close(handle)


def _close(handles: list[int]) -> None:
    for handle in handles:
        os.close(handle)
