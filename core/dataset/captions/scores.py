"""What taggers answered, kept for each image and model, so that moving a threshold never runs a model again.

`.lorabook/scores.sqlite` lies beside the index. A row is named by the image's SHA-256 and the model; it holds the number of each tag
(32 bit) and its score in steps of 1/50000 (16 bit): about 200 bytes for an image. Every threshold of up to four decimals falls on a
step, so that what is stored decides as what the model said.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from core.dataset.index import CHUNK, CacheFile
from core.dataset.project import Project

TagScores = dict[str, dict[str, float]]
"""Category ("general", "character", "rating") → tag → probability in [0, 1]; the best first."""
STEPS = 50_000
"""Steps of a score between 0 and 1."""


@dataclass(frozen=True)
class StoredModel:
    """A model whose scores are kept."""

    identity: str
    """Names exactly this model."""
    name: str
    """The tagger's name in the registry."""
    used: float
    """When it was used last, seconds since 1970."""
    images: int


def rounded(score: float) -> float:
    """The score as it is kept."""
    return round(score * STEPS) / STEPS


class ScoreStore(CacheFile):
    """The scores of one project. It may be deleted; the models then run again."""

    tables: ClassVar[str] = """
CREATE TABLE IF NOT EXISTS models (id INTEGER PRIMARY KEY, identity TEXT UNIQUE, name TEXT, used REAL);
CREATE TABLE IF NOT EXISTS words (id INTEGER PRIMARY KEY, category TEXT, tag TEXT, UNIQUE (category, tag));
CREATE TABLE IF NOT EXISTS scores (model INTEGER, sha256 BLOB, found BLOB, PRIMARY KEY (model, sha256)) WITHOUT ROWID;
"""

    _ids: dict[tuple[str, str], int]
    _words: dict[int, tuple[str, str]]
    _known_of: sqlite3.Connection | None = None

    @classmethod
    def of(cls, project: Project) -> ScoreStore:
        """The scores of a project."""
        return cls(project.hidden / "scores.sqlite")

    def models(self) -> list[StoredModel]:
        """Models whose scores are kept, the one used last first."""
        def find(db: sqlite3.Connection) -> list[StoredModel]:
            query = ("SELECT identity, name, used, COUNT(scores.sha256) FROM models JOIN scores ON scores.model = models.id "
                     "GROUP BY models.id ORDER BY used DESC")
            return [StoredModel(*row) for row in db.execute(query)]

        nothing: list[StoredModel] = []
        return self._try(find, nothing)

    def find(self, identity: str, hashes: Sequence[str]) -> dict[str, TagScores]:
        """Kept scores of one model, by the image's SHA-256."""
        wanted = [bytes.fromhex(sha) for sha in hashes if sha]

        def look(db: sqlite3.Connection) -> dict[str, TagScores]:
            self._learn(db)
            model = db.execute("SELECT id FROM models WHERE identity = ?", (identity,)).fetchone()
            found: dict[str, TagScores] = {}
            for start in range(0, len(wanted) if model else 0, CHUNK):
                part = wanted[start:start + CHUNK]
                marks = ",".join("?" * len(part))
                query = f"SELECT sha256, found FROM scores WHERE model = ? AND sha256 IN ({marks})"
                for sha, blob in db.execute(query, (model[0], *part)):
                    scores = self._unpacked(blob)
                    if scores is not None:
                        found[sha.hex()] = scores
            return found

        nothing: dict[str, TagScores] = {}
        return self._try(look, nothing)

    def known(self, identity: str, hashes: Sequence[str]) -> set[str]:
        """Those of the images (SHA-256) whose scores of one model are kept."""
        def look(db: sqlite3.Connection) -> set[str]:
            query = "SELECT sha256 FROM scores WHERE model = (SELECT id FROM models WHERE identity = ?) AND length(found) % 6 = 0"
            return {row[0].hex() for row in db.execute(query, (identity,))}

        nothing: set[str] = set()
        return self._try(look, nothing).intersection(hashes)

    def remember(self, identity: str, name: str, scores: dict[str, TagScores]) -> bool:
        """Keep scores of one model, by the image's SHA-256. Returns: whether they are kept."""
        def keep(db: sqlite3.Connection) -> bool:
            db.execute("INSERT INTO models (identity, name, used) VALUES (?, ?, ?) "
                       "ON CONFLICT (identity) DO UPDATE SET name = excluded.name, used = excluded.used", (identity, name, time.time()))
            model = db.execute("SELECT id FROM models WHERE identity = ?", (identity,)).fetchone()[0]
            self._number(db, {(category, tag) for found in scores.values() for category, tags in found.items() for tag in tags})
            rows = [(model, bytes.fromhex(sha), self._packed(found)) for sha, found in scores.items()]
            db.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?)", rows)
            return True

        return bool(scores) and self._try(keep, False)

    def _learn(self, db: sqlite3.Connection) -> None:
        """Read the words' numbers, once for each connection and whenever another process added some."""
        if self._known_of is not db:
            self._known_of, self._ids, self._words = db, {}, {}
        for number, category, tag in db.execute("SELECT id, category, tag FROM words WHERE id > ?", (max(self._words, default=0),)):
            self._ids[category, tag] = number
            self._words[number] = (category, tag)

    def _number(self, db: sqlite3.Connection, words: Iterable[tuple[str, str]]) -> None:
        self._learn(db)
        fresh = sorted(word for word in words if word not in self._ids)
        if fresh:
            db.executemany("INSERT OR IGNORE INTO words (category, tag) VALUES (?, ?)", fresh)
            self._learn(db)

    def _packed(self, scores: TagScores) -> bytes:
        pairs = [(self._ids[category, tag], score) for category, tags in scores.items() for tag, score in tags.items()]
        numbers = array("I", [number for number, _ in pairs])
        values = array("H", [min(STEPS, max(0, round(score * STEPS))) for _, score in pairs])
        if sys.byteorder == "big":
            numbers.byteswap()
            values.byteswap()
        return numbers.tobytes() + values.tobytes()

    def _unpacked(self, blob: bytes) -> TagScores | None:
        """None: it is damaged, and the model is asked again."""
        count, rest = divmod(len(blob), 6)
        if rest:
            return None
        numbers, values = array("I", blob[:4 * count]), array("H", blob[4 * count:])
        if sys.byteorder == "big":
            numbers.byteswap()
            values.byteswap()
        found: TagScores = {}
        try:
            for number, value in zip(numbers, values, strict=True):
                category, tag = self._words[number]
                found.setdefault(category, {})[tag] = value / STEPS
        except KeyError:
            return None
        return found
