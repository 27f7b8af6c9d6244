"""What is known about images without opening them: sizes, hashes, captions. A cache, which may be deleted at any time."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

from typing_extensions import Self

T = TypeVar("T")
CaptionMark = tuple[int, int, int]
"""Of a caption file: time of its content (ns), time of any change to it (ns), size."""

SCHEMA = 1
TABLES = """
CREATE TABLE IF NOT EXISTS images (
    path TEXT PRIMARY KEY, mtime_ns INTEGER, size INTEGER, width INTEGER, height INTEGER, sha256 TEXT);
CREATE TABLE IF NOT EXISTS whole (sha256 TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS captions (path TEXT PRIMARY KEY, mtime_ns INTEGER, ctime_ns INTEGER, size INTEGER, text TEXT);
CREATE TABLE IF NOT EXISTS source_captions (path TEXT PRIMARY KEY, mtime_ns INTEGER, ctime_ns INTEGER, size INTEGER, text TEXT);
"""
CHUNK = 400
"""Values per query; SQLite takes at most 999 in old versions."""


class ImageRow(NamedTuple):
    """Facts of one file, true as long as mtime_ns and size are those of the file."""

    path: str
    mtime_ns: int
    size: int
    width: int
    height: int
    sha256: str


class CacheFile:
    """An SQLite file of facts that can be worked out again: when it is locked, broken or gone, the work goes on without it."""

    tables: ClassVar[str] = ""
    """SQL that makes what is missing."""
    schema: ClassVar[int] = 1
    """Another number empties a file of an earlier kind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _try(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Run `work` in a transaction; a broken file is replaced, a lock (usual on network drives) means: do without."""
        for attempt in (1, 2):
            try:
                with self._open() as db:
                    return work(db)
            except sqlite3.OperationalError:
                self.close()
                return otherwise
            except sqlite3.DatabaseError:
                self.close()
                if attempt == 2:
                    return otherwise
                with contextlib.suppress(OSError):
                    self.path.unlink(missing_ok=True)
        return otherwise

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and not self.path.exists():
            self.close()
        if self._connection is None:
            with contextlib.suppress(OSError):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=1)
            self._connection = connection
            if connection.execute("PRAGMA user_version").fetchone()[0] not in (0, self.schema):
                old = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                connection.executescript("".join(f"DROP TABLE IF EXISTS {name};" for name in old))
            connection.executescript(self.tables + f"PRAGMA user_version = {self.schema};")
        return self._connection


class Index(CacheFile):
    """The cache of one project."""

    tables, schema = TABLES, SCHEMA

    def images(self) -> dict[str, ImageRow]:
        """Every known file, by its name."""
        query = "SELECT path, mtime_ns, size, width, height, sha256 FROM images"
        nothing: list[Any] = []
        rows = self._try(lambda db: db.execute(query).fetchall(), nothing)
        return {row[0]: ImageRow._make(row) for row in rows}

    @property
    def file(self) -> tuple[int, int] | None:
        """What tells this file from another at its place; None: there is none."""
        try:
            facts = self.path.stat()
        except OSError:
            return None
        return facts.st_dev, facts.st_ino

    def remember_images(self, rows: Iterable[ImageRow], gone: Iterable[str] = ()) -> bool:
        """Store facts, and forget the files named in `gone`. Returns: whether that could be done."""
        values = [(row.path, row.mtime_ns, row.size, row.width, row.height, row.sha256) for row in rows if _can_be_kept(row.path)]
        lost = [(path,) for path in gone if _can_be_kept(path)]

        def store(db: sqlite3.Connection) -> bool:
            db.executemany("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?)", values)
            db.executemany("DELETE FROM images WHERE path = ?", lost)
            return True

        return self._try(store, False) if values or lost else True

    def captions(self) -> dict[str, tuple[CaptionMark, str]]:
        """Every known caption, by its file's name."""
        return self._texts("captions")

    def remember_captions(self, captions: Iterable[tuple[str, CaptionMark, str]], gone: Iterable[str] = ()) -> bool:
        """Store captions by their file's name, and forget the files named in `gone`. Returns: whether that could be done."""
        return self._remember_texts("captions", captions, gone)

    def source_captions(self) -> dict[str, tuple[CaptionMark, str]]:
        """Every known text of a caption file beside the sources, by its whole path."""
        return self._texts("source_captions")

    def remember_source_captions(self, captions: Iterable[tuple[str, CaptionMark, str]], gone: Iterable[str] = ()) -> None:
        """Store such texts by their whole path, and forget the files named in `gone`."""
        self._remember_texts("source_captions", captions, gone)

    def _texts(self, table: str) -> dict[str, tuple[CaptionMark, str]]:
        query = f"SELECT path, mtime_ns, ctime_ns, size, text FROM {table}"
        nothing: list[Any] = []
        rows = self._try(lambda db: db.execute(query).fetchall(), nothing)
        return {path: ((mtime, ctime, size), text) for path, mtime, ctime, size, text in rows}

    def _remember_texts(self, table: str, texts: Iterable[tuple[str, CaptionMark, str]], gone: Iterable[str]) -> bool:
        values = [(path, *mark, text) for path, mark, text in texts if _can_be_kept(path)]
        lost = [(path,) for path in gone if _can_be_kept(path)]

        def store(db: sqlite3.Connection) -> bool:
            db.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?)", values)
            db.executemany(f"DELETE FROM {table} WHERE path = ?", lost)
            return True

        return self._try(store, False) if values or lost else True

    def whole(self, hashes: Sequence[str]) -> set[str]:
        """Those contents (SHA-256) that were once decoded to the end without damage."""
        def find(db: sqlite3.Connection) -> set[str]:
            parts = [hashes[start:start + CHUNK] for start in range(0, len(hashes), CHUNK)]
            queries = [(f"SELECT sha256 FROM whole WHERE sha256 IN ({','.join('?' * len(part))})", part) for part in parts]
            return {row[0] for query, part in queries for row in db.execute(query, part)}

        nothing: set[str] = set()
        return self._try(find, nothing)

    def remember_whole(self, hashes: Iterable[str]) -> None:
        """Note that these contents decode to the end. What does not is decoded again each time: it may be mended, or Pillow renewed."""
        values = [(sha,) for sha in hashes if sha]
        if values:
            self._try(lambda db: db.executemany("INSERT OR REPLACE INTO whole VALUES (?)", values), None)


def _can_be_kept(name: str) -> bool:
    """Whether SQLite takes a file's name; one that is not UTF-8 (of an old archive) it does not, and that file is looked at each time."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
