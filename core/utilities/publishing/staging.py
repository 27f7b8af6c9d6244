"""The files as they are published, put together in a folder of their own: cleaned copies, samples that say how they were drawn."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.base.files import explain_disk_errors, write_with
from core.base.locks import waited_for
from core.base.paths import loras_dir
from core.base.progress import Progress
from core.base.zipping import refuse_full
from core.utilities.files.header_edit import change_metadata
from core.utilities.publishing.release import PublishedFile, Release
from core.utilities.publishing.sample import copy_with_text, parameters_text

LOCK = "publishing.lock"
"""Among the jobs on LoRA files."""
BEGINNING, MARK, INSIDE = ".lorabook-publishing-", "made-by-lorabook", "files"
"""Name of a staged folder, the empty file by which it is known as ours, and the folder in it that is filled."""
FULL = "Free some space, then publish again."
ROOM_FOR_TEXTS = 1 << 20
"""Bytes."""


@contextlib.contextmanager
def staging(parent: Path, progress: Progress) -> Iterator[Path]:
    """An empty folder of its own that is gone afterwards; what a killed publication left goes first. One at a time works here.

    Only folders with our mark in them are deleted. Args: parent: in which it is made. Raises: DiskError, Cancelled.
    """
    with waited_for(loras_dir() / LOCK, progress, "Waiting for another publication"):
        for left in parent.glob(f"{BEGINNING}*"):
            if (left / MARK).is_file():
                shutil.rmtree(left, ignore_errors=True)
        with explain_disk_errors(parent):
            parent.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=BEGINNING, dir=parent))
        try:
            with explain_disk_errors(folder):
                (folder / MARK).touch()
                (folder / INSIDE).mkdir()
            yield folder / INSIDE
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def refuse_full_disk(release: Release, folder: Path, whole: bool) -> None:
    """Raises: DiskError: no room. Args: whole: whether every LoRA file is copied, or only those with another header."""
    files = sum(file.size for file in release.files if whole or file.is_copied)
    pictures = sum(sample.path.stat().st_size for sample in release.samples)
    refuse_full(folder, files + pictures + ROOM_FOR_TEXTS, "What is published takes", FULL)


def published_copy(file: PublishedFile, folder: Path, progress: Progress, always: bool = False) -> Path:
    """The file that is published: the person's own, or a copy without what is private and with what was written. Args: always: a copy in
    any case.

    Raises: DiskError, Cancelled: no half file is left.
    """
    if not (file.is_copied or always):
        return file.path
    target = folder / file.name
    if file.is_copied:
        change_metadata(file.path, file.metadata, target, progress)
    else:
        write_with(target, lambda temporary: _copy(file.path, temporary))
    return target


def _copy(file: Path, target: Path) -> None:
    shutil.copyfile(file, target)


def sample_copies(release: Release, folder: Path, progress: Progress) -> dict[str, Path]:
    """Copies of the samples, by their names at the far end. Raises: ConfigError, DiskError, Cancelled."""
    hashes = {release.first.stem: release.first.hashes.autov3}
    base, found = release.found_base.base, {}
    for number, sample in enumerate(progress.track(release.samples, "Copying samples")):
        name = release.image_name(number)
        text = parameters_text(sample, hashes if sample.exact else {}, base.title if base is not None else "")
        write_with(folder / name, lambda place, one=sample, said=text: copy_with_text(  # type: ignore[misc]
            one.path, place, said, release.settings.sample_size))
        found[name] = folder / name
    return found
