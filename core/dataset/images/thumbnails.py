"""Thumbnails on demand: kept in one file, made by a few threads, newest wish first, and what nobody looks at any more is not made."""

from __future__ import annotations

import contextlib
import hashlib
import io
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import StudioError
from core.dataset.images.opening import inspect_image, open_rgb
from core.dataset.parallel import default_workers

LONGEST = 256
"""Longest side of a thumbnail, in pixels."""
CHUNK = 400
"""Values per query; SQLite takes at most 999 in old versions."""
LARGE = 24_000_000
"""Pixels above which only one picture is decoded at a time: it bounds the memory."""
KEEP_EVERY = 24
"""Thumbnails that are written together; a write of its own for each would cost more than making them."""
TABLE = "CREATE TABLE IF NOT EXISTS thumbs (id INTEGER PRIMARY KEY, name TEXT, mtime_ns INTEGER, size INTEGER, data BLOB)"


@dataclass(frozen=True)
class Wanted:
    """One picture whose thumbnail is looked at."""

    key: str
    """Names it in the cache and in the answer; a file of that name with another time or size takes its place."""
    path: Path
    mtime_ns: int
    size: int


@dataclass(frozen=True)
class Thumbnail:
    """The answer to a wish."""

    key: str
    data: bytes
    """A JPEG; empty where there is none."""
    trouble: str = ""
    """Why there is none."""


Looked = Callable[[list[Thumbnail]], None]


def make_thumbnail(path: Path, longest: int = LONGEST) -> bytes:
    """A JPEG of at most `longest` pixels, upright, sRGB, transparency over white. A JPEG is decoded no larger than is needed.

    Raises: DatasetError: missing, no image, damaged or too large; the sentence says which.
    """
    from PIL import Image

    image = open_rgb(path, at_least=longest)
    if max(image.size) > longest:
        image.thumbnail((longest, longest), Image.Resampling.BICUBIC, reducing_gap=2.0)
    image.info = {}
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


class ThumbnailStore:
    """One SQLite file with all thumbnails of a project. A cache: where it is locked, broken or gone, they are made again.

    It may be used from several threads; each call takes the file for itself.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "thumbs.sqlite"
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def find(self, wanted: Sequence[Wanted]) -> dict[str, bytes]:
        """Key → JPEG of those that are kept and still true."""
        by_id = {_id(item.key): item for item in wanted}
        ids = list(by_id)
        found: dict[str, bytes] = {}

        def read(db: sqlite3.Connection) -> None:
            for start in range(0, len(ids), CHUNK):
                part = ids[start:start + CHUNK]
                query = f"SELECT id, name, mtime_ns, size, data FROM thumbs WHERE id IN ({','.join('?' * len(part))})"
                for number, name, mtime_ns, size, data in db.execute(query, part):
                    item = by_id[number]
                    if (name, mtime_ns, size) == (item.key, item.mtime_ns, item.size):
                        found[item.key] = data

        self._try(read)
        return found

    def keep(self, made: Iterable[tuple[Wanted, bytes]]) -> None:
        """Store thumbnails; one of an earlier state of the file is replaced."""
        rows = [(_id(item.key), item.key, item.mtime_ns, item.size, data) for item, data in made]
        if rows:
            self._try(lambda db: db.executemany("INSERT OR REPLACE INTO thumbs VALUES (?, ?, ?, ?, ?)", rows))

    def bytes(self) -> int:
        """How large the file is."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def forget_all_but(self, keys: Iterable[str]) -> None:
        """Drop the thumbnails of images that are no longer there. It reads the whole file: for a file that grew too large."""
        there = {_id(key) for key in keys}

        def drop(db: sqlite3.Connection) -> None:
            gone = [(row[0],) for row in db.execute("SELECT id FROM thumbs") if row[0] not in there]
            db.executemany("DELETE FROM thumbs WHERE id = ?", gone)

        self._try(drop)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _try(self, work: Callable[[sqlite3.Connection], object]) -> None:
        with self._lock:
            try:
                with self._open() as db:
                    work(db)
            except sqlite3.OperationalError:
                self._close()
            except sqlite3.DatabaseError:
                self._close()
                with contextlib.suppress(OSError):
                    self.path.unlink(missing_ok=True)

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and not self.path.exists():
            self._close()
        if self._connection is None:
            with contextlib.suppress(OSError):
                self.path.parent.mkdir(exist_ok=True)  # not its parents: on a drive that went away nothing is made
            connection = sqlite3.connect(self.path, timeout=1, check_same_thread=False)
            self._connection = connection
            connection.execute("PRAGMA page_size = 16384")  # of a new file: most thumbnails then lie in one page
            connection.execute("PRAGMA synchronous = OFF")  # a cache: what a power cut takes is made again
            connection.execute(TABLE)
        return self._connection


def _id(key: str) -> int:
    """63 bits of the key's hash; a row also bears the key itself, so that a collision costs time and never shows a wrong picture."""
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big") >> 1


class Thumbnails:
    """Answers wishes for thumbnails: at once from the store, else from worker threads (Pillow decodes without holding Python's lock).

    Each call of `want` replaces the one before: what is no longer in it is not made any more. What is being made comes all the same.

    Args:
        folder: where the store lies.
        deliver: called from a worker thread with each thumbnail that was made.
        workers: threads; 0 chooses.
    """

    def __init__(self, folder: Path, deliver: Callable[[list[Thumbnail]], None], workers: int = 0) -> None:
        self.store = ThumbnailStore(folder)
        self.made = 0
        """How many were made anew (not found in the store)."""
        self._deliver = deliver
        self._count = workers or default_workers()
        self._condition = threading.Condition()
        self._large = threading.Lock()
        self._fresh: tuple[list[Wanted], Looked] | None = None
        self._queue: list[Wanted] = []
        self._busy: set[str] = set()
        self._unkept: list[tuple[Wanted, bytes]] = []
        self._threads: list[threading.Thread] = []
        self._closed = False

    def want(self, wanted: Sequence[Wanted], looked: Looked) -> None:
        """Ask for these, the most urgent first, and for nothing else any more. Returns at once.

        Args: looked: called once from another thread with those that the store has (perhaps none), unless a newer wish came first.
        """
        with self._condition:
            if self._closed:
                return
            self._fresh = (list(wanted), looked)
            if not self._threads:
                works = [self._look, *[self._work] * self._count]
                self._threads = [threading.Thread(target=work, name="thumbnails", daemon=True) for work in works]
                for thread in self._threads:
                    thread.start()
            self._condition.notify_all()

    def pending(self) -> int:
        """How many are neither answered nor dropped yet."""
        with self._condition:
            return len(self._fresh[0] if self._fresh else ()) + len(self._queue) + len(self._busy)

    def close(self) -> None:
        """Stop; what is being made is thrown away."""
        with self._condition:
            self._closed, self._fresh, self._queue = True, None, []
            self._condition.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=10)
        self._keep()
        with self._condition:
            self._queue, self._busy = [], set()
        self.store.close()

    def _look(self) -> None:
        """The thread that reads the store; what is not in it goes to the workers."""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closed or self._fresh is not None)
                if self._closed or self._fresh is None:
                    return
                (wanted, looked), self._fresh = self._fresh, None
                self._queue = []
                wanted = [item for item in wanted if item.key not in self._busy]
                self._busy |= {item.key for item in wanted}  # counted as pending while they are looked up
            found = self.store.find(wanted)
            fresh = dict(self._unkept)
            found.update({item.key: fresh[item] for item in wanted if item in fresh})
            with self._condition:
                self._busy -= {item.key for item in wanted}
                if self._fresh is None:
                    self._queue = [item for item in wanted if item.key not in found]
                    self._condition.notify_all()
            looked([Thumbnail(item.key, found[item.key]) for item in wanted if item.key in found])

    def _work(self) -> None:
        """A thread that makes one thumbnail after the other, and delivers what is ready together."""
        while True:
            with self._condition:
                idle = not self._condition.wait_for(lambda: self._closed or bool(self._queue), timeout=0.5 if self._unkept else None)
                if self._closed:
                    return
                item = None if idle or not self._queue else self._queue.pop(0)
                if item is not None:
                    self._busy.add(item.key)
            if item is None:
                self._keep()
                continue
            answer = self._make(item)
            with self._condition:
                self._busy.discard(item.key)
                if answer.data:
                    self.made += 1
                    self._unkept.append((item, answer.data))
                full = len(self._unkept) >= KEEP_EVERY
            self._deliver([answer])
            if full:
                self._keep()

    def _make(self, item: Wanted) -> Thumbnail:
        try:
            facts = inspect_image(item.path)
            with self._large if facts.width * facts.height > LARGE else contextlib.nullcontext():
                return Thumbnail(item.key, make_thumbnail(item.path))
        except StudioError as error:
            return Thumbnail(item.key, b"", str(error))

    def _keep(self) -> None:
        with self._condition:
            made, self._unkept = self._unkept, []
        self.store.keep(made)
