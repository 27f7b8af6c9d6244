"""What lies beside the files that a project's images were imported from: read again, never touched."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.base.errors import DatasetError
from core.dataset.captions.files import one_line
from core.dataset.images.files import stem_of
from core.dataset.index import CaptionMark, Index
from core.dataset.items import Skipped
from core.dataset.project import Project
from core.dataset.scanning import is_settled
from core.dataset.sources import ARCHIVE_SUFFIXES, CAPTION_SUFFIXES, SourceContent, SourceFile, is_junk, is_table
from core.dataset.sources.archive import texts_of_zip
from core.dataset.sources.captions import captions_by_name
from core.dataset.sources.ledger import fold
from core.dataset.sources.upload import record_at


@dataclass(frozen=True)
class Home:
    """A source whose files lie on this machine."""

    place: str
    """As the project and the ledger call it."""
    folder: Path
    """Or the archive."""

    @property
    def begin(self) -> str:
        """How the ledger's names of its files begin; what follows is their path inside it."""
        return self.place.rstrip("/") + "/"


def homes_of(project: Project, more: Sequence[str] = ()) -> tuple[list[Home], list[str]]:
    """The project's sources that can be looked into: folders, uploads and archives, the innermost first. Addresses are none.

    Args: more: sources that the project does not name yet. Returns: also those that are not there now, a drive that is not mounted, say.
    """
    homes, gone = [], []
    for place in dict.fromkeys((*project.info().sources, *more)):
        path = Path(place)
        if not path.is_absolute():
            continue
        record = record_at(project, place)
        folder = record.folder() if record is not None else path
        if folder is not None and (folder.is_dir() or (record is None and folder.is_file())):
            homes.append(Home(place, folder))
        elif path.suffix.lower() not in ARCHIVE_SUFFIXES and not (record.path if record is not None else path).is_file():
            gone.append(place)
    return sorted(homes, key=lambda home: -len(home.place)), gone


def file_names(homes: Sequence[Home]) -> Callable[[str], str]:
    """Turns the ledger's name of a file into that of the file itself: what was uploaded into one's own folder has two in the ledger."""
    begins = [(home.begin, f"{home.folder}/") for home in homes]

    def file_of(place: str) -> str:
        return next((folder + place[len(begin):] for begin, folder in begins if place.startswith(begin)), place)
    return file_of


@dataclass
class Beside:
    """The captions of one source, those that stand beside the images that are asked for."""

    captions: dict[str, SourceFile] = field(default_factory=dict)
    """As `read_words` takes them."""
    texts: dict[str, str] = field(default_factory=dict)
    """Name of a caption file → its text in one line, where it is UTF-8: most need not be read a second time."""
    changed: dict[str, int] = field(default_factory=dict)
    """Name of a caption file → when its content changed, in ns."""
    skipped: list[Skipped] = field(default_factory=list)
    """What could not be read."""
    closed: list[str] = field(default_factory=list)
    """Archives that are not looked into."""


class SourceTexts:
    """Reads captions of sources; one whose times and size are those in the index is not read again: a source may lie on a slow drive."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known = index.source_captions()
        self._seen: set[str] = set()
        self._fresh: list[tuple[str, CaptionMark, str]] = []

    def look(self, home: Home, images: list[str]) -> Beside:
        """What lies beside these images. Args: images: their paths inside the source."""
        found, content = Beside(), SourceContent()
        wanted: dict[str, set[str]] = {}
        for image in images:
            folder, _, name = image.rpartition("/")
            wanted.setdefault(folder, set()).update((fold(stem_of(name)), fold(name)))
        for above in {parent for folder in wanted for parent in _parents(folder)}:
            wanted.setdefault(above, set())
        archives: dict[Path, str] = {}
        for folder, stems in sorted(wanted.items()):
            try:
                self._list(home.folder / folder, f"{folder}/" if folder else "", stems, content, found)
            except NotADirectoryError:
                archives.update(_archive_in(home.folder, folder))
            except OSError as error:
                if stems:
                    found.skipped.append(Skipped(str(home.folder / folder), f"The folder cannot be read ({error.strerror})."))
        for archive, inside in archives.items():
            self._list_archive(archive, inside, wanted, content, found)
        found.captions, problems = captions_by_name(content)
        found.skipped += problems
        return found

    def remember(self, all_seen: bool) -> None:
        """Keep what was read now. Args: all_seen: every source was there, so that what was not seen is gone."""
        self._index.remember_source_captions(self._fresh, gone=self._known.keys() - self._seen if all_seen else ())

    def _list(self, folder: Path, inside: str, stems: set[str], content: SourceContent, found: Beside) -> None:
        """Sort a folder's files. Args: inside: its path in the source. stems: of images with captions here; empty: only tables count."""
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if is_junk(name) or not entry.is_file():  # as in an import; a pipe would never end
                    continue
                if is_table(name):
                    content.tables.append(SourceFile(inside + name, Path(entry.path)))
                elif name.lower().endswith(CAPTION_SUFFIXES) and fold(stem_of(name)) in stems:
                    content.captions.append(self._file(entry, inside + name, folder, found))

    def _list_archive(self, archive: Path, inside: str, stems: dict[str, set[str]], content: SourceContent, found: Beside) -> None:
        """Sort what lies in a zip. Args: inside: its path in the source, with "/", or "". stems: by folder, as `_list` takes them."""
        def wanted(name: str) -> bool:
            folder, _, file = f"{inside}{name}".rpartition("/")
            is_caption = file.lower().endswith(CAPTION_SUFFIXES) and fold(stem_of(file)) in stems.get(folder, ())
            return not is_junk(name) and (is_caption or (is_table(file) and folder in stems))

        try:
            if not zipfile.is_zipfile(archive):
                found.closed.append(str(archive))
                return
            changed = archive.stat().st_mtime_ns
            for name, data in texts_of_zip(archive, wanted):
                file = SourceFile(f"{inside}{name}", archive, data=data)
                content.add(file)
                found.changed[file.name] = changed
                with contextlib.suppress(UnicodeError):
                    found.texts[file.name] = one_line(data.decode("utf-8"))
        except (DatasetError, OSError) as error:
            found.skipped.append(Skipped(str(archive), str(error)))

    def _file(self, entry: os.DirEntry[str], name: str, folder: Path, found: Beside) -> SourceFile:
        """A caption file with its content, where that can be read; where not, `read_words` says why."""
        self._seen.add(entry.path)
        try:
            facts = entry.stat()
            found.changed[name] = facts.st_mtime_ns
            mark = facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size
            known = self._known.get(entry.path)
            if known is not None and known[0] == mark:
                found.texts[name] = one_line(known[1])
                return SourceFile(name, folder, data=known[1].encode("utf-8"))
            settled = is_settled(max(mark[0], mark[1]))  # asked before it is read
            data = Path(entry.path).read_bytes()
        except OSError:
            return SourceFile(name, Path(entry.path))
        try:
            text = data.decode("utf-8")
            entry.path.encode("utf-8")
        except UnicodeError:  # neither such a text nor such a name can be kept
            return SourceFile(name, folder, data=data)
        found.texts[name] = one_line(text)
        if settled:
            self._fresh.append((entry.path, mark, text))
        return SourceFile(name, folder, data=data)


def _archive_in(home: Path, folder: str) -> dict[Path, str]:
    """The file that stands where a folder should be, with its path in the source as names inside it begin; none where there is none."""
    for inside in [folder, *_parents(folder)]:
        if (place := home / inside).is_file():
            return {place: f"{inside}/" if inside else ""}
    return {}


def _parents(folder: str) -> Iterator[str]:
    """The folders above one, up to the source itself ("")."""
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder
