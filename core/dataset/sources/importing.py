"""Bring images and their captions from a source into a project. The source is never changed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from core.base.errors import DatasetError
from core.base.parts import clear_old_parts
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.base.words import counted
from core.dataset.items import Skipped, list_items
from core.dataset.project import Project
from core.dataset.renaming_steps import giving_names
from core.dataset.sources import SOURCES, UPLOAD_SUFFIX, Source, kind_of, source_kind
from core.dataset.sources.download import refuse_password
from core.dataset.sources.drive import on_drive
from core.dataset.sources.import_report import ImportReport, words_of_others
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.importer import Importer
from core.dataset.sources.ledger import Ledger
from core.dataset.sources.masks import set_masks_apart
from core.dataset.sources.upload import HOLDS_NOTHING


def import_images(project: Project, settings: ImportSettings, progress: Progress = SILENT) -> ImportReport:
    """Copy images into `images/`, each upright, safely named, with a stem of its own and its caption beside it.

    Content that is in the project already is not copied again, so that an interrupted import goes on where it stopped.

    Returns: what came in under which name, what was there already, and everything skipped with the reason.

    Raises:
        DatasetError: the source is missing, unreadable or holds no image.
        Cancelled: what came in stays. DiskError: no space, no permission; what came in stays whole.
    """
    report = ImportReport()
    clear_old_parts(project.images)
    with giving_names(project, progress), _opened(project, settings, progress) as source, closing(source.parts()) as parts:
        importer: Importer | None = None
        pictures, looks = False, settings.captions and Path(source.place).is_absolute()
        for content in parts:
            set_masks_apart(content)
            report.skipped += content.skipped
            for ending, count in content.others.items():
                report.others[ending] = report.others.get(ending, 0) + count
            report.known += content.known
            report.again = content.again or report.again
            if not (content.images or (looks and (content.captions or content.tables or content.sidecars))):
                continue
            if content.images:
                _note_source(project, source.place)
                pictures = True
            if importer is None:
                ledger = Ledger(project, [(item.path.name, item.sha256) for item in list_items(project)])
                importer = Importer(project, settings, source.place, ledger, report, progress)
            importer.take(content)
        if importer is not None:
            importer.conclude()
        if importer is not None and pictures:
            report.skipped += importer.again.lone
        elif not report.known:
            _conclude_without(project, settings, source.place, report, importer.again.unmatched if importer is not None else [])
    return report


def _opened(project: Project, settings: ImportSettings, progress: Progress) -> Source:
    """The source that the settings name. Raises: DatasetError: there is none of that kind, or it is the project itself."""
    progress.start("Reading the source")
    kind = source_kind(settings.source) if settings.kind == "auto" else settings.kind
    if SOURCES.entry(kind).options.get("remote"):
        refuse_password(settings.source)
        return SOURCES.load(kind)(settings.source, project.hidden / "downloads", settings.recursive, getattr(settings, kind), progress)
    location = on_drive(settings.source) if kind == "drive" else typed_path(settings.source)
    if settings.kind != "auto":
        kind_of(location)
    _refuse_own(project, location)
    return SOURCES.load(kind)(location, project.hidden / "unpacked", settings.recursive, None, progress)


def _conclude_without(project: Project, settings: ImportSettings, place: str, report: ImportReport, unmatched: Sequence[Skipped]) -> None:
    """What is to be said where no picture came. Raises: DatasetError: nothing that came belongs to the project."""
    is_upload = place.endswith(UPLOAD_SUFFIX)
    report.captions_only = bool(report.differ or report.same)
    if report.captions_only or is_upload:  # an upload is not to be offered again
        _note_source(project, place)
    if report.captions_only:
        report.skipped += unmatched
        return
    nothing = HOLDS_NOTHING if is_upload else f"{place} holds no images"
    if unmatched:
        first = ", ".join(one.name for one in unmatched[:3]) + (" …" if len(unmatched) > 3 else "")
        its = f"its {counted(len(unmatched), 'caption')} {'fits' if len(unmatched) == 1 else 'fit'}"
        raise DatasetError(f"{nothing}, and {its} no picture of this project: {first}.",
                           "A caption fits where it is called like its picture." + _first_reason(report))
    raise DatasetError(f"{nothing}{'' if settings.recursive else ' (subfolders were left out)'}.",
                       "Taken are PNG, JPEG, WebP, BMP, TIFF, AVIF, GIF and, with pi-heif, HEIC files." + _first_reason(report))


def _first_reason(report: ImportReport) -> str:
    first, others = next(iter(report.skipped), None), words_of_others(report.others)
    reason = f" Left out were {len(report.skipped)}, the first: {first.name} ({first.reason})" if first else ""
    return f"{reason} {others}" if others else reason


def _refuse_own(project: Project, location: Path) -> None:
    """Raises: DatasetError: the project would be imported into itself."""
    if not location.is_dir():
        return
    source, home = location.resolve(), project.folder.resolve()
    if home in (source, *source.parents):
        raise DatasetError(f"{location} lies inside the project itself.", "Choose the folder that the images come from.")
    if source in home.parents:
        raise DatasetError(f"{location} holds the project itself ({project.folder}).",
                           "Choose a subfolder of it that holds only the images, or move the project to another place.")


def _note_source(project: Project, place: str) -> None:
    project.change_info(lambda info: info if place in info.sources else info.changed(sources=(*info.sources, place)))
