"""What a person finds when looking for pictures on this machine: the usual places, and what lies in a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from core.base.paths import projects_dir
from core.dataset.images.files import natural_name_key
from core.dataset.sources import CAPTION_SUFFIXES, IMPORT_SUFFIXES, is_junk

DRIVE = Path("/content/drive/MyDrive")
"""Where Google Drive lies on Colab once it is mounted."""
READABLE = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".cbz")
MOST = 20_000
"""Entries of a folder that are looked at."""


@dataclass
class Listing:
    """What lies in a folder."""

    folder: Path
    folders: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    images: int = 0
    captions: int = 0
    more: bool = False
    """Whether there are more entries than were looked at."""
    problem: str = ""
    """Why it could not be read; empty when it could."""

    def sentence(self) -> str:
        """The contents in one line."""
        if self.problem:
            return self.problem
        counts = [(self.images, "pictures"), (self.captions, "captions"), (len(self.folders), "folders"), (len(self.archives), "archives")]
        words = ", ".join(f"{count} {name[:-1] if count == 1 else name}" for count, name in counts if count) or "nothing to import"
        return f"{'More than ' if self.more else ''}{words}."


def known_places() -> list[tuple[str, Path]]:
    """Places to begin at, by name; only those that are there."""
    found = [("Google Drive", DRIVE), ("Home", Path.home()), ("Projects", projects_dir()), ("Colab", Path("/content")),
             ("Workspace", Path("/workspace")), ("Kaggle", Path("/kaggle/input")), ("Data", Path("/data")), ("Whole machine", Path("/"))]
    return [(name, place) for name, place in found if place.is_dir()]


def drive_hint(on_colab: bool) -> str:
    """How pictures on Google Drive are reached; empty where it is mounted, and outside of Colab."""
    if not on_colab or DRIVE.is_dir():
        return ""
    return (f"Google Drive is not mounted: choose Google Drive under From and connect it, or write KEEP_ON_DRIVE = True into the "
            f"first cell and run it again. Then it is the folder {DRIVE}.")


def list_folder(folder: Path) -> Listing:
    """Folders and archives to go on with, and how many pictures lie here. One that cannot be read says why."""
    listing = Listing(folder.resolve())
    try:
        with os.scandir(listing.folder) as entries:
            for entry in islice(entries, MOST):
                if not is_junk(entry.name):
                    _note(listing, entry)
            listing.more = next(entries, None) is not None
    except OSError as error:
        listing.problem = f"{listing.folder} cannot be read ({error.strerror})."
    listing.folders.sort(key=natural_name_key)
    listing.archives.sort(key=natural_name_key)
    return listing


def _note(listing: Listing, entry: os.DirEntry[str]) -> None:
    name = entry.name.lower()
    try:
        is_folder = entry.is_dir()
    except OSError:
        return
    if is_folder:
        listing.folders.append(entry.name)
    elif name.endswith(READABLE):
        listing.archives.append(entry.name)
    elif name.endswith(IMPORT_SUFFIXES):
        listing.images += 1
    elif name.endswith(CAPTION_SUFFIXES):
        listing.captions += 1
