"""What captioners said of each image, kept for each model and question: several stand side by side, and nothing is asked twice."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from core.dataset.index import CHUNK, CacheFile
from core.dataset.project import Project


@dataclass(frozen=True)
class Told:
    """One captioner's text for an image."""

    captioner: str
    """Its name in the registry."""
    model: str
    """Names exactly this model."""
    text: str
    """As it was cleaned, without trigger word, prefix and suffix."""
    time: float


class ToldStore(CacheFile):
    """The captioners' texts of one project (`.lorabook/told.sqlite`). It may be deleted; the models are then asked again."""

    tables: ClassVar[str] = """
CREATE TABLE IF NOT EXISTS told (sha256 TEXT, model TEXT, asked TEXT, captioner TEXT, text TEXT, time REAL,
    PRIMARY KEY (sha256, model, asked)) WITHOUT ROWID;
"""

    @classmethod
    def of(cls, project: Project) -> ToldStore:
        """The texts of a project."""
        return cls(project.hidden / "told.sqlite")

    def find(self, model: str, asked: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Texts of one model. Args: asked: SHA-256 of the image and the question's mark; images of one content may be asked otherwise."""
        wanted = set(asked)
        return {(sha, mark): text for sha, mark, text in self._told(model, (sha for sha, _ in wanted)) if (sha, mark) in wanted}

    def texts(self, model: str, hashes: Sequence[str]) -> dict[str, list[str]]:
        """All texts of one model, whatever it was asked, by the image's SHA-256."""
        found: dict[str, list[str]] = {}
        for sha, _, text in self._told(model, hashes):
            found.setdefault(sha, []).append(text)
        return found

    def _told(self, model: str, hashes: Iterable[str]) -> list[tuple[str, str, str]]:
        """All that one model said of these contents: SHA-256, the question's mark, text."""
        wanted = sorted({sha for sha in hashes if sha})

        def look(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
            found: list[tuple[str, str, str]] = []
            for start in range(0, len(wanted), CHUNK):
                part = wanted[start:start + CHUNK]
                query = f"SELECT sha256, asked, text FROM told WHERE model = ? AND sha256 IN ({','.join('?' * len(part))})"
                found += db.execute(query, (model, *part))
            return found

        nothing: list[tuple[str, str, str]] = []
        return self._try(look, nothing)

    def remember(self, captioner: str, model: str, texts: Sequence[tuple[str, str, str]]) -> None:
        """Keep texts: (SHA-256, the question's mark, text)."""
        rows = [(sha, model, mark, captioner, text, time.time()) for sha, mark, text in texts if sha]
        if rows:
            self._try(lambda db: db.executemany("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?, ?)", rows), None)

    def of_image(self, sha256: str) -> list[Told]:
        """All texts of one image, the newest of each model, the newest first."""
        def look(db: sqlite3.Connection) -> list[Told]:
            query = "SELECT captioner, model, text, time FROM told WHERE sha256 = ? ORDER BY time DESC"
            return [Told(*row) for row in db.execute(query, (sha256,))]

        nothing: list[Told] = []
        newest: dict[str, Told] = {}
        for one in self._try(look, nothing):
            newest.setdefault(one.model, one)
        return list(newest.values())

    def was_said(self, sha256: str, text: str) -> bool:
        """Whether a captioner said that text of that content, whatever it was asked."""
        found = self._try(lambda db: db.execute("SELECT 1 FROM told WHERE sha256 = ? AND text = ?", (sha256, text)).fetchone(), None)
        return found is not None
