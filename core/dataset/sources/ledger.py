"""What was imported from where, so that nothing comes in twice and an interrupted import goes on."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.base.files import append_line, read_json_lines, safe_stem, sha256
from core.dataset.images.files import IMAGE_SUFFIXES
from core.dataset.project import Project
from core.dataset.rejected_versions import ROOM as VERSIONS

LEDGER_FILE = "imports.jsonl"
PLACES_FILE = "places.jsonl"
LATENTS = re.compile(r"(.+)_\d{4,}x\d{4,}_[a-z0-9]+\.npz")
"""Names of the latents that sd-scripts keeps beside an image: stem, size, model family. It never notices that the image changed."""


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
    written: str = ""
    """SHA-256 of the file in images/; empty in records of older versions."""
    caption: str | None = None
    """Revision of the caption that the source had then; empty: it had none; None: it was not looked at, or by an older version."""

    def describes(self, content: str) -> bool:
        """Whether a file with this SHA-256 under the record's name is what was imported. Args: content: empty when it is not known."""
        return not content or not self.written or content in (self.sha256, self.written)


def read_ledger(project: Project) -> list[ImportRecord]:
    """Every record, oldest first; half a line is passed over."""
    records = []
    for values in read_json_lines(project.hidden / LEDGER_FILE):
        with suppress(TypeError):  # a mark that is no image
            records.append(ImportRecord(**values))
    return records


@dataclass(frozen=True)
class PlaceRecord:
    """Another place where an image of the project, or a caption that fits it, stands: it came once more."""

    sha256: str
    """Of the image, as its `ImportRecord` has it; where there is none, of the file in images/."""
    source: str
    caption: str | None
    """Revision of the caption there that is no news; empty: any would be; None: captions were not looked at."""


def read_places(project: Project) -> list[PlaceRecord]:
    """Every record, oldest first, the last one of each place; half a line is passed over."""
    found: dict[tuple[str, str], PlaceRecord] = {}
    for values in read_json_lines(project.hidden / PLACES_FILE):
        with suppress(TypeError):
            place = PlaceRecord(**values)
            found[place.sha256, place.source] = place
    return list(found.values())


def note_place(project: Project, place: PlaceRecord) -> None:
    """Add a record. Raises: DiskError."""
    append_line(project.hidden / PLACES_FILE, json.dumps(asdict(place), ensure_ascii=False), errors="backslashreplace")


class Ledger:
    """Knows what is there, and gives names. What counts is the content of the files that are there now, not the name that
    one of them had once: an image may have been deleted or replaced since, and its name given to another.

    Args: present: names and hashes of the images that are in the project now; the hash is empty where the file cannot be read.
    """

    def __init__(self, project: Project, present: Iterable[tuple[str, str]]) -> None:
        self.project = project
        self._folder = f"{project.images}{os.sep}"
        self._records: dict[str, list[ImportRecord]] = {}
        self._last: dict[str, ImportRecord] = {}
        self._places: dict[tuple[str, int, int], str] = {}
        self._numbers: dict[str, int] = {}
        for record in read_ledger(project):
            self._note(record)
        present = list(present)
        self._here = {sha: name for name, sha in present if sha}
        self._unread = {name for name, sha in present if not sha}
        self._looked_at = {name for name, _ in present}
        self._moves = -1
        self._list()

    def _list(self) -> None:
        """Note what lies in the folders."""
        in_images = [path for path in self.project.images.iterdir() if not path.name.startswith(".")]
        versions = self.project.rejected / VERSIONS
        aside = [path for path in self.project.rejected.rglob("*") if path.is_file() and not path.is_relative_to(versions)]
        self.images = {path.name for path in in_images}
        self._aside: dict[str, list[Path]] = {}
        for path in aside:
            self._aside.setdefault(path.name, []).append(path)
        self._hashes: dict[Path, str] = {}  # a name may stand for another picture since
        self._latents: dict[str, list[Path]] = {}
        for path in in_images:
            if match := LATENTS.fullmatch(path.name):
                self._latents.setdefault(match[1], []).append(path)
        self._captions = {fold(path.stem) for path in in_images if path.suffix == ".txt"}
        self._stems = {fold(path.stem) for path in (*in_images, *aside) if path.suffix not in (".txt", ".json")}

    def look_again(self, moves: int) -> None:
        """Take in what was rejected or put back since the last look. Args: moves: a number that changes with each such move."""
        if moves == self._moves:
            return
        self._moves = moves
        self._list()
        for name in self.images - self._looked_at:
            if Path(name).suffix.lower() in IMAGE_SUFFIXES:
                self._here[self._hash_of(self.project.images / name)] = name
        self._looked_at = set(self.images)
        self._here = {sha: name for sha, name in self._here.items() if sha and name in self.images}

    def hash_at(self, source: str, size: int, mtime_ns: int) -> str | None:
        """The hash of a source file that has not changed since it was imported; saves reading it."""
        sha = self._places.get((source, size, mtime_ns))
        return sha if sha is not None and self.name_of(sha) else None

    def name_of(self, sha: str) -> str | None:
        """The name under which this content is in the project (also put aside); None: it is not there."""
        put_aside = (record.name for record in reversed(self._records.get(sha, [])) if self._is_aside(record))
        return self.image_of(sha) or next(put_aside, None)

    def image_of(self, sha: str) -> str | None:
        """The name under which this content is among the images; None: it is not there, or was put aside.

        Args: sha: of the source file; what was made of it when it came in, and what a person copied or renamed by hand, is found too.
        """
        records = self._records.get(sha, [])
        for content in (sha, *(record.written for record in records)):
            if content in self._here:
                return self._here[content]
        by_name = (record.name for record in reversed(records) if record.name in self.images and self._is_named(record)
                   and (not record.written or record.name in self._unread))
        return next(by_name, None)

    def _is_aside(self, record: ImportRecord) -> bool:
        contents = [self._hash_of(path) for path in self._aside.get(record.name, ())]
        same = any(content and content in (record.sha256, record.written) for content in contents)
        return same or (bool(contents) and self._is_named(record) and (not record.written or "" in contents))

    def _is_named(self, record: ImportRecord) -> bool:
        """Whether no other image got the record's name since: what counts where the content cannot be compared."""
        return self._last[_stem(record)] == record

    def _hash_of(self, path: Path) -> str:
        if path not in self._hashes:
            try:
                self._hashes[path] = sha256(path)
            except OSError:
                self._hashes[path] = ""
        return self._hashes[path]

    def claim(self, sha: str, stem: str, suffix: str) -> str:
        """A file name that is safe and whose stem no other image has; the same as before, unless another image had that name since."""
        for record in reversed(self._records.get(sha, [])):
            before = Path(record.name)
            free = fold(before.stem) not in self._stems and not self._appeared(before.stem, IMAGE_SUFFIXES)
            if free and self._is_named(record) and before.suffix == suffix:
                return record.name
        base = safe_stem(stem)
        number = self._numbers.get(fold(base), 1)
        while self._is_taken(name := base if number == 1 else f"{base}-{number}"):
            number += 1
        self._numbers[fold(base)] = number  # so that thousands of one name are not counted through for each
        return name + suffix

    def _is_taken(self, stem: str) -> bool:
        folded = fold(stem)
        return folded in self._stems or folded in self._captions or self._appeared(stem, (*IMAGE_SUFFIXES, ".txt"))

    def _appeared(self, stem: str, endings: Iterable[str]) -> bool:
        """Whether a person put a file of that name, with one of these endings, there since the import began."""
        return any(os.path.lexists(self._folder + stem + ending) for ending in endings)

    def forget_latents(self, name: str) -> None:
        """Delete what a trainer kept of an earlier image of this name; it is made anew."""
        for path in self._latents.pop(Path(name).stem, []):
            path.unlink(missing_ok=True)

    def record(self, record: ImportRecord) -> None:
        """Note an image, and take its name. Raises: DiskError."""
        _append(self.project, asdict(record))
        self._note(record)
        self._here[record.written] = record.name
        self.images.add(record.name)
        self._looked_at.add(record.name)
        self._stems.add(fold(Path(record.name).stem))

    def note_caption(self, sha: str, name: str, caption: str) -> None:
        """Note the caption that the source has now, for an image that came in before. Args: caption: its revision. Raises: DiskError."""
        record = self.record_of(sha, name)
        if record is not None and record.caption != caption:
            noted = replace(record, caption=caption)
            _append(self.project, asdict(noted))
            self._note(noted)

    def record_of(self, sha: str, name: str) -> ImportRecord | None:
        """The newest record of this content under this name."""
        return next((one for one in reversed(self._records.get(sha, [])) if one.name == name), None)

    def by_stem(self) -> dict[str, list[tuple[str, str, str]]]:
        """The images by their stems, folded, here and at the source: name, SHA-256 as the ledger knows it, source (empty: not known)."""
        contents = {name: sha for sha, name in self._here.items()}
        found: dict[str, list[tuple[str, str, str]]] = {}
        for name in sorted(self.images):
            if Path(name).suffix.lower() not in IMAGE_SUFFIXES:
                continue
            stem, content = fold(Path(name).stem), contents.get(name, "")
            record = self._last.get(stem)
            known = record is not None and record.name == name and record.describes(content)
            sha, source = (record.sha256, record.source) if record is not None and known else (content, "")
            for one in {stem, fold(Path(source).stem)} - {""}:
                found.setdefault(one, []).append((name, sha, source))
        return found

    def _note(self, record: ImportRecord) -> None:
        self._records.setdefault(record.sha256, []).append(record)
        self._last[_stem(record)] = record
        self._places[record.source, record.size, record.mtime_ns] = record.sha256


def _append(project: Project, values: dict[str, Any]) -> None:
    """Add a line to the ledger; a source may have a name that is no UTF-8. Raises: DiskError."""
    append_line(project.hidden / LEDGER_FILE, json.dumps(values, ensure_ascii=False), errors="backslashreplace")


def fold(stem: str) -> str:
    """Equal for names that some file system takes for one: case and Unicode composition do not count."""
    return unicodedata.normalize("NFC", stem).casefold()


def _stem(record: ImportRecord) -> str:
    """What two images of one caption have in common."""
    return fold(Path(record.name).stem)
