"""What an export has written: names, sizes and hashes, so that a second one changes nothing, and nothing of anybody else's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from core.base.errors import DatasetError
from core.base.files import read_json, write_json

MANIFEST = ".lorabook-export.json"
VERSION = 1


class Entry(NamedTuple):
    """One file that an export wrote."""

    slot: str
    """What it is: "picture:girl", "caption:girl", "mask:girl", "file:dataset.toml"."""
    key: str
    """Names what it was made of."""
    sha256: str
    size: int
    """Bytes."""
    mtime_ns: int

    def fits(self, facts: os.stat_result) -> bool:
        """Whether the file is as it was written, by its size and time."""
        return (facts.st_size, facts.st_mtime_ns) == (self.size, self.mtime_ns)


@dataclass
class Manifest:
    """The files of one export, by their path below its folder, with slashes."""

    layout: str = ""
    project: str = ""
    files: dict[str, Entry] = field(default_factory=dict)

    def by_slot(self) -> dict[str, tuple[str, Entry]]:
        """Slot → path and entry."""
        return {entry.slot: (name, entry) for name, entry in self.files.items()}

    def training(self) -> list[str]:
        """Paths of pictures, captions and masks."""
        return [name for name, entry in self.files.items() if not entry.slot.startswith(("file:", "sheet:"))]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"version": VERSION, "layout": self.layout, "project": self.project,
                "files": {name: list(self.files[name]) for name in sorted(self.files)}}


def read_manifest(root: Path) -> Manifest | None:
    """What an earlier export wrote here; None: there was none, or its note is damaged (files that are as they should be are taken over)."""
    try:
        values: Mapping[str, Any] = read_json(root / MANIFEST)
        if values["version"] != VERSION:
            return None
        files = {str(name): Entry(str(slot), str(key), str(digest), int(size), int(mtime))
                 for name, (slot, key, digest, size, mtime) in values["files"].items() if is_inside(str(name))}
        return Manifest(str(values["layout"]), str(values["project"]), files)
    except (DatasetError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def is_inside(name: str) -> bool:
    """Whether a path leads to something below the folder, so that a note that was tampered with removes nothing elsewhere."""
    parts = name.split("/")
    return bool(name) and not name.startswith("/") and ".." not in parts and "\\" not in name and "\0" not in name


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Note it, unless it is noted so already. Raises: DiskError."""
    if read_manifest(root) != manifest_kept(manifest):
        write_json(root / MANIFEST, manifest.as_dict())


def manifest_kept(manifest: Manifest) -> Manifest:
    """As it comes back from its file."""
    return Manifest(manifest.layout, manifest.project, dict(sorted(manifest.files.items())))
