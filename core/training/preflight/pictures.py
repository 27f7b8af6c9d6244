"""The sizes of the pictures that a run learns from, without decoding one: from the project's index, else from the files' headers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.buckets import Size
from core.base.errors import DatasetError
from core.base.paths import place_of
from core.dataset.images.opening import inspect_image
from core.dataset.items import list_items
from core.dataset.project import Project, project_of_images
from core.training.config.sources import image_files

if TYPE_CHECKING:
    from core.training.config import Subset

SIDEWAYS = range(5, 9)
"""EXIF orientations that change width and height; sd-scripts does not read them."""
CHUNK = 64
"""Headers that a thread reads in one go."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a folder."""

    name: str
    size: Size
    """Width and height as the trainer sees them, px; (0, 0) where the file cannot be opened."""


def pictures_of(subsets: Sequence[Subset]) -> list[list[Picture]]:
    """The pictures of each folder, in the order in which a trainer reads them; none of a folder that is not there.

    Of a project's own images its index is asked, which opens only what is new.

    Raises: DatasetError: the project's folder cannot be read.
    """
    found: dict[Path, list[Picture]] = {}
    for folder in dict.fromkeys(place_of(subset.image_dir) for subset in subsets):
        if not folder.is_dir():
            found[folder] = []
        elif (project := project_of_images(folder)) is not None and folder.resolve() == project.images.resolve():
            found[folder] = _of_index(folder, project)
        else:
            found[folder] = _of_headers(image_files(folder))
    return [found[place_of(subset.image_dir)] for subset in subsets]


def _of_index(folder: Path, project: Project) -> list[Picture]:
    known = {item.name: (item.width, item.height) for item in list_items(project)}
    return [Picture(path.name, known.get(path.name, (0, 0))) for path in image_files(folder)]


def _of_headers(paths: Sequence[Path]) -> list[Picture]:
    """In threads: on a network drive most of the time is waiting."""
    with ThreadPoolExecutor(max(4, 2 * (os.cpu_count() or 1))) as pool:
        return [Picture(path.name, size) for path, size in zip(paths, pool.map(_stored_size, paths, chunksize=CHUNK), strict=True)]


def _stored_size(path: Path) -> Size:
    try:
        facts = inspect_image(path)
    except DatasetError:
        return 0, 0
    return (facts.height, facts.width) if facts.orientation in SIDEWAYS else (facts.width, facts.height)
