"""Captions that stand beside no picture of their part of a source.

For pictures that come with the same import they are brought, where captions and pictures stand in folders or archives of their own;
otherwise those that fit a picture wait for review, and the rest is named.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.base.errors import DatasetError
from core.dataset.captions.files import caption_path_for, read_caption, revision_of
from core.dataset.items import Skipped
from core.dataset.project import Project
from core.dataset.sources import CAPTION_SUFFIXES, SIDECAR_SUFFIX, SourceContent, SourceFile
from core.dataset.sources.beside import file_names, homes_of
from core.dataset.sources.captions import Words, read_words, sidecars_of, texts_of
from core.dataset.sources.found_captions import read_decisions
from core.dataset.sources.import_report import ImportReport
from core.dataset.sources.ledger import Ledger, PlaceRecord, fold, note_place, read_places
from core.dataset.sources.sidecars import caption_of_json
from core.dataset.sources.upload_names import cut

NO_CAPTIONS = ("readme", "license", "licence", "notice", "changelog", "credits")
"""Text files that are none, by their stems in small letters."""
NOT_REVIEWED = ("Its caption was not taken: {image} is in the project. Captions in .json files and archives come with new pictures only; "
                "as a .txt file it is shown for review.")


@dataclass(frozen=True)
class Stray:
    """A caption that stands beside no picture."""

    file: SourceFile
    words: Words | None
    """None: of a .json file, which is only read where its picture is found."""
    again: bool
    """Whether its source can be looked at again later."""
    is_file: bool
    """Whether it is a file of its own, not a row of a table."""
    apart: bool
    """Whether no picture stands in its folder: else it is one of that folder's own, whose picture is missing."""

    @property
    def called(self) -> str:
        """Its path as the maker knows it."""
        return self.file.called or self.file.name


@dataclass
class CaptionsAgain:
    """Gathers captions that stand beside no picture, finds the picture of each, and counts those that are news."""

    project: Project
    ledger: Ledger
    report: ImportReport
    home: str
    """The source, as the ledger's places begin."""
    unmatched: list[Skipped] = field(default_factory=list)
    """Captions that fit no picture, as the maker calls them; also what a table says of pictures that are not there."""
    lone: list[Skipped] = field(default_factory=list)
    """Those of them that are files."""
    _strays: list[Stray] = field(default_factory=list)
    _captioned: set[str] = field(default_factory=set)
    """Folders of the source, in the ledger's words, in which captions stand."""

    def __post_init__(self) -> None:
        self._known = {(place.sha256, place.source): place.caption for place in read_places(self.project)}
        homes, _ = homes_of(self.project, more=[self.home])
        self._file_of, self._decided = file_names(homes), read_decisions(self.project, homes)

    def is_news(self, sha: str, image: str, source: str, words: Words) -> bool:
        """Note that a picture, or a caption that fits it, stands there too. Returns: whether its caption is to be reviewed.

        Args: sha: of the picture, as the ledger knows it. source: the place in the ledger's words. Raises: DiskError.
        """
        try:
            present = read_caption(caption_path_for(self.project.images / image)).text or ""
        except DatasetError:
            return False
        revision = revision_of(words.text.encode("utf-8")) if words.text else ""
        differs = bool(words.text) and words.text != present
        record = self.ledger.record_of(sha, image)
        if record is not None and self._file_of(record.source) == self._file_of(source):
            if record.caption is None:
                return False  # of an earlier version; the panel goes by the dates
            known: str | None = record.caption
        else:
            known = self._known.get((sha, source), None if differs else revision)
            if (sha, source) not in self._known or (not differs and known != revision):
                known = "" if differs else revision
                self._known[sha, source] = known
                note_place(self.project, PlaceRecord(sha, source, known))
        return differs and revision != known and (self._file_of(source), revision) not in self._decided

    def left_json(self, sha: str, image: str, words: Words) -> list[Skipped]:
        """A caption in a .json file that is news for a picture that has another one, to be named: nobody looks there later."""
        record = self.ledger.record_of(sha, image)
        known = record.caption if record is not None else None
        if not words.text or known == revision_of(words.text.encode("utf-8")) or self._has(image, words):
            return []
        return [Skipped(words.name, NOT_REVIEWED.format(image=image))]

    def gather(self, content: SourceContent, captions: Mapping[str, SourceFile], again: bool) -> None:
        """Take in the captions that stand beside no picture of this part: its own pictures, and those that it skipped, have theirs.

        Args: captions: as `captions_by_name` gives them. again: whether the source can be looked at again later.
        """
        pictures = [*(file.name for file in content.images), *(one.name for one in content.skipped)]
        taken = {file.name for name in pictures for file in (*texts_of(captions, name), *sidecars_of(captions, name))}
        files, folders = {file.name for file in content.captions}, {_folder(file.name) for file in content.images}
        self._captioned |= {_folder(self._place(file.name)) for file in captions.values()}
        for name, file in {file.name: file for file in captions.values()}.items():
            if name in taken or file.fetch is not None or not name.lower().endswith(CAPTION_SUFFIXES):
                continue
            if Path(file.called or name).stem.casefold() in NO_CAPTIONS:
                self._count_other(Path(name).suffix.lower(), 1)
            else:
                words = read_words(captions, _beside_which(name, ".png"))
                self._strays.append(Stray(file, words, again, name in files, _folder(name) not in folders))
        self._strays += [Stray(file, None, again, True, _folder(file.name) not in folders) for file in content.sidecars
                         if again and file.name not in taken]

    def conclude(self, bring: Callable[[Words, str], bool]) -> None:
        """Find the pictures of what was gathered, when all parts of the source came in.

        Args: bring: writes a caption for a picture that came with this import, and says whether it did. Raises: DiskError.
        """
        images = self._by_stem() if self._strays else {}
        new, done = {image.name for image in self.report.imported}, set[tuple[str, str]]()
        for stray in self._strays:
            found, key = _likely(stray.called, images), _folder_and_stem(stray.file.name)
            if len(found) != 1:
                self._leave(stray, found)
            elif key not in done or stray.words is None:
                done.add(key)
                self._take(stray, found[0], new, bring)

    def _by_stem(self) -> dict[str, list[tuple[str, str, str]]]:
        """As `Ledger.by_stem`, also by the names under which pictures that were there came once more."""
        images = self.ledger.by_stem()
        for place in read_places(self.project):
            image, stem = self.ledger.image_of(place.sha256), fold(Path(place.source).stem)
            if image is not None and all(image != name for name, _, _ in images.get(stem, [])):
                images.setdefault(stem, []).append((image, place.sha256, place.source))
        return images

    def _take(self, stray: Stray, picture: tuple[str, str, str], new: Collection[str], bring: Callable[[Words, str], bool]) -> None:
        """One whose picture was found. Args: picture: as in `Ledger.by_stem`."""
        image, sha, source = picture
        words, place = stray.words or _words_of_json(stray.file), self._place(_beside_which(stray.file.name, Path(image).suffix))
        if image in new and stray.apart and _folder(source) not in self._captioned and bring(words, image):
            if stray.words is None:
                self._count_other(SIDECAR_SUFFIX, -1)
            elif stray.again:
                self.is_news(sha, image, place, words)  # it is none, and that is noted: what is edited later is no news at the source
            return
        if stray.words is None or not stray.again:
            if words.text and not self._has(image, words):
                self.report.skipped.append(Skipped(stray.called, NOT_REVIEWED.format(image=image)))
                self._count_other(SIDECAR_SUFFIX, -1 if stray.words is None else 0)
        elif self.is_news(sha, image, place, words):
            self.report.differ += 1
        elif words.text:
            self.report.same += 1
        else:
            self.report.skipped += words.problems

    def _place(self, name: str) -> str:
        return f"{self.home.rstrip('/')}/{name}"

    def _count_other(self, ending: str, number: int) -> None:
        """Files that are neither pictures nor captions, as the report counts them."""
        self.report.others[ending] = self.report.others.get(ending, 0) + number
        if self.report.others[ending] <= 0:
            del self.report.others[ending]

    def _has(self, image: str, words: Words) -> bool:
        try:
            return read_caption(caption_path_for(self.project.images / image)).text == words.text
        except DatasetError:
            return False

    def _leave(self, stray: Stray, found: Sequence[tuple[str, str, str]]) -> None:
        if stray.words is None:
            return  # it may be anything
        several = ", ".join(name for name, _, _ in found[:3])
        reason = f"It is a caption, and several pictures are called like it: {several}." if found else \
            "It is a caption, and no picture is called like it."
        self.unmatched.append(Skipped(stray.called, reason))
        self.lone += self.unmatched[-1:] if stray.is_file else []


def _words_of_json(file: SourceFile) -> Words:
    try:
        return Words(caption_of_json(file), file.name)
    except (DatasetError, OSError) as error:
        return Words(problems=(Skipped(file.name, str(error)),))


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _folder_and_stem(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return fold(folder), fold(cut(name)[0])


def _likely(called: str, images: Mapping[str, list[tuple[str, str, str]]]) -> list[tuple[str, str, str]]:
    """The pictures that a caption is called like: where several are, those whose folders are the same, too."""
    folder, stem = _folder_and_stem(called)
    found = images.get(stem, [])
    for depth in range(len(folder.split("/")) if folder else 0):
        tail = "/".join(["", *folder.split("/")[depth:], ""])
        inside = [one for one in found if fold(one[2].rpartition("/")[0] + "/").endswith(tail)]
        if inside:
            return inside
    return found


def _beside_which(caption: str, suffix: str) -> str:
    """The path of the picture that a caption would stand beside."""
    folder, slash, name = caption.rpartition("/")
    stem, ending = cut(name)
    return f"{folder}{slash}{stem}{Path(f'x{ending}').stem[1:] or suffix}"
