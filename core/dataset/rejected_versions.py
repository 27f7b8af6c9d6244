"""Versions of pictures that are put aside: they go along into rejected/.versions/<the picture's stem there>/, and come back with it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from pathlib import Path

from core.dataset.images.variants import REPLACED, owner_of
from core.dataset.project import Project

ROOM = ".versions"
"""Folder in rejected/; each picture has one of its own in it, laid out as variants/ is."""


def versions_by_stem(project: Project, stems: Collection[str]) -> dict[str, list[str]]:
    """Files of variants/ that belong to each picture, also those that were replaced (".replaced/a_upscaled.png"), from its folder on."""
    found: dict[str, list[str]] = {}
    for room in (Path(), Path(REPLACED)):
        place = project.variants / room
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if (owner := owner_of(path.name, stems)) and path.is_file():
                found.setdefault(owner, []).append(str(room / path.name))
    return found


def moves_of_versions(project: Project, stored: str, names: Sequence[str], stems: tuple[str, str] = ("", "")) -> list[tuple[Path, Path]]:
    """Where each version of a picture lies in variants/, and where in rejected/.

    Args: stored: the picture's file name in rejected/. names: as `versions_by_stem`. stems: its stem then, and the one that it has now.
    """
    aside, (old, new) = project.rejected / ROOM / Path(stored).stem, stems
    return [(project.variants / Path(name).parent / (new + Path(name).name[len(old):]), aside / name) for name in names]


def bring_back(project: Project, moves: Sequence[tuple[Path, Path]]) -> None:
    """Versions come back with their picture; nothing is written over. Raises: OSError."""
    for place, aside in moves:
        if aside.exists() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            aside.rename(place)
    tidy(project, moves)


def tidy(project: Project, moves: Sequence[tuple[Path, Path]]) -> None:
    """Take empty folders away."""
    folders = {parent for _, aside in moves for parent in aside.parents if parent.is_relative_to(project.rejected / ROOM)}
    for folder in sorted(folders, reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()
