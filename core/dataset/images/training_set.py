"""The folder that a training learns from where pictures have versions: the best one of each, held fast, with its caption and its mask.

    variants/.trained/<mark>/images/girl.png      the very file of variants/girl_upscaled.png (a hard link)
                             images/girl.txt  ->  ../../../../images/girl.txt
                             masks_<mark>/girl.png   white where nothing is masked: a trainer wants one for every picture, stored as it is

The mark stands for the choice of files with their sizes and times, and pictures are hard links (copies where there can be none): every
change in Lorabook writes a new file, so that a folder that was prepared shows the same pictures for good, whatever is replaced, taken
back or deleted while a training works. Captions are followed on purpose. What a trainer keeps beside the pictures (latents) serves every
later training of the same choice, and is taken over into the next choice for every picture that is the same there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import DatasetError, DiskError
from core.base.files import FileMark, explain_disk_errors, file_mark, write_bytes
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.dataset.images.framing_of import fitting_mask
from core.dataset.images.learnable import Learnable, learnable
from core.dataset.images.mask_files import lies_as, mask_png
from core.dataset.images.masks import empty_mask
from core.dataset.images.not_worked_on import not_worked_on
from core.dataset.images.opening import inspect_image
from core.dataset.images.variants import Variant, owner_of
from core.dataset.items import ImageItem, list_items
from core.dataset.parallel import bounded_map
from core.dataset.project import Project

TRAINED = ".trained"
"""Folder in variants/ with the folders that were learned from."""
FORGOTTEN_AFTER = 3600.0
"""Seconds after which a folder that no run names is deleted; it holds links, copies and caches only."""
CACHE = ".npz"
"""What sd-scripts keeps beside a picture: latents and the text encoder's outputs."""
COARSEST_TIME = 2_000_000_000
"""Nanoseconds: file systems keep the time of a copy as exactly as this."""


@dataclass(frozen=True)
class TrainingSet:
    """What a training learns from."""

    images: Path
    masks: Path | None
    """None: no masks were asked for, or no picture has one."""
    replaced: int
    """How many pictures are learned as a version of theirs."""
    masked: int
    """How many have a mask."""


def training_set(project: Project, masks: bool = False, progress: Progress = SILENT, alone: bool = False) -> TrainingSet | None:
    """The folder for the pictures as they are now; it is made, or brought up to date. None: the pictures themselves are learned.

    Args:
        masks: whether masks are wanted.
        alone: for what lasts: no tool may be making versions. A look takes what there is at this moment.

    Raises: DatasetError: the project cannot be read, a mask cannot, or versions are being made; DiskError; Cancelled.
    """
    if not project.variants.is_dir():
        return None
    with not_worked_on(project, "no training was begun") if alone else contextlib.nullcontext():
        items = {item.id: item for item in list_items(project)}
        chosen = learnable(project, items.values(), masks)
        if not chosen.best and not chosen.masks:
            return None
        sources = {stem: _source(project, item, chosen) for stem, item in items.items()}
        marks = {stem: file_mark(source) for stem, source in sources.items()}
        folder = project.variants / TRAINED / _mark(f"{stem}\t{sources[stem].name}\t{marks[stem]}" for stem in items)
        mask_folder = folder / f"masks_{_mark(_mask_lines(project, chosen.masks))}" if chosen.masks else None
        with explain_disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            os.utime(folder)
            with waited_for(folder.parent / ".lock", progress):
                is_new = not (folder / "images").exists()
                (folder / "images").mkdir(exist_ok=True)
                _hold_images(items, sources, marks, folder / "images")
                if is_new:
                    _take_caches_over(project, sources, marks, folder)
                if mask_folder is not None:
                    _write_masks(project, items, sources, chosen.masks, mask_folder, progress)
                _forget_old(project, folder)
    return TrainingSet(folder / "images", mask_folder, len(chosen.best), len(chosen.masks))


def is_training_set(folder: Path, project: Project) -> bool:
    """Whether a folder is one of those, or the masks of one."""
    return folder.parent.parent == project.variants / TRAINED


def _source(project: Project, item: ImageItem, chosen: Learnable) -> Path:
    return project.variants / chosen.best[item.id].name if item.id in chosen.best else item.path


def _mask_lines(project: Project, masked: Mapping[str, Variant]) -> Iterator[str]:
    return (f"{stem}\t{mask.name}\t{file_mark(project.variants / mask.name)}" for stem, mask in masked.items())


def _mark(lines: Iterable[str]) -> str:
    """Names a choice: which file stands for each picture, or which masks there are, with their sizes and times."""
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _hold_images(items: Mapping[str, ImageItem], sources: Mapping[str, Path], marks: Mapping[str, FileMark | None],
                 folder: Path) -> None:
    """Pictures that stay as they are, and links to their captions. What is no longer wanted goes, caches of the trainers stay.

    Raises: DatasetError: a picture changed at this very moment.
    """
    captions = {item.caption_name: item.caption_path for item in items.values() if item.caption_path.is_file()}
    for path in list(folder.iterdir()):
        if path.name not in captions and path.suffix == ".txt":
            path.unlink()
    for name, source in captions.items():
        _link(folder / name, source)
    for stem, source in sources.items():
        _hold(folder / f"{stem}{source.suffix}", source, marks[stem])


def _hold(place: Path, source: Path, mark: FileMark | None) -> None:
    """A hard link, which stays what it is when its source is replaced or deleted; a copy where that cannot be."""
    there = file_mark(place)
    if there is not None and mark is not None and there[0] == mark[0] and abs(there[1] - mark[1]) <= COARSEST_TIME:
        return
    with contextlib.suppress(FileNotFoundError):
        place.unlink()  # half a copy
    if mark is None:
        _link(place, source)  # it cannot be looked at: whoever reads it says so
        return
    with contextlib.suppress(FileNotFoundError):  # told of below
        try:
            os.link(source.resolve(), place)  # of a link: the file that it leads to
        except OSError:
            shutil.copy2(source, place)
    if file_mark(source) != mark:
        place.unlink(missing_ok=True)
        raise DatasetError(f"{source.name} was changed at this very moment.", "Try again.")


def _take_caches_over(project: Project, sources: Mapping[str, Path], marks: Mapping[str, FileMark | None], folder: Path) -> None:
    """What trainers keep of pictures that are the same in another set, or in images/: one changed picture costs its own latents only."""
    others = [one for one in folder.parent.iterdir() if one.is_dir() and one != folder]
    newest_first = sorted(others, key=lambda one: one.stat().st_mtime_ns, reverse=True)
    for place in (*(one / "images" for one in newest_first), project.images):
        with contextlib.suppress(OSError):  # it is forgotten at this moment; what is not taken over is made anew
            caches = {path: owner_of(path.name, sources.keys()) for path in place.iterdir() if path.suffix == CACHE}
            same = {stem for stem in {*caches.values()} - {""}
                    if marks[stem] is not None and file_mark(place / f"{stem}{sources[stem].suffix}") == marks[stem]}
            for path, stem in caches.items():
                if stem in same and not (folder / "images" / path.name).exists():
                    os.link(path, folder / "images" / path.name)


def _link(place: Path, source: Path) -> None:
    """A link where the file system has them, else a copy that is made anew when its source changed."""
    target = os.path.relpath(source, place.parent)
    if place.is_symlink() and str(place.readlink()) == target:
        return
    if place.is_symlink():
        place.unlink()
    elif place.exists():
        if file_mark(place) == file_mark(source):
            return
        place.unlink()
    try:
        place.symlink_to(target)
    except OSError:
        shutil.copy2(source, place)


def _write_masks(project: Project, items: Mapping[str, ImageItem], sources: Mapping[str, Path], masked: Mapping[str, Variant],
                 folder: Path, progress: Progress) -> None:
    folder.mkdir(exist_ok=True)

    def write(item: ImageItem) -> None:
        place, source = folder / f"{item.id}.png", sources[item.id]
        if place.is_file() and lies_as(place, source):
            return
        facts = inspect_image(source)
        size = (facts.width, facts.height)
        mask = fitting_mask(project.variants / masked[item.id].name, source, item, size) if item.id in masked else empty_mask(size, 255)
        write_bytes(place, mask_png(mask, facts.orientation))

    missing = [item for item in items.values() if item.width]
    progress.start("Preparing the masks", len(missing))
    for item, outcome in bounded_map(write, missing):
        if isinstance(outcome, DiskError):
            raise outcome
        if isinstance(outcome, DatasetError):
            raise DatasetError(f"The mask of {item.name} cannot be used: {outcome.message}", outcome.hint or "Draw it anew.")
        progress.advance(item.name)


def prepared_sets(project: Project) -> list[Path]:
    """The folders that trainings learned from. Raises: OSError: they cannot be listed."""
    folder = project.variants / TRAINED
    return sorted(one for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


def unnamed_sets(project: Project, sets: Sequence[Path]) -> list[Path]:
    """Those of these folders that no run names any more; none, where it cannot be known what a run names."""
    try:
        named = "\n".join(_texts(project.runs)) if sets else ""
    except OSError:
        return []
    return [folder for folder in sets if folder.name not in named]


def _forget_old(project: Project, present: Path) -> None:
    """Delete the folders that no run names any more."""
    old = []
    for folder in prepared_sets(project):
        with contextlib.suppress(OSError):
            if folder != present and time.time() - folder.stat().st_mtime > FORGOTTEN_AFTER:
                old.append(folder)
    for folder in unnamed_sets(project, old):
        shutil.rmtree(folder, ignore_errors=True)


def _texts(runs: Path) -> Iterator[str]:
    """Every TOML file of the runs, at any depth. Raises: OSError: one of them, or a folder, cannot be read."""
    def fail(error: OSError) -> None:
        raise error

    seen = set()
    for place, folders, files in os.walk(runs, onerror=fail, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        for name in files:
            if name.endswith(".toml"):
                yield Path(place, name).read_text(encoding="utf-8", errors="replace")
