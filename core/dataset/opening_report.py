"""What a project holds when it is opened: pictures, captions, masks, variants, and what was begun and can be gone on with."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from core.base.errors import StudioError
from core.base.findings import Finding
from core.base.jobs import JobStatus, list_jobs
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.captions.files import CAPTION_EXTENSION
from core.dataset.collecting import without_collection
from core.dataset.history import History
from core.dataset.images.files import IMAGE_SUFFIXES, count_images, stem_of
from core.dataset.index import Index
from core.dataset.project import PENDING, Project
from core.dataset.scanning import CaptionTexts, scan_folder
from core.dataset.sources.found_captions import FoundReport, Here, find_for
from core.dataset.sources.upload import HOLDS_NOTHING, UploadSettings, not_imported
from core.dataset.sources.upload_parts import unfinished

MARKED = "marked to repaint"
KINDS = {"_repaint_mask": MARKED, "_mask": "mask", "_transparent": "transparent", "_resized": "resized", "_upscaled": "upscaled",
         "_inpainted": "inpainted"}
"""Ends of stems in variants/ and what they are; any other one is a crop."""
GO_ON = {
    "import": ("import", "Import it again in the panel Import; it goes on where it stopped."),
    "tag": ("tagging", "Run it again in the panel Tag."),
    "caption": ("captioning", "Run it again in the panel Caption."),
}
"""Stages whose last job is looked at: what it is called, and how it goes on."""
MOST = 3
"""Things that are named one by one."""


class OpeningSettings(Settings):
    """How far it is looked."""

    title = "What the project holds"

    sources: bool = setting(True, "Also beside the sources", "Look for captions beside the source files, too. A slow drive takes its time.")


@dataclass
class OpeningReport:
    """What lies in a project."""

    images: int = 0
    captioned: int = 0
    """Images with a saved caption."""
    unreadable: int = 0
    """Images of which it is known that they cannot be opened; nothing is opened for it."""
    rejected: int = 0
    masks: int = 0
    variants: dict[str, int] = field(default_factory=dict)
    """resized, upscaled, inpainted, transparent, cropped → how many, without the masks."""
    found: FoundReport | None = None
    """What stands beside the sources; None: it was not looked."""
    unfinished: list[Finding] = field(default_factory=list)
    """What was begun and can be gone on with; what says no remedy only tells how it ended."""

    @property
    def uncaptioned(self) -> int:
        """Images without a saved caption."""
        return self.images - self.captioned

    def rows(self) -> list[tuple[str, str]]:
        """What there is, as names and words; what is zero is left out, but for the pictures."""
        broken = f", of which {self.unreadable:,} cannot be opened" if self.unreadable else ""
        captions = ", ".join(filter(None, (f"{self.captioned:,} saved" if self.captioned else "",
                                           f"{_pictures(self.uncaptioned)} without one" if self.uncaptioned else "")))
        variants = ", ".join(f"{count:,} {kind}" for kind, count in self.variants.items())
        rows = [("Pictures", f"{self.images:,}{broken}"), ("Captions", captions), ("Beside the sources", self._beside()),
                ("Rejected", f"{self.rejected:,}" if self.rejected else ""), ("Masks", f"{self.masks:,}" if self.masks else ""),
                ("Variants", variants), ("Sources not there now", _some(self.found.gone) if self.found else "")]
        return [(name, words) for name, words in rows if words]

    def _beside(self) -> str:
        if self.found is None or not self.found.found:
            return ""
        missing, changed = self.found.count("missing"), self.found.count("changed")
        parts = (f"captions for {_pictures(missing)} without one" if missing else "",
                 f"{changed:,} {'caption' if changed == 1 else 'captions'} changed since the import" if changed else "")
        return ", ".join(filter(None, parts))

    def sentence(self) -> str:
        """The report in one line."""
        count = sum(bool(finding.remedy) for finding in self.unfinished)
        begun = f" {count} {'thing' if count == 1 else 'things'} can be gone on with." if count else ""
        return "; ".join(f"{name}: {words}" for name, words in self.rows()) + f".{begun}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        names = ("images", "captioned", "uncaptioned", "unreadable", "rejected", "masks", "variants")
        counts = {name: getattr(self, name) for name in names}
        beside = None if self.found is None else {"missing": self.found.count("missing"), "changed": self.found.count("changed"),
                                                  "gone": self.found.gone}
        return {**counts, "beside_sources": beside, "unfinished": [asdict(finding) for finding in self.unfinished]}


def look_at_project(project: Project, settings: OpeningSettings | None = None, progress: Progress = SILENT) -> OpeningReport:
    """Count what lies in a project; no image is opened, and texts that did not change come from the index.

    Raises: DatasetError: the folder of the images is not there or cannot be read; Cancelled.
    """
    images, marks = scan_folder(project.images)
    report = OpeningReport(len(images), rejected=count_images(project.rejected), unfinished=unfinished_work(project))
    progress.start("Looking at the project")
    with without_collection(), Index(project.hidden / "index.sqlite") as index:
        known, texts = index.images(), CaptionTexts(project.images, marks, index)
        here = []
        for name, mark in images.items():
            row = known.get(name)
            same = row is not None and mark.fits(row)
            caption = texts.of(stem_of(name) + CAPTION_EXTENSION)
            report.captioned += bool(caption)
            report.unreadable += mark.size < 0 or (same and row is not None and not row.width)
            here.append(Here(name, mark.mtime_ns, row.sha256 if same and row is not None else "", caption))
        texts.remember()
        _count_variants(project, report)
        progress.check()
        if settings is None or settings.sources:
            report.found = find_for(project, here, index, progress=progress)
    return report


def unfinished_work(project: Project) -> list[Finding]:
    """What was begun and is not whole: renamings, changes of captions, uploads, imports, taggings. Each says how it goes on."""
    found = []
    if (project.hidden / PENDING).exists():
        found.append(Finding("warning", "A renaming of images is not finished, and some are missing until then.",
                             "It is finished by itself when the project is opened and nobody else is at work in it."))
    interrupted = History.of(project).interrupted()
    for entry in interrupted[:MOST]:
        found.append(Finding("warning", f"The change {entry.what!r} of captions was interrupted half-way.",
                             "Complete it or undo it in the panel History of captions."))
    if len(interrupted) > MOST:
        found.append(Finding("warning", f"{len(interrupted) - MOST} more changes of captions were interrupted.",
                             "They stand in the panel History of captions."))
    partial, waiting = unfinished(project, UploadSettings()), not_imported(project)
    if partial:
        files = "file was" if len(partial) == 1 else "files were"
        found.append(Finding("warning", f"{len(partial)} {files} uploaded only in part.",
                             "Drop the same ones again in the panel Upload; what is there of them is not sent again."))
    if waiting:
        uploads = "upload has" if len(waiting) == 1 else "uploads have"
        found.append(Finding("warning", f"{len(waiting)} {uploads} not been imported yet.",
                             "Import what was uploaded in the panel Upload."))
    return found + _interrupted_jobs(project)


def _interrupted_jobs(project: Project) -> list[Finding]:
    """The last import, tagging and captioning, where it ended before its time."""
    open_stages = dict(GO_ON)
    found = []
    for job in list_jobs(project.folder):
        try:
            words = open_stages.pop(job.stage, None)
            status = job.status() if words else None
        except (StudioError, OSError, ValueError, KeyError):  # a job's folder that is damaged tells nothing
            continue
        if job.stage == "import" and status is not None and status.state == "failed" and status.message.startswith(HOLDS_NOTHING):
            found.append(Finding("info", f"The last import brought nothing. {status.message}"))
        elif words and status is not None and _broke_off(status):
            how = {"cancelled": "was cancelled", "lost": "was interrupted", "failed": "failed"}[status.state]
            far = f" after {status.done:,} of {status.total:,}" if status.total else ""
            found.append(Finding("info" if status.state == "cancelled" else "warning", f"The last {words[0]} {how}{far}.", words[1]))
        if not open_stages:
            break
    return found


def _broke_off(status: JobStatus) -> bool:
    """Whether a job did a part of its work; what failed at once has nothing that could be gone on with."""
    return status.state in ("cancelled", "lost") or (status.state == "failed" and status.done > 0)


def _count_variants(project: Project, report: OpeningReport) -> None:
    """Count what lies in variants/, by its name."""
    counts: Counter[str] = Counter()
    try:
        with os.scandir(project.variants) as entries:
            names = [entry.name for entry in entries if entry.name.lower().endswith(IMAGE_SUFFIXES) and not entry.name.startswith(".")]
    except OSError:
        return
    for name in names:
        stem = stem_of(name)
        counts[next((kind for end, kind in KINDS.items() if stem.endswith(end)), "cropped")] += 1
    report.masks = counts.pop("mask", 0)
    kinds = ("resized", "upscaled", "inpainted", "transparent", "cropped", MARKED)
    report.variants = {kind: counts[kind] for kind in kinds if counts[kind]}


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count:,} pictures"
