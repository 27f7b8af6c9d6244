"""Models of several files: a repository of Hugging Face at one commit as a folder here, fetched with progress and stopped when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from core.base.errors import ModelError
from core.base.files import write_bytes
from core.base.progress import SILENT, Progress
from core.models.addresses import WEIGHTS, Wanted
from core.models.asking import files_of, read_small
from core.models.catalog import Kind
from core.models.settings import DownloadSettings
from core.models.sites import HUB
from core.models.unreached import said_what_works_without


def have_repository(folder: Path, repo: str, commit: str, choose: Callable[[Iterable[str]], Iterable[str]], last: str,
                    progress: Progress = SILENT, kind: Kind = "base") -> Path:
    """A repository's files in a folder, fetched where they are not here.

    Args:
        choose: of the paths of all files those that are needed.
        last: the one that comes last: where it is, all are.
        kind: what works where it cannot be fetched depends on it.
    Returns: the folder. Raises: ModelError: it cannot be had; DiskError; Cancelled: what came stays, and the next call goes on from there.
    """
    if (folder / last).is_file():
        return folder
    with said_what_works_without(repo, f"its files into {folder}", kind):
        _bring_all(folder, Wanted(HUB, repo=repo, revision=commit), choose, last, progress)
    return folder


def _bring_all(folder: Path, wanted: Wanted, choose: Callable[[Iterable[str]], Iterable[str]], last: str, progress: Progress) -> None:
    """Raises: ModelError, DiskError, Cancelled."""
    names = [name for name in choose(name for name, _ in files_of(wanted, progress, all_folders=True)) if is_within(name)]
    if last not in names or not any(WEIGHTS.search(name) for name in names):
        raise ModelError(f"{wanted.repo} at {wanted.revision[:12]} has no {last}, or no weights that could be taken.",
                         "Choose another model.")
    for name in sorted(names, key=lambda name: (name == last, name)):
        _bring(folder, replace(wanted, path=name), progress)


def is_within(name: str) -> bool:
    """Whether a path leads to somewhere below its folder."""
    return not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts


def _bring(folder: Path, wanted: Wanted, progress: Progress) -> None:
    """Raises: ModelError, DiskError, Cancelled."""
    from core.models.download import download_model

    place = folder / wanted.path
    progress.check()
    if WEIGHTS.search(wanted.path):
        download_model(place.parent, DownloadSettings.make(address=f"hf://{wanted.repo}@{wanted.revision}/{wanted.path}"), progress)
    elif not place.is_file():
        write_bytes(place, read_small(wanted, progress))
