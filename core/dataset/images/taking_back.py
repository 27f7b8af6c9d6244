"""Taking versions back: the one that was replaced stands again; and what was put aside is brought back."""

from __future__ import annotations

import os
from pathlib import Path

from core.base.errors import DatasetError
from core.base.files import explain_disk_errors
from core.dataset.images.files import image_files, natural_name_key, stem_of
from core.dataset.images.variants import REPLACED, Variant, put_aside_variant, replaced_one, under_any_ending, variant_of
from core.dataset.project import Project


def take_back_variant(project: Project, variant: Variant) -> Path | None:
    """Put a version aside; the one that it had replaced stands again. Nothing is copied, so that a full disk costs no version.

    Returns: that one; None: there was none. Raises: DiskError.
    """
    path = project.variants / variant.name
    with explain_disk_errors(path):
        before = replaced_one(path)
        if before is None:
            put_aside_variant(project, variant)
            return None
        place, held, aside = path.parent / before.name, path.parent / f".{before.name}", path.parent / REPLACED / path.name
        done: list[tuple[Path, Path]] = []
        try:
            for move in ((before, held), (path, aside), (held, place)):
                os.replace(*move)
                done.append(move)
        except OSError:
            for source, target in reversed(done):
                os.replace(target, source)
            raise
        return place


def put_aside_versions(project: Project, stem: str) -> list[Variant]:
    """Versions of a picture that were put aside, and in whose place nothing stands now. Raises: DatasetError: the folder cannot be read."""
    aside = project.variants / REPLACED
    names = sorted((path.name for path in aside.iterdir()), key=natural_name_key) if aside.is_dir() else []
    stems = {stem_of(path.name) for path in image_files(project.images)}
    found = [variant for name in names if not name.startswith(".") and (variant := variant_of(name, stems)) is not None]
    return [one for one in found if one.stem == stem and not under_any_ending(project.variants / one.name)]


def bring_back_variant(project: Project, variant: Variant) -> Path:
    """Let a version that was put aside stand again.

    Raises: DatasetError: it is not kept any more, or another one stands there; DiskError.
    """
    path, kept = project.variants / variant.name, project.variants / REPLACED / variant.name
    if there := under_any_ending(path):
        raise DatasetError(f"{there[0].name} stands in its place now.", "Take that one back instead.")
    if not kept.is_file():
        raise DatasetError(f"{variant.name} is not kept any more.", "Make it anew with its tool.")
    with explain_disk_errors(path):
        os.replace(kept, path)
    return path
