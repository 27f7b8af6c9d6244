"""What curation worked out of pictures: fingerprints, embeddings, scores. A cache beside the index, which may be deleted at any time."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from core.dataset.index import CHUNK, CacheFile
from core.dataset.project import Project


class Store(CacheFile):
    """Bytes by kind and by the picture's content. Every kind says in its name what made it, so that nothing of another is ever used."""

    tables = "CREATE TABLE IF NOT EXISTS measured (kind TEXT, sha256 TEXT, data BLOB, PRIMARY KEY (kind, sha256));"

    @classmethod
    def of(cls, project: Project) -> Store:
        """The store of a project."""
        return cls(project.hidden / "curation.sqlite")

    def find(self, kind: str, hashes: Sequence[str]) -> dict[str, bytes]:
        """SHA-256 → what is known of that content. Args: kind: which of the things that were worked out."""
        def look(db: sqlite3.Connection) -> list[tuple[str, bytes]]:
            rows: list[tuple[str, bytes]] = []
            for start in range(0, len(hashes), CHUNK):
                part = hashes[start:start + CHUNK]
                query = f"SELECT sha256, data FROM measured WHERE kind = ? AND sha256 IN ({','.join('?' * len(part))})"
                rows += db.execute(query, (kind, *part)).fetchall()
            return rows

        nothing: list[tuple[str, bytes]] = []
        return dict(self._try(look, nothing))

    def remember(self, kind: str, values: Mapping[str, bytes]) -> None:
        """Keep what was worked out, by the picture's SHA-256."""
        rows = [(kind, sha, data) for sha, data in values.items() if sha]
        if rows:
            self._try(lambda db: db.executemany("INSERT OR REPLACE INTO measured VALUES (?, ?, ?)", rows), None)
