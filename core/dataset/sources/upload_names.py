"""Names for uploaded files: safe, folders kept apart, a picture and its caption always of one stem."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from core.base.files import safe_stem
from core.dataset.sources import IMPORT_SUFFIXES, WORD_SUFFIXES
from core.dataset.sources.ledger import fold


class UploadNames:
    """Gives each path of the browser one place in the folder, and the same whenever it is asked.

    Two different stems never become one, so that no caption comes beside a picture that is not its own.

    Args:
        folder: where the files go.
        before: paths and names that this upload gave already.
        own: it is the maker's own folder, which is meant by a folder of its name that was dropped as a whole.
    """

    def __init__(self, folder: Path, before: Iterable[tuple[str, str]] = (), own: bool = False) -> None:
        self.folder = folder
        before = list(before)
        self._itself = f"{unicodedata.normalize('NFC', folder.name)}/" if own and self._is_meant(before) else ""
        self._folders: dict[tuple[str, ...], str] = {(): ""}
        self._stems: dict[tuple[str, str], str] = {}
        self._taken: set[tuple[str, str]] = set()
        self._listed: dict[str, dict[str, set[str]]] = {}
        for path, name in before:
            self._remember(path, name)

    def place(self, path: str) -> str:
        """The name under which this path is stored, inside the folder, with "/"."""
        *above, file = self._clean(path).split("/")
        folder = self._folder(tuple(above))
        stem, ending = cut(file)
        if (folder, stem) not in self._stems:
            safe = safe_stem(stem)
            here = self._here(folder).get(fold(safe), set())
            if here and f"{safe}{ending}" not in here and not _is_caption(ending):
                return self.other(path)  # or its caption would come beside a picture that was there before
            self._stems[folder, stem] = self._free(folder, safe)
        return f"{folder}{self._stems[folder, stem]}{ending}"

    def other(self, path: str) -> str:
        """Another name for this path and all of its stem: something else lies under the first one."""
        *above, file = self._clean(path).split("/")
        folder = self._folder(tuple(above))
        stem, ending = cut(file)
        name, number = f"{safe_stem(stem)}-2", 2
        while (folder, fold(name)) in self._taken or fold(name) in self._here(folder):
            number += 1
            name = f"{safe_stem(stem)}-{number}"
        self._taken.add((folder, fold(name)))
        self._stems[folder, stem] = name
        return f"{folder}{name}{ending}"

    def _is_meant(self, before: Iterable[tuple[str, str]]) -> bool:
        """Whether a dropped folder of this folder's name is this folder: not where it has such a subfolder. It stays as it was begun."""
        begin = f"{unicodedata.normalize('NFC', self.folder.name)}/"
        depths = [name.count("/") < path.count("/") for path, name in before if _clean(path).startswith(begin)]
        return depths[0] if depths else not (self.folder / self.folder.name).is_dir()

    def _clean(self, path: str) -> str:
        return _clean(path).removeprefix(self._itself)

    def _here(self, folder: str) -> dict[str, set[str]]:
        """What lay in a folder when it was first looked at: folded stem → names of files."""
        if folder not in self._listed:
            found: dict[str, set[str]] = {}
            try:
                names = [path.name for path in (self.folder / folder).iterdir()]
            except (FileNotFoundError, NotADirectoryError):
                names = []
            for name in names:
                found.setdefault(fold(cut(name)[0]), set()).add(name)
            self._listed[folder] = found
        return self._listed[folder]

    def _folder(self, above: tuple[str, ...]) -> str:
        if above not in self._folders:
            parent = self._folder(above[:-1])
            self._folders[above] = f"{parent}{self._free(f'{parent}/', safe_stem(above[-1], fallback='folder'))}/"
        return self._folders[above]

    def _free(self, folder: str, base: str) -> str:
        name, number = base, 1
        while (folder, fold(name)) in self._taken:
            number += 1
            name = f"{base}-{number}"
        self._taken.add((folder, fold(name)))
        return name

    def _remember(self, path: str, name: str) -> None:
        *above, file = self._clean(path).split("/")
        *places, _ = name.split("/")
        if len(above) != len(places):
            return
        for depth in range(1, len(above) + 1):
            parent = "".join(f"{part}/" for part in places[:depth - 1])
            self._folders[tuple(above[:depth])] = f"{parent}{places[depth - 1]}/"
            self._taken.add((f"{parent}/", fold(places[depth - 1])))
        folder, (stem, ending) = "".join(f"{part}/" for part in places), cut(file)
        given = name[len(folder):len(name) - len(ending)]
        self._stems[folder, stem] = given
        self._taken.add((folder, fold(given)))


def cut(file: str) -> tuple[str, str]:
    """A file name's stem and ending: a caption's is that of its picture, so "a.jpg.txt" → ("a", ".jpg.txt")."""
    stem, ending = Path(file).stem, Path(file).suffix
    inner = Path(stem).suffix
    if ending.lower() in WORD_SUFFIXES and inner.lower() in IMPORT_SUFFIXES:
        return Path(stem).stem, inner + ending
    return stem, ending


def _is_caption(ending: str) -> bool:
    return Path(f"x{ending}").suffix.lower() in WORD_SUFFIXES


def _clean(path: str) -> str:
    """In the composition of letters (NFC) in which names are compared."""
    return unicodedata.normalize("NFC", path)
