"""The dataset in one file to take home: pictures and captions as they are now, before a rented machine is given back."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from core.base.errors import DatasetError
from core.base.files import safe_stem, write_with
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted, told_size
from core.base.zipping import add_file, refuse_full
from core.dataset.items import Skipped, list_items
from core.dataset.project import Project


class PackSettings(Settings):
    """What is packed."""

    title = "Pack the dataset"

    what: Literal["all", "captions"] = setting("all", "What", "all: pictures and captions. captions: the captions alone, which is a small "
                                               "file.")


@dataclass
class PackReport:
    """What lies in the file, and where it is."""

    place: str
    pictures: int = 0
    captions: int = 0
    bytes: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def sentence(self) -> str:
        """The result in one line."""
        held = [counted(self.pictures, "picture")] if self.pictures else []
        held.append(counted(self.captions, "caption"))
        left = f" {counted(len(self.skipped), 'file')} could not be read." if self.skipped else ""
        return f"{' and '.join(held)} are in {self.place} ({told_size(self.bytes)}).{left}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"summary": self.sentence(), "place": self.place, "pictures": self.pictures, "captions": self.captions, "bytes": self.bytes,
                "skipped": [{"name": one.name, "reason": one.reason} for one in self.skipped]}


def pack_dataset(project: Project, settings: PackSettings, progress: Progress = SILENT) -> PackReport:
    """Write a zip with the project's pictures and captions, side by side, into the project's folder; an older one is replaced at the end.

    Pictures are stored as they are, captions are compressed. Rejected pictures stay out.

    Raises: DatasetError: there is nothing to pack. DiskError: no space, or no permission. Cancelled: no file is written.
    """
    items = list_items(project)
    with_pictures = settings.what == "all"
    if not any(with_pictures or item.caption_path.is_file() for item in items):
        raise DatasetError("There is nothing to pack: the project has no " + ("pictures." if with_pictures else "captions."))
    kind = "dataset" if with_pictures else "captions"
    place = project.folder / f"{safe_stem(project.name, 'project')}_{kind}.zip"
    report = PackReport(str(place))
    refuse_full(place, sum(item.size for item in items) if with_pictures else 0, "The pictures take",
                "Free some space, or pack the captions alone.")
    progress.start("Packing", len(items))
    packed: set[str] = set()
    """Caption files; two pictures may share one."""

    def save(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for item in items:
                if with_pictures:
                    report.pictures += _add(archive, item.path, report)
                if item.caption_name not in packed and item.caption_path.is_file():
                    packed.add(item.caption_name)
                    report.captions += _add(archive, item.caption_path, report)
                progress.advance(item.id)

    write_with(place, save)
    report.bytes = place.stat().st_size
    return report


def _add(archive: zipfile.ZipFile, path: Path, report: PackReport) -> bool:
    """Put one file in. Returns: whether it could be read; if not, the report names it."""
    trouble = add_file(archive, path, path.name)
    if trouble:
        report.skipped.append(Skipped(path.name, trouble))
    return not trouble
