"""Names for uploaded files: safe, folders kept apart, a picture and its caption always of one stem."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from core.base.files import safe_stem
from core.dataset.sources import IMPORT_SUFFIXES, WORD_SUFFIXES
from core.dataset.sources.ledger import fold


class UploadNames:
    """Gives each path of the browser one place in the folder, and the same whenever it is asked.

    Two different stems never become one, so that no caption comes beside a picture that is not its own. Paths count as the browser wrote
    them; only a caption that has no picture of just its stem goes to the one whose letters are merely composed otherwise (macOS does so).

    Args:
        folder: where the files go.
        before: paths and names that this upload gave already.
        own: it is the maker's own folder, which is meant by a folder of its name that was dropped as a whole.
    """

    def __init__(self, folder: Path, before: Iterable[tuple[str, str]] = (), own: bool = False) -> None:
        self.folder = folder
        before = list(before)
        self._itself = f"{_composed(folder.name)}/" if own and self._is_meant(before) else ""
        self._folders: dict[tuple[str, ...], str] = {(): ""}
        self._stems: dict[str, tuple[str, str]] = {}  # path without its ending → folder and stem here
        self._owners: dict[tuple[str, str], str] = {}  # the other way round
        self._used: set[tuple[str, str]] = set()  # where a file of this upload lies
        self._pictures: dict[str, set[str]] = {}  # path without its ending, composed → as the browser wrote those of pictures
        self._taken: set[tuple[str, str]] = set()
        self._numbers: dict[tuple[str, str], int] = {}
        self._listed: dict[str, _Listing] = {}
        for path, name in before:
            self._remember(path, name)

    def place(self, path: str) -> str:
        """The name under which this path is stored, inside the folder, with "/"."""
        key, ending = self._key(path)
        at = self._known(key, ending)
        if at is None:
            at = self._first(key, ending)
            self._point(key, ending, at)
        return f"{at[0]}{at[1]}{ending}"

    def other(self, path: str) -> str:
        """Another name for this path and all of its stem: something else lies under the first one."""
        key, ending = self._key(path)
        folder, _ = self._known(key, ending) or (self._folder_of(key), "")
        at = folder, self._fresh(folder, _safe(key))
        self._point(key, ending, at)
        return f"{at[0]}{at[1]}{ending}"

    def candidates(self, path: str, size: int) -> list[str]:
        """Names of files of that size that lie there and may be this very file: under its own name, or with a number. Likely ones first.

        None where another name would part a picture from its caption, or where a caption's own place is free.
        """
        key, ending = self._key(path)
        at = self._known(key, ending)
        folder, stem = at or (self._folder_of(key), _safe(key))
        own = f"{stem}{ending}"
        if (at or _is_caption(ending)) and not os.path.lexists(self.folder / folder / own):
            return []
        written = f"{key.rpartition('/')[2]}{ending}"
        found = [name for name in self._listing(folder).of_size(_safe(key), ending, size)
                 if self._may_be(key, ending, (folder, _stem_of(name, ending)), at or (folder, stem))]
        found.sort(key=lambda name: (at is None or name != own, name != written, len(name), name))
        return [f"{folder}{name}" for name in found]

    def lies(self, path: str, name: str) -> None:
        """Note that this path lies under that name, and all of its stem goes beside it. Args: name: of the path's own ending."""
        key, ending = self._key(path)
        folder, file = _parted(name)
        at = folder, _stem_of(file, ending)
        self._point(key, ending, at)
        self._used.add(at)
        if folder in self._listed:
            self._listed[folder].add(file)

    def _may_be(self, key: str, ending: str, at: tuple[str, str], own: tuple[str, str]) -> bool:
        """Whether a file at that place may be taken for this path. Args: own: the place of the path's stem."""
        if at == own and self._stems.get(key) == own:
            return True
        if self._owners.get(at, key) != key:
            return False
        is_first = key not in self._stems and fold(at[1]) == fold(own[1])
        return is_first or not _is_caption(ending) or not self._listing(at[0]).has_others(at[1])

    def _is_meant(self, before: Iterable[tuple[str, str]]) -> bool:
        """Whether a dropped folder of this folder's name is this folder: not where it has such a subfolder. It stays as it was begun."""
        begin = f"{_composed(self.folder.name)}/"
        depths = [name.count("/") < path.count("/") for path, name in before if _composed(path).startswith(begin)]
        return depths[0] if depths else not (self.folder / self.folder.name).is_dir()

    def _key(self, path: str) -> tuple[str, str]:
        """The path inside the folder as the browser wrote it, parted before the ending."""
        first, slash, rest = path.partition("/")
        inside = rest if slash and f"{_composed(first)}/" == self._itself else path
        ending = cut(inside.rpartition("/")[2])[1]
        return _stem_of(inside, ending), ending

    def _known(self, key: str, ending: str) -> tuple[str, str] | None:
        """Where this stem goes, None where that was not decided yet."""
        if key not in self._stems and _is_caption(ending):
            pictures = self._pictures.get(_composed(key), set())
            if len(pictures) == 1:
                self._stems[key] = self._stems[next(iter(pictures))]
        return self._stems.get(key)

    def _first(self, key: str, ending: str) -> tuple[str, str]:
        """A place for a new stem: not beside a picture that was there before, or its caption would come beside that one."""
        folder, safe = self._folder_of(key), _safe(key)
        here = self._listing(folder).names.get(fold(safe), ())
        if (folder, fold(safe)) in self._taken or (here and f"{safe}{ending}" not in here and not _is_caption(ending)):
            return folder, self._fresh(folder, safe)
        return folder, safe

    def _fresh(self, folder: str, base: str) -> str:
        """The base with a number that nothing has: neither what lies there nor what was given away."""
        number, here = self._numbers.get((folder, fold(base)), 1) + 1, self._listing(folder).names
        while (name := fold(f"{base}-{number}")) in here or (folder, name) in self._taken:
            number += 1
        self._numbers[folder, fold(base)] = number
        return f"{base}-{number}"

    def _point(self, key: str, ending: str, at: tuple[str, str]) -> None:
        """This stem goes there from now on."""
        before = self._stems.get(key)
        if before is not None and before != at and before not in self._used and self._owners.get(before) == key:
            del self._owners[before]
        self._stems[key] = at
        self._owners.setdefault(at, key)
        self._taken.add((at[0], fold(at[1])))
        if _is_picture(ending):
            self._pictures.setdefault(_composed(key), set()).add(key)

    def _listing(self, folder: str) -> _Listing:
        if folder not in self._listed:
            self._listed[folder] = _Listing(self.folder / folder)
        return self._listed[folder]

    def _folder_of(self, key: str) -> str:
        return self._folder(tuple(key.split("/")[:-1]))

    def _folder(self, above: tuple[str, ...]) -> str:
        if above not in self._folders:
            parent = self._folder(above[:-1])
            base = name = safe_stem(above[-1], fallback="folder")
            number = 1
            while (f"{parent}/", fold(name)) in self._taken:
                number += 1
                name = f"{base}-{number}"
            self._taken.add((f"{parent}/", fold(name)))
            self._folders[above] = f"{parent}{name}/"
        return self._folders[above]

    def _remember(self, path: str, name: str) -> None:
        key, ending = self._key(path)
        *above, _ = key.split("/")
        *places, file = name.split("/")
        if len(above) != len(places):
            return
        for depth in range(1, len(above) + 1):
            parent = "".join(f"{part}/" for part in places[:depth - 1])
            self._folders[tuple(above[:depth])] = f"{parent}{places[depth - 1]}/"
            self._taken.add((f"{parent}/", fold(places[depth - 1])))
        at = "".join(f"{part}/" for part in places), _stem_of(file, ending)
        self._point(key, ending, at)
        self._used.add(at)


class _Listing:
    """What lies in a folder: read once, and kept up with what this upload puts there."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.names: dict[str, set[str]] = {}
        """Folded stem → names of files."""
        self._numbered: dict[str, set[str]] = {}  # folded stem without its number → with it
        self._sizes: dict[tuple[str, str], dict[int, list[str]]] = {}
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for path in place.iterdir():
                self.add(path.name)

    def add(self, name: str) -> None:
        """Note a file."""
        stem, ending = cut(name)
        folded = fold(stem)
        names = self.names.setdefault(folded, set())
        if name in names:
            return
        names.add(name)
        match = re.fullmatch(r"(.+)-\d+", folded, re.DOTALL)
        if match:
            self._numbered.setdefault(match[1], set()).add(folded)
        for base in {folded, match[1] if match else folded}:
            if (base, ending) in self._sizes:
                self._note_size(self._sizes[base, ending], name)

    def of_size(self, stem: str, ending: str, size: int) -> list[str]:
        """Files of this size and ending that have this stem, or it with a number."""
        base = fold(stem)
        if (base, ending) not in self._sizes:
            known = self._sizes[base, ending] = {}
            for folded in {base, *self._numbered.get(base, ())}:
                for name in self.names.get(folded, ()):
                    if cut(name)[1] == ending:
                        self._note_size(known, name)
        return list(self._sizes[base, ending].get(size, ()))

    def has_others(self, stem: str) -> bool:
        """Whether anything but captions lies under this stem."""
        return any(not _is_caption(cut(name)[1]) for name in self.names.get(fold(stem), ()))

    def _note_size(self, known: dict[int, list[str]], name: str) -> None:
        with contextlib.suppress(OSError):
            known.setdefault((self.place / name).stat().st_size, []).append(name)


def cut(file: str) -> tuple[str, str]:
    """A file name's stem and ending: a caption's is that of its picture, so "a.jpg.txt" → ("a", ".jpg.txt")."""
    stem, ending = Path(file).stem, Path(file).suffix
    inner = Path(stem).suffix
    if ending.lower() in WORD_SUFFIXES and inner.lower() in IMPORT_SUFFIXES:
        return Path(stem).stem, inner + ending
    return stem, ending


def _is_caption(ending: str) -> bool:
    return Path(f"x{ending}").suffix.lower() in WORD_SUFFIXES


def _is_picture(ending: str) -> bool:
    return ending.lower() in IMPORT_SUFFIXES


def _safe(key: str) -> str:
    return safe_stem(key.rpartition("/")[2])


def _stem_of(name: str, ending: str) -> str:
    return name[:len(name) - len(ending)]


def _parted(name: str) -> tuple[str, str]:
    folder, slash, file = name.rpartition("/")
    return folder + slash, file


def _composed(path: str) -> str:
    """In the composition of letters (NFC) in which names are compared."""
    return unicodedata.normalize("NFC", path)
