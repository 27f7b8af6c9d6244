"""The export: what was planned and looked at is written, in threads; a second one changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from core.base.errors import DatasetError, StudioError
from core.base.files import explain_disk_errors
from core.base.findings import errors_of
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.base.words import counted, told_size
from core.dataset.export.checking import ExportCheck, ExportFinding, check_export
from core.dataset.export.laying_out import strangers
from core.dataset.export.layouts.layout import Layout, Picture
from core.dataset.export.manifest import Manifest, write_manifest
from core.dataset.export.pictures import Look, is_as_seen, mask_key, picture_key, prepare, prepare_mask
from core.dataset.export.planning import Wanted
from core.dataset.export.settings import REGULARISATION, ExportSettings
from core.dataset.export.sheets import Shown, write_sheets
from core.dataset.export.statistics import Numbers, count
from core.dataset.export.writing import Content, Writer, Written, changed_meanwhile
from core.dataset.export.zips import write_zips
from core.dataset.images.files import image_files
from core.dataset.items import Skipped
from core.dataset.parallel import bounded_map
from core.dataset.project import Project
from core.dataset.training_file import kept_settings

LOCK = "export.lock"
"""In the project's hidden folder; held by who writes an export of it."""
SHOWN = 3
"""Names in one sentence."""
README, STATISTICS = "README.md", "statistics.md"


REFUSED = "Nothing was exported."
"""How the sentence begins where something must be mended first."""


@dataclass
class ExportReport:
    """What came of it."""

    folder: str
    layout: str
    pictures: int = 0
    captions: int = 0
    masks: int = 0
    bytes: int = 0
    """Of the pictures."""
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    there: int = 0
    """Files that were there as they should be."""
    edited: list[str] = field(default_factory=list)
    """Files of an earlier export that somebody changed; they stay as they are."""
    foreign: list[str] = field(default_factory=list)
    """Files of somebody else among the exported ones, or in the place of one."""
    skipped: list[Skipped] = field(default_factory=list)
    changes: dict[str, int] = field(default_factory=dict)
    """What was changed in how many pictures, as "turned upright"; of those that were written now."""
    rows: list[tuple[str, str]] = field(default_factory=list)
    """The table of numbers."""
    tags: list[tuple[str, int]] = field(default_factory=list)
    buckets: list[tuple[str, int]] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)
    zips: list[str] = field(default_factory=list)
    findings: list[ExportFinding] = field(default_factory=list)
    """What the check before it warned of."""

    def sentence(self) -> str:
        """The result in one line."""
        words = f"{counted(self.pictures, 'picture')} and {counted(self.captions, 'caption')} are in {self.folder}"
        words += f" ({told_size(self.bytes)})" if self.layout != "in_place" else ", by their places: nothing was copied"
        changed = [f"{counted(len(self.written), 'file')} written"] if self.written else []
        changed += [f"{len(self.removed)} taken away"] if self.removed else []
        told = [f"{words}: {', '.join(changed) or 'nothing changed'}."]
        for names, what in (([one.name for one in self.skipped], "left out"), (self.edited, "changed there by somebody, and left as it is"),
                            (self.foreign, "of somebody else")):
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                told.append(f"{what[0].upper()}{what[1:]}: {', '.join(names[:SHOWN])}{more}.")
        return " ".join(told)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        plain = {name: value for name, value in vars(self).items() if name not in ("skipped", "findings")}
        return {"summary": self.sentence(), **plain, "skipped": [vars(one) for one in self.skipped],
                "findings": [one.as_dict() for one in self.findings]}


@dataclass(frozen=True)
class _Done:
    """What a thread wrote of one picture."""

    picture: Picture
    files: tuple[Written, ...]


def export_dataset(project: Project, settings: ExportSettings, progress: Progress = SILENT) -> ExportReport:
    """Write an export. Files that are there as they should be are not touched; those that are not wanted any more go, if an export made
    them and nobody changed them.

    Raises: DatasetError: something must be mended first (`check_export` says what), or the folder holds another export. ConfigError: the
        folder cannot be used. DiskError. Cancelled: what is written is whole, and the next export goes on there.
    """
    with waited_for(project.hidden / LOCK, progress, "Waiting for another export"):
        check = check_export(project, settings, progress)
        errors = errors_of(list(check.findings))
        if errors and not (settings.anyway and check.plan.wanted):
            more = f" ({len(errors) - 1} more: look at Check first)" if len(errors) > 1 else ""
            raise DatasetError(f"{REFUSED} {errors[0].what}{more}", errors[0].remedy)
        return _Export(project, check, progress).run()


class _Export:
    """One export on its way."""

    def __init__(self, project: Project, check: ExportCheck, progress: Progress) -> None:
        self.project, self.check, self.progress = project, check, progress
        self.layout: Layout = check.layout
        self.settings, self.root = check.layout.settings, check.layout.facts.root
        self.report = ExportReport(str(self.root), self.settings.layout, skipped=list(check.plan.skipped),
                                   findings=[one for one in check.findings if one.level != "info"])
        self.now = Manifest(self.settings.layout, project.name)
        self.writer = Writer(self.root, check.before, self.settings.replace_edited)
        self.with_masks = self.settings.masks == "files" and not self.layout.facts.listed
        self.masks = any(self._mask_of(one) for one in check.plan.wanted) if check.looks else False

    def run(self) -> ExportReport:
        with explain_disk_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        self.writer.clear_parts()
        failed: set[str] = set()
        try:
            pictures = self._pictures(failed)
            self._regularisation()
            numbers = self._beside(pictures)
            self._remove(failed)
        finally:
            self._note()
        self._tell(pictures, numbers)
        return self.report

    def _pictures(self, failed: set[str]) -> list[Picture]:
        """Write pictures, captions and masks. Args: failed: takes the ids of those that could not be written."""
        pictures, wanted = [], self.check.plan.wanted
        self.progress.start("Exporting", len(wanted))
        with closing(bounded_map(self._one, wanted)) as results:
            for one, done in results:
                if isinstance(done, StudioError):
                    if not isinstance(done, DatasetError):
                        raise done
                    failed.add(one.id)
                    self.report.skipped.append(Skipped(one.source.name, str(done)))
                else:
                    self._take(done.files)
                    pictures.append(done.picture)
                self.progress.advance(one.stem)
        return pictures

    def _one(self, one: Wanted) -> _Done:
        """Picture, caption and mask (in a thread). Raises: DatasetError, DiskError."""
        look = self.check.looks[one.id]
        if look.trouble:
            raise DatasetError(look.trouble)
        write_mask = self._mask(one, look)
        files = [self._picture(one, look)] if self.settings.has_copies else []
        name = files[0].name if files else str(one.source)
        text = self._text(one)
        if text and (place := self.layout.caption_name(one.stem)):
            caption = self.layout.caption(text)
            files.append(self.writer.put(place, f"caption:{one.id}", caption, lambda: caption.encode("utf-8")))
        mask = write_mask()
        files += [mask] if mask is not None else []
        picture = Picture(one.stem, name, look.size, text, mask.name if mask is not None else "", self._mask_of(one) is not None,
                          look.turned)
        return _Done(picture, tuple(files))

    def _text(self, one: Wanted) -> str:
        """The caption, or what stands in its place; empty: nothing."""
        return one.caption or (self.layout.facts.called if self.settings.without_caption == "trigger" else "")

    def _picture(self, one: Wanted, look: Look) -> Written:
        slot, key, stem = f"picture:{one.id}", picture_key(one, self.settings), f"{self.layout.folder()}/{one.stem}"
        there = self.writer.unchanged(slot, key, stem)
        if there is not None:
            return there
        made = prepare(one, look, self.settings)
        written = self.writer.put(f"{stem}{made.suffix}", slot, key, lambda: made.content, made.sha256,
                                  still=lambda: is_as_seen(one, look))
        return Written(written.name, written.how, written.entry, made.changes if written.how == "written" else ())

    def _mask_of(self, one: Wanted) -> Path | None:
        """The mask that becomes a file of its own; None: there is none."""
        look = self.check.looks[one.id]
        return one.mask if self.with_masks and not look.mask_trouble and not look.trouble else None

    def _mask(self, one: Wanted, look: Look) -> Callable[[], Written | None]:
        """Read the mask, and see that it is still the one of this picture. Returns: writes it; called once the picture is written, so
        that neither is without the other. Raises: DatasetError: picture or mask are other files by now, or the mask cannot be read."""
        mask = self._mask_of(one)
        orientation = 1 if self.settings.has_copies else look.orientation
        name, slot, key = self.layout.mask_name(one.stem), f"mask:{one.id}", mask_key(one, look.size, orientation)
        make: Callable[[], Content] = partial(prepare_mask, mask, look.size, orientation)
        if mask is not None and self.writer.unchanged(slot, key, name.rpartition(".")[0]) is None:
            make = partial(bytes, make())  # type: ignore[arg-type]  # prepare_mask makes bytes
        if not is_as_seen(one, look):
            raise changed_meanwhile()
        is_wanted = mask is not None or (self.masks and self.layout.full_masks)
        return lambda: self.writer.put(name, slot, key, make) if is_wanted else None

    def _regularisation(self) -> None:
        if not self.layout.facts.has_regularisation:
            return
        folder = f"reg/{self.layout.regularisation()}"  # type: ignore[attr-defined]  # kohya alone has any
        for path in image_files(self.project.folder / REGULARISATION):
            for file in (path, path.with_suffix(".txt")):
                if file.is_file():
                    self._take([self.writer.put(f"{folder}/{file.name}", f"reg:{file.name}", f"{file.stat().st_size}:"
                                                f"{file.stat().st_mtime_ns}", partial(Path, file))])
            self.progress.check()

    def _beside(self, pictures: Sequence[Picture]) -> Numbers:
        """Files of the layout, the numbers, the contact sheets, the page that tells of all."""
        batch = kept_settings(self.project, "data").get("batch_size")
        pictures_bytes = sum(self.now.files[one.name].size if one.name in self.now.files else _size(one.name) for one in pictures)
        numbers = count(pictures, self.layout.facts, pictures_bytes, batch if isinstance(batch, int) and batch > 0 else 1)
        files = {**self.layout.files(pictures), STATISTICS: numbers.markdown(), README: self._readme(pictures)}
        for name, text in files.items():
            data = text.encode("utf-8", "replace")
            self._take([self.writer.put(name, f"file:{name}", text, partial(bytes, data))])
        if self.settings.sheets:
            shown = [Shown(self.root / one.name, one.stem, self._mark(one.name)) for one in pictures]
            sheets = write_sheets(self.writer, shown, self.progress)
            self._take(sheets)
            self.report.sheets = [one.name for one in sheets]
        self.report.bytes = pictures_bytes
        return numbers

    def _readme(self, pictures: Sequence[Picture]) -> str:
        facts = self.layout.facts
        trigger = f" Trigger word: `{facts.trigger}`." if facts.trigger else ""
        return (f"# {facts.project}\n\n{counted(len(pictures), 'picture')} with captions.{trigger} "
                f"The numbers stand in `{STATISTICS}`.\n\n{self.layout.how(pictures)}\n")

    def _mark(self, name: str) -> str:
        entry = self.now.files.get(name)
        return entry.sha256 if entry is not None else str(_size(name))

    def _take(self, files: Iterable[Written]) -> None:
        """Note what became of files."""
        for one in files:
            if one.entry is not None:
                self.now.files[one.name] = one.entry
            if one.how == "written":
                self.report.written.append(one.name)
            elif one.how == "there":
                self.report.there += 1
            else:
                (self.report.edited if one.how == "edited" else self.report.foreign).append(one.name)
                if one.name in self.check.before.files:
                    self.now.files[one.name] = self.check.before.files[one.name]
            for change in one.changes:
                self.report.changes[change] = self.report.changes.get(change, 0) + 1

    def _remove(self, failed: set[str]) -> None:
        """Take away what is not wanted any more; of pictures that could not be written now the earlier files stay."""
        for name, entry in self.check.before.files.items():
            if entry.slot.partition(":")[2] in failed and name not in self.now.files:
                self.now.files[name] = entry
        self.report.removed, edited = self.writer.remove_others(self.now.files)
        self.report.edited += edited
        self.now.files.update({name: self.check.before.files[name] for name in edited})
        stems = {one.stem for one in self.check.plan.wanted}
        self.report.foreign += strangers(self.root, self.layout, self.now, stems)

    def _note(self) -> None:
        """Keep what was written, also after a cancel: then what earlier exports wrote and was not looked at yet is still theirs."""
        whole = Manifest(self.now.layout, self.now.project, dict(self.now.files))
        for name, entry in self.check.before.files.items():
            if name not in whole.files and name not in self.report.removed:
                whole.files[name] = entry
        if self.report.written:
            self.writer.sync()
        write_manifest(self.root, whole)

    def _tell(self, pictures: Sequence[Picture], numbers: Numbers) -> None:
        report = self.report
        report.pictures, report.captions = len(pictures), sum(bool(one.caption) for one in pictures)
        report.masks = sum(one.has_own_mask for one in pictures)
        report.rows, report.tags, report.buckets = list(numbers.rows), list(numbers.tags), list(numbers.buckets)
        report.zips = write_zips(self.project, self.settings, self.root, self.now, self.progress)


def _size(name: str) -> int:
    try:
        return Path(name).stat().st_size
    except OSError:
        return 0
