"""What was imported from where, so that nothing comes in twice and an interrupted import goes on."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from core.base.files import append_line, safe_stem
from core.dataset.project import Project

LEDGER_FILE = "imports.jsonl"


@dataclass(frozen=True)
class ImportRecord:
    """One imported image. It is written before the image, so that a kill in between is mended by the next import."""

    name: str
    """File name in images/."""
    sha256: str
    """Of the source file."""
    source: str
    size: int
    mtime_ns: int


def read_ledger(project: Project) -> list[ImportRecord]:
    """Every record, oldest first; half a line is passed over."""
    path = project.hidden / LEDGER_FILE
    if not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            records.append(ImportRecord(**json.loads(line)))
        except (json.JSONDecodeError, TypeError):
            continue
    return records


class Ledger:
    """Knows what is there, and gives names.

    Args: present: names and hashes of the images that are in the project now.
    """

    def __init__(self, project: Project, present: Iterable[tuple[str, str]]) -> None:
        self.project = project
        self._named: dict[str, str] = {}
        self._places: dict[tuple[str, int, int], str] = {}
        for record in read_ledger(project):
            self._named[record.sha256] = record.name
            self._places[record.source, record.size, record.mtime_ns] = record.sha256
        self._named.update({sha: name for name, sha in present if sha})  # what a person copied or renamed by hand counts too
        in_images = [path for path in project.images.iterdir() if not path.name.startswith(".")]
        aside = [path for path in project.rejected.rglob("*") if path.is_file()]
        self.images = {path.name for path in in_images}
        self._there = self.images | {path.name for path in aside}
        self._captions = {fold(path.stem) for path in in_images if path.suffix == ".txt"}
        self._stems = {fold(path.stem) for path in (*in_images, *aside) if path.suffix not in (".txt", ".json")}

    def hash_at(self, source: str, size: int, mtime_ns: int) -> str | None:
        """The hash of a source file that has not changed since it was imported; saves reading it."""
        sha = self._places.get((source, size, mtime_ns))
        return sha if sha is not None and self.name_of(sha) else None

    def name_of(self, sha: str) -> str | None:
        """The name under which this content is in the project (also put aside); None: it is not there."""
        name = self._named.get(sha)
        return name if name in self._there else None

    def claim(self, sha: str, stem: str, suffix: str) -> str:
        """A file name that is safe and whose stem no other image has; after an interrupted import the same as before."""
        before = self._named.get(sha)
        if before and Path(before).suffix == suffix and fold(Path(before).stem) not in self._stems:
            return before
        base = safe_stem(stem)
        name, number = base, 1
        while fold(name) in self._stems or fold(name) in self._captions:
            number += 1
            name = f"{base}-{number}"
        return name + suffix

    def record(self, record: ImportRecord) -> None:
        """Note an image, and take its name. Raises: DiskError."""
        append_line(self.project.hidden / LEDGER_FILE, json.dumps(asdict(record), ensure_ascii=False))
        self._named[record.sha256] = record.name
        self._there.add(record.name)
        self.images.add(record.name)
        self._stems.add(fold(Path(record.name).stem))


def fold(stem: str) -> str:
    """Equal for names that some file system takes for one: case and Unicode composition do not count."""
    return unicodedata.normalize("NFC", stem).casefold()
