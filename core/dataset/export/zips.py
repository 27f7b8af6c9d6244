"""An export as zip files: one, or several of a bounded size. Each is a whole zip; unpacked into one place they are the export again."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.base.errors import DatasetError
from core.base.files import read_json, safe_stem, write_json, write_with
from core.base.progress import Progress
from core.base.zipping import add_file, refuse_full
from core.dataset.export.manifest import Manifest
from core.dataset.export.settings import EXPORT, ExportSettings
from core.dataset.project import Project

NOTE = ".lorabook-zips.json"
"""In the project's folder of exports: name of a zip → what it was made of, its size and time."""
OVERHEAD = 400
"""Bytes of a zip for each file, beside its content and its name, at most."""


def write_zips(project: Project, settings: ExportSettings, root: Path, manifest: Manifest, progress: Progress) -> list[str]:
    """Write the zips that are not there yet; those of an earlier export of this layout that are not wanted any more go.

    Returns: their paths. Raises: DatasetError: a file went away meanwhile. DiskError. Cancelled: no half file is left.
    """
    folder, title = project.folder / EXPORT, f"{safe_stem(project.name, 'project')}_{settings.layout}"
    note = _read_note(folder)
    parts = _parts(manifest, settings.part_size * 2**20) if settings.makes_zip else []
    names = [f"{title}.zip" if len(parts) == 1 else f"{title}_part{number + 1}.zip" for number in range(len(parts))]
    before = dict(note)
    for name in [name for name in note if name.rpartition(".")[0].rpartition("_part")[0] == title or name == f"{title}.zip"]:
        if name not in names:
            if _is_ours(folder / name, note[name]):
                (folder / name).unlink(missing_ok=True)
            del note[name]
    if parts:
        progress.start("Packing", sum(map(len, parts)))
    for name, part in zip(names, parts, strict=True):
        of = hashlib.sha256("\n".join(f"{one}\t{manifest.files[one].sha256}" for one in part).encode("utf-8", "replace")).hexdigest()
        place = folder / name
        known = note.get(name, {})
        if known.get("of") == of and _is_ours(place, known):
            progress.advance(name, len(part))
            continue
        if place.exists() and name not in note:
            raise DatasetError(f"{place} is there, and no export made it.", "Move it away, or give it another name.")
        note[name] = {"of": of}
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / NOTE, note)
        refuse_full(place, sum(manifest.files[one].size for one in part), "The zip takes", "Free some space, or switch the zip off.")
        write_with(place, lambda temporary, part=part: _pack(temporary, title, root, part, progress))  # type: ignore[misc]
        note[name] = {"of": of, "size": place.stat().st_size, "mtime_ns": place.stat().st_mtime_ns}
        write_json(folder / NOTE, note)
    if note != before:
        write_json(folder / NOTE, note)
    return [str(folder / name) for name in names]


def _parts(manifest: Manifest, most: int) -> list[list[str]]:
    """The files of each zip. A picture, its caption and its mask stay together. Args: most: bytes; 0: all in one."""
    groups: dict[str, list[str]] = {}
    for name in sorted(manifest.files):
        kind, _, rest = manifest.files[name].slot.partition(":")
        groups.setdefault(rest if kind in ("picture", "caption", "mask") else name, []).append(name)
    parts: list[list[str]] = [[]]
    room = most
    for group in sorted(groups.values(), key=lambda names: (manifest.files[names[0]].slot.startswith("picture"), names)):
        size = sum(manifest.files[name].size + 3 * len(name.encode("utf-8", "replace")) + OVERHEAD for name in group)
        if most and parts[-1] and size > room:
            parts.append([])
            room = most
        parts[-1] += group
        room -= size
    return parts


def _pack(place: Path, title: str, root: Path, part: Sequence[str], progress: Progress) -> None:
    with zipfile.ZipFile(place, "w") as archive:
        for name in part:
            trouble = add_file(archive, root / name, f"{title}/{name}")
            if trouble:
                raise DatasetError(f"{root / name} could not be packed: {trouble}", "Export again.")
            progress.advance(name)


def _read_note(folder: Path) -> dict[str, Any]:
    try:
        values = read_json(folder / NOTE)
    except (DatasetError, OSError):
        return {}
    return {str(name): dict(value) for name, value in values.items() if Path(name).name == name} if isinstance(values, dict) else {}


def _is_ours(path: Path, known: Any) -> bool:
    """Whether a zip is as it was written."""
    try:
        facts = path.stat()
    except OSError:
        return False
    return (facts.st_size, facts.st_mtime_ns) == (known.get("size"), known.get("mtime_ns"))
