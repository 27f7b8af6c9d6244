"""Writing what a tool made of a picture: all of it or nothing, and nothing over what somebody else did meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base.buckets import Size
from core.base.errors import DatasetError
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.dataset.images.saving import Encoded
from core.dataset.images.sourcing import Work, outdated
from core.dataset.images.taking_back import take_back_variant
from core.dataset.images.tool import Tool
from core.dataset.images.variants import put_aside_variant, replaced_one, save_variant
from core.dataset.items import Skipped
from core.dataset.project import Project

LOCK = "variants.lock"
"""In the project's hidden folder; held for the moment in which versions are written, put aside or listed to be learned from."""


@dataclass(frozen=True)
class TriedFile:
    """One version, as a file that is not yet written."""

    label: str
    size: Size
    encoded: Encoded


@dataclass(frozen=True)
class Tried:
    """What a tool made of one picture, not yet kept."""

    work: Work
    tool: Tool[Any, Any]
    before: Size
    files: tuple[TriedFile, ...]
    """None: the picture needs no version, or nothing was found."""
    reason: str = ""
    """Why nothing is written, or not all of it, where that is known."""
    left_out: tuple[Skipped, ...] = ()
    """Parts that stay as they are, and why."""

    def why_none(self) -> str:
        """Why there is no file, in a sentence about this picture."""
        return f"It has {self.before[0]} x {self.before[1]} pixels. {self.reason or 'Nothing is to be done with these settings.'}"


def write_versions(project: Project, tried: Tried, progress: Progress = SILENT) -> list[Path]:
    """Write the versions, if nobody else did meanwhile. Raises: DatasetError: somebody did; DiskError."""
    with waited_for(project.hidden / LOCK, progress):
        if not tried.work.is_as_seen():
            raise DatasetError(f"{tried.work.unit.title}, or a version of it, was changed meanwhile.", "Try it again.")
        return _put_in_place(project, tried)


def _put_in_place(project: Project, tried: Tried) -> list[Path]:
    """Write the versions, and put aside what the tool had made before and now would not. Raises: DiskError."""
    work, unit = tried.work, tried.work.unit
    is_again = tried.tool.keeps_replaced(work)
    paths = [save_variant(project, unit.item.id, work.kind, file.encoded.data, file.encoded.suffix, file.label, is_again)
             for file in tried.files]
    written = {path.stem for path in paths}
    for variant in outdated(work):
        path = project.variants / variant.name
        if path.stem in written:
            continue
        if replaced_one(path) == work.source:
            take_back_variant(project, variant)  # the version as it was before this tool is what is wanted now
        elif variant.kind == tried.tool.kind:
            put_aside_variant(project, variant)
    return paths
