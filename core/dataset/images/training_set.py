"""The folder that a training learns from where pictures have versions: the best one of each, linked, with its caption and its mask.

    variants/.trained/<mark>/images/girl.png  -> ../../../girl_upscaled.png
                             images/girl.txt  -> ../../../../images/girl.txt
                             masks_<mark>/girl.png   white where nothing is masked: a trainer wants one for every picture

Nothing is copied where links are possible. The mark stands for the choice of versions, so that a training that works meanwhile keeps its
own folder, and what a trainer keeps beside the pictures (latents) serves every later training of the same choice.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import DatasetError, DiskError
from core.base.files import explain_disk_errors, write_bytes
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.dataset.images.masks import empty_mask, read_mask
from core.dataset.images.opening import inspect_image
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.variants import Variant, best_of, list_variants
from core.dataset.items import ImageItem, list_items
from core.dataset.parallel import bounded_map
from core.dataset.project import Project

TRAINED = ".trained"
"""Folder in variants/ with the folders that were learned from."""
FORGOTTEN_AFTER = 3600.0
"""Seconds after which a folder that no run names is deleted; it holds links and caches only."""


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


def training_set(project: Project, masks: bool = False, progress: Progress = SILENT) -> TrainingSet | None:
    """The folder for the pictures as they are now; it is made, or brought up to date. None: the pictures themselves are learned.

    Args: masks: whether masks are wanted. Raises: DatasetError: the project cannot be read, or a mask cannot; DiskError; Cancelled.
    """
    if not project.variants.is_dir():
        return None
    items = {item.id: item for item in list_items(project)}
    chosen: dict[str, Variant] = {}
    masked: dict[str, Variant] = {}
    for stem, variants in list_variants(project, items.keys()).items():
        if (best := best_of(variants)) is not None:
            chosen[stem] = best
        if masks and (mask := next((one for one in variants if one.kind == "mask" and not one.label), None)) is not None:
            masked[stem] = mask
    if not chosen and not masked:
        return None
    files = (f"{stem}\t{chosen[stem].name if stem in chosen else item.name}" for stem, item in items.items())
    folder = project.variants / TRAINED / _mark(files)
    mask_folder = folder / f"masks_{_mark(_mask_lines(project, masked))}" if masked else None
    with explain_disk_errors(folder):
        (folder / "images").mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        with waited_for(folder.parent / ".lock", progress):
            _link_images(project, items, chosen, folder / "images")
            if mask_folder is not None:
                _write_masks(project, items, chosen, masked, mask_folder, progress)
            _forget_old(project, folder)
    return TrainingSet(folder / "images", mask_folder, len(chosen), len(masked))


def is_training_set(folder: Path, project: Project) -> bool:
    """Whether a folder is one of those, or the masks of one."""
    return folder.parent.parent == project.variants / TRAINED


def _mask_lines(project: Project, masked: Mapping[str, Variant]) -> Iterator[str]:
    for stem, mask in masked.items():
        with contextlib.suppress(OSError):
            facts = (project.variants / mask.name).stat()
            yield f"{stem}\t{mask.name}\t{facts.st_mtime_ns}\t{facts.st_size}"


def _mark(lines: Iterable[str]) -> str:
    """Names a choice: which file stands for each picture, or which masks there are, with their times."""
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _link_images(project: Project, items: Mapping[str, ImageItem], chosen: Mapping[str, Variant], folder: Path) -> None:
    """Links to pictures and captions; what is no longer wanted goes, caches of the trainers stay."""
    wanted: dict[str, Path] = {}
    for stem, item in items.items():
        source = project.variants / chosen[stem].name if stem in chosen else item.path
        wanted[f"{stem}{source.suffix}"] = source
        if item.caption_path.is_file():
            wanted[item.caption_name] = item.caption_path
    for path in list(folder.iterdir()):
        if path.name not in wanted and (path.is_symlink() or path.suffix == ".txt"):
            path.unlink()
    for name, source in wanted.items():
        _link(folder / name, source)


def _link(place: Path, source: Path) -> None:
    """A link where the file system has them, else a copy that is made anew when its source changed."""
    target = os.path.relpath(source, place.parent)
    if place.is_symlink() and str(place.readlink()) == target:
        return
    if place.is_symlink():
        place.unlink()
    elif place.exists():
        facts, there = source.stat(), place.stat()
        if (facts.st_size, facts.st_mtime_ns) == (there.st_size, there.st_mtime_ns):
            return
        place.unlink()
    try:
        place.symlink_to(target)
    except OSError:
        shutil.copy2(source, place)


def _write_masks(project: Project, items: Mapping[str, ImageItem], chosen: Mapping[str, Variant], masked: Mapping[str, Variant],
                 folder: Path, progress: Progress) -> None:
    from PIL import Image

    folder.mkdir(exist_ok=True)

    def write(item: ImageItem) -> None:
        place = folder / f"{item.id}.png"
        source = project.variants / chosen[item.id].name if item.id in chosen else item.path
        facts = inspect_image(source)
        size = (facts.width, facts.height)
        if place.is_file() and (inspect_image(place).width, inspect_image(place).height) == size:
            return
        mask = read_mask(project.variants / masked[item.id].name, size) if item.id in masked else empty_mask(size, 255)
        write_bytes(place, encode(Image.fromarray(mask), SaveSettings(format="png"), "PNG").data)

    missing = [item for item in items.values() if item.width]
    progress.start("Preparing the masks", len(missing))
    for item, outcome in bounded_map(write, missing):
        if isinstance(outcome, DiskError):
            raise outcome
        if isinstance(outcome, DatasetError):
            raise DatasetError(f"The mask of {item.name} cannot be used: {outcome.message}", outcome.hint or "Draw it anew.")
        progress.advance(item.name)


def _forget_old(project: Project, present: Path) -> None:
    """Delete the folders that no run names any more."""
    named = "\n".join(_texts(project))
    for folder in present.parent.iterdir():
        with contextlib.suppress(OSError):
            is_old = time.time() - folder.stat().st_mtime > FORGOTTEN_AFTER
            if folder != present and folder.is_dir() and is_old and folder.name not in named:
                shutil.rmtree(folder, ignore_errors=True)


def _texts(project: Project) -> Iterator[str]:
    for file in project.runs.glob("*/*.toml"):
        with contextlib.suppress(OSError):
            yield file.read_text(encoding="utf-8", errors="replace")
