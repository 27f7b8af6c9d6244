"""Captions that come once more, for pictures that the project has: nothing is written, they are noted and wait for review."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.base.errors import DatasetError
from core.dataset.captions.files import caption_path_for, read_caption, revision_of
from core.dataset.project import Project
from core.dataset.sources import CAPTION_SUFFIXES, SourceContent, SourceFile
from core.dataset.sources.captions import Words, read_words
from core.dataset.sources.found_captions import read_decisions
from core.dataset.sources.import_report import ImportReport
from core.dataset.sources.ledger import Ledger, PlaceRecord, fold, note_place, read_places
from core.dataset.sources.upload_names import cut


@dataclass
class CaptionsAgain:
    """Notes where else captions of the project's pictures stand, and counts those that are news."""

    project: Project
    ledger: Ledger
    report: ImportReport
    unmatched: list[str] = field(default_factory=list)
    """Captions that fit no picture, as the maker calls them; also what a table says of pictures that are not there."""
    lone: list[str] = field(default_factory=list)
    """Those of them that are files."""

    def __post_init__(self) -> None:
        self._known = {(place.sha256, place.source): place.caption for place in read_places(self.project)}
        self._decided = read_decisions(self.project)

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
        if record is not None and record.source == source:
            if record.caption is None:
                return False  # of an earlier version; the panel goes by the dates
            known: str | None = record.caption
        else:
            known = self._known.get((sha, source), None if differs else revision)
            if (sha, source) not in self._known or (not differs and known != revision):
                known = "" if differs else revision
                self._known[sha, source] = known
                note_place(self.project, PlaceRecord(sha, source, known))
        return differs and revision != known and (source, revision) not in self._decided

    def leave(self, content: SourceContent, captions: Mapping[str, SourceFile]) -> None:
        """Note the captions that stand beside no picture of the source as fitting none. Args: as `alone`."""
        self._leave(content, {name: file.called or name for name, file in strays(content, captions).items()})

    def _leave(self, content: SourceContent, called: Mapping[str, str]) -> None:
        files = {file.name for file in content.captions}
        self.unmatched += called.values()
        self.lone += [words for name, words in called.items() if name in files]

    def alone(self, home: str, content: SourceContent, captions: Mapping[str, SourceFile]) -> None:
        """Match the captions that stand beside no picture of the source with the project's pictures, by their names.

        Args: home: the source, as the ledger's places begin. captions: as `captions_by_name` gives them. Raises: DiskError.
        """
        images, unmatched = None, {}
        for name, file in strays(content, captions).items():
            images = self.ledger.by_stem() if images is None else images
            called = file.called or name
            found = _the_one(called, images)
            if found is None:
                unmatched[name] = called
                continue
            image, sha, _ = found
            place = _beside_which(name, Path(image).suffix)
            words = read_words(captions, place)
            if self.is_news(sha, image, f"{home.rstrip('/')}/{place}", words):
                self.report.differ += 1
            elif words.text:
                self.report.same += 1
            else:
                self.report.skipped += words.problems
        self._leave(content, unmatched)


def strays(content: SourceContent, captions: Mapping[str, SourceFile]) -> dict[str, SourceFile]:
    """The captions that stand beside no picture of the source, one for each name. Args: captions: as `captions_by_name` gives them."""
    beside = {_folder_and_stem(file.name) for file in content.images}
    found: dict[str, SourceFile] = {}
    for name, file in captions.items():
        if not name.startswith("folded:") and name.lower().endswith(CAPTION_SUFFIXES) and _folder_and_stem(name) not in beside:
            beside.add(_folder_and_stem(name))
            found[name] = file
    return found


def _folder_and_stem(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return fold(folder), fold(cut(name)[0])


def _the_one(called: str, images: Mapping[str, list[tuple[str, str, str]]]) -> tuple[str, str, str] | None:
    """The picture that a caption is called like: where several are, the one whose folders are the same, too."""
    folder, stem = _folder_and_stem(called)
    found = images.get(stem, [])
    for depth in range(len(folder.split("/")) if folder else 0):
        tail = "/".join(["", *folder.split("/")[depth:], ""])
        inside = [one for one in found if fold(one[2].rpartition("/")[0] + "/").endswith(tail)]
        if inside:
            found = inside
            break
    return found[0] if len(found) == 1 else None


def _beside_which(caption: str, suffix: str) -> str:
    """The path of the picture that a caption would stand beside."""
    folder, slash, name = caption.rpartition("/")
    stem, ending = cut(name)
    return f"{folder}{slash}{stem}{Path(f'x{ending}').stem[1:] or suffix}"
