"""What lies in rejected/, and the record that says why: it only grows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base.files import append_line, read_json_lines
from core.dataset.images.files import image_files
from core.dataset.moving import RECORD_FILE
from core.dataset.project import Project


@dataclass(frozen=True)
class Rejected:
    """One image that was put aside."""

    name: str
    """Its file name when it was rejected."""
    path: Path
    """Where it lies now."""
    reason: str = ""
    time: float = 0.0
    """Seconds since 1970; 0 when nothing is recorded of it."""
    files: tuple[tuple[str, str], ...] = ()
    """What went along: name beside the image then, name in rejected/ now."""
    act: str = ""
    """Names the record; empty for a file that a person put there."""
    versions: tuple[str, ...] = ()
    """Its versions that went along, by their places in variants/ then."""
    target: str = ""
    """The stem that an interrupted return had chosen."""


def rejected_images(project: Project) -> list[Rejected]:
    """Every image in rejected/, in natural order; one that was put there by hand has no reason."""
    known: dict[str, Rejected] = {}
    for line in read_record(project):
        if line["event"] == "rejected":
            files = tuple((str(old), str(new)) for old, new in line.get("files", []))
            known[line["stored"]] = Rejected(line["image"], project.rejected / line["stored"], line.get("reason", ""),
                                             float(line.get("time", 0)), files, line["act"],
                                             tuple(map(str, line.get("versions", []))))
        elif line["event"] == "restoring" and line["stored"] in known:
            known[line["stored"]] = Rejected(**{**vars(known[line["stored"]]), "target": line["stem"]})
        elif line["event"] == "restored":
            known.pop(line["stored"], None)
    if not project.rejected.is_dir():
        return []
    return [known.get(path.name) or Rejected(path.name, path) for path in image_files(project.rejected)]


def note_move(project: Project, value: dict[str, Any]) -> None:
    """Add a line to the record. Raises: DiskError."""
    append_line(project.hidden / RECORD_FILE, json.dumps(value, ensure_ascii=False), errors="backslashreplace")


def read_record(project: Project) -> Iterator[dict[str, Any]]:
    """The lines of the record, oldest first; half a line is passed over."""
    return (value for value in read_json_lines(project.hidden / RECORD_FILE) if {"event", "stored"} <= set(value))
