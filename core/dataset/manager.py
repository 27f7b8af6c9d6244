"""The front desk of the dataset side: one short method per stage, in the order of the way."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.base.errors import StudioError
from core.base.files import write_text
from core.base.findings import Finding
from core.base.jobs import Job, start_job
from core.base.paths import present_project_file
from core.base.progress import SILENT, Progress
from core.dataset.captions.caption_texts import CaptionSettings
from core.dataset.captions.captioners.keeping import KeptCaptioner
from core.dataset.captions.captioning import CaptionReport, Description, caption_images, describe_image, texts_of_image, use_text
from core.dataset.captions.edit_settings import EditSettings, TriggerSettings
from core.dataset.captions.editing import EditPlan, EditReport, add_trigger, edit_captions, plan_edit, plan_trigger
from core.dataset.captions.files import Caption, read_caption
from core.dataset.captions.lint import CaptionFinding, LintReport, LintSettings, check_captions, report_captions
from core.dataset.captions.overwriting import overwrite_caption, save_caption, take_caption_away
from core.dataset.captions.reviewing import Doubtful, Reviewed, ReviewSettings, find_doubts, review_image
from core.dataset.captions.tagging import TagReport, TagSettings, tag_images
from core.dataset.captions.told import Told
from core.dataset.checking import check_dataset
from core.dataset.curation.different import Alike, call_alike, call_different, called_different
from core.dataset.curation.duplicates import DuplicateReport, DuplicateSettings, find_duplicates
from core.dataset.curation.overview import Overview, OverviewSettings, look_over
from core.dataset.curation.putting_aside import rejected_because
from core.dataset.curation.quality import Quality, QualityReport, QualitySettings, measure_quality, stored_quality
from core.dataset.export.checking import ExportCheck, check_export
from core.dataset.export.exporting import ExportReport, export_dataset
from core.dataset.export.pushing import PushReport, PushSettings, push_export
from core.dataset.export.settings import ExportSettings
from core.dataset.history import UndoReport, finish, go_to, redo_last, undo_last
from core.dataset.images.manager import ImagesManager
from core.dataset.images.previews import preview_image
from core.dataset.items import ImageItem, caption_path_of, list_items
from core.dataset.opening_report import OpeningReport, OpeningSettings, look_at_project
from core.dataset.packing import PackReport, PackSettings, pack_dataset
from core.dataset.project import Project, folder_for
from core.dataset.rejecting import MoveReport, RejectSettings, RestoreSettings, reject_images, restore_images
from core.dataset.renaming import RenamePlan, RenameReport, RenameSettings, plan_rename, rename_images, undo_rename
from core.dataset.renaming_journal import Renamed, last_renaming
from core.dataset.renaming_steps import mend
from core.dataset.sources.found_captions import (
    FindSettings,
    FoundCaption,
    FoundReport,
    TakeReport,
    TakeSettings,
    find_source_captions,
    take_found,
    take_source_captions,
)
from core.dataset.sources.import_report import ImportReport
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.importing import import_images
from core.dataset.sources.receiving import Receiver
from core.dataset.sources.upload import UploadSettings, current_upload
from core.dataset.versions import (
    Comparison,
    Step,
    VersionSettings,
    compare_versions,
    list_versions,
    name_version,
    plan_restore,
    restore_version,
)


class DatasetManager:
    """One project, and everything that can be done to its dataset."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @classmethod
    def create(cls, name: str, parent: Path | None = None, trigger: str = "", family: str = "sd15") -> DatasetManager:
        """Make a project inside `parent` (default: the projects folder). Raises: DatasetError, ConfigError, DiskError."""
        return cls(Project.create(folder_for(name, parent), name, trigger, family))

    @classmethod
    def open(cls, folder: Path | str) -> DatasetManager:
        """Open a project by its folder. Raises: DatasetError, ConfigError."""
        project = Project.open(Path(folder))
        with contextlib.suppress(StudioError, OSError):
            mend(project)
        return cls(project)

    def opening(self, settings: OpeningSettings | None = None, progress: Progress = SILENT) -> OpeningReport:
        """What lies in the project, what stands beside its sources, and what can be gone on with."""
        return look_at_project(self.project, settings, progress)

    def import_images(self, settings: ImportSettings, progress: Progress = SILENT) -> ImportReport:
        """Copy images in from a folder or archive."""
        return import_images(self.project, settings, progress)

    def import_from(self, source: Path | str, progress: Progress = SILENT, **settings: Any) -> ImportReport:
        """The same, by the source's path. `settings`: other fields of ImportSettings."""
        return self.import_images(ImportSettings.make(source=str(source), **settings), progress)

    def receive(self, upload: str, settings: UploadSettings) -> Receiver:
        """What takes the files of an upload from the browser. Args: upload: its id; empty: the one that was interrupted, or a new one."""
        return Receiver(self.project, upload or current_upload(self.project, settings), settings)

    def find_source_captions(self, settings: FindSettings | None = None, progress: Progress = SILENT) -> FoundReport:
        """Captions beside the source files that are missing here or were changed there; nothing is touched."""
        return find_source_captions(self.project, settings, progress)

    def take_source_captions(self, take: Sequence[FoundCaption], leave: Sequence[FoundCaption] = (),
                             progress: Progress = SILENT) -> TakeReport:
        """Make captions that were found and looked at the project's; undo takes that back. The others are not shown again."""
        self.project.settle()
        return take_source_captions(self.project, take, leave, progress)

    def take_found(self, settings: TakeSettings, progress: Progress = SILENT) -> TakeReport:
        """The same by the images' ids, for what is found now."""
        self.project.settle()
        return take_found(self.project, settings, progress)

    def items(self) -> list[ImageItem]:
        """The images with their captions, in natural order."""
        return list_items(self.project)

    def plan_rename(self, settings: RenameSettings) -> RenamePlan:
        """Which image would be called what; nothing is touched."""
        return plan_rename(self.project, settings)

    def rename(self, settings: RenameSettings, progress: Progress = SILENT) -> RenameReport:
        """Give images other names, with their captions. Raises: ConfigError: not what the preview showed; DatasetError, DiskError."""
        return rename_images(self.project, settings, progress)

    def undo_rename(self, progress: Progress = SILENT) -> RenameReport:
        """Give the images of the last renaming their old names back. Raises: DatasetError: there is none; DiskError."""
        return undo_rename(self.project, progress)

    def last_renaming(self) -> Renamed | None:
        """The renaming that can be taken back; None where there is none."""
        return last_renaming(self.project)

    def tag(self, settings: TagSettings, progress: Progress = SILENT, only: Sequence[str] | None = None) -> TagReport:
        """Let a tagger write captions, for all images or those named."""
        self.project.settle()
        return tag_images(self.project, settings, progress, only)

    def caption(self, settings: CaptionSettings, progress: Progress = SILENT, only: Sequence[str] | None = None) -> CaptionReport:
        """Let a captioner write captions, for all images or those named."""
        self.project.settle()
        return caption_images(self.project, settings, progress, only)

    def describe(self, image_id: str, settings: CaptionSettings, kept: KeptCaptioner | None = None) -> Description:
        """Ask a captioner for one image; no caption is touched. Args: kept: keeps the model open."""
        return describe_image(self.project, image_id, settings, kept)

    def told(self, image_id: str) -> list[Told]:
        """What captioners said of an image, side by side, the newest first."""
        return texts_of_image(self.project, image_id)

    def use_text(self, image_id: str, text: str, settings: CaptionSettings) -> str:
        """Write a captioner's text that was chosen for an image. Returns: its caption. Raises: DatasetError, DiskError."""
        return use_text(self.project, image_id, text, settings)

    def find_doubts(self, settings: ReviewSettings, tagging: TagSettings | None = None) -> list[Doubtful]:
        """Images with tags whose score lies near the threshold. Raises: DatasetError: nothing was tagged yet."""
        return find_doubts(self.project, settings, tagging)

    def review(self, image: Doubtful, keep: Sequence[str] = (), drop: Sequence[str] = ()) -> Reviewed:
        """Keep and drop doubtful tags of one image. Raises: DatasetError, DiskError."""
        return review_image(self.project, image.id, keep, drop, image.sha256)

    def take_back(self, decisions: Collection[str]) -> UndoReport:
        """Take back the newest change if it is one of these entries. Raises: DatasetError: it is another one, or as for `undo`."""
        return undo_last(self.project, decisions=decisions)

    def plan_trigger(self, settings: TriggerSettings) -> EditPlan:
        """What putting the trigger word first would do; nothing is touched."""
        return plan_trigger(self.project, settings)

    def set_trigger(self, settings: TriggerSettings, progress: Progress = SILENT) -> EditReport:
        """Put the trigger word first in every caption."""
        return add_trigger(self.project, settings, progress)

    def add_trigger(self, trigger_word: str, progress: Progress = SILENT, **settings: Any) -> EditReport:
        """The same, by the word itself. `settings`: other fields of TriggerSettings."""
        return self.set_trigger(TriggerSettings.make(trigger_word=trigger_word, **settings), progress)

    def edit(self, settings: EditSettings, progress: Progress = SILENT, only: Sequence[str] | None = None) -> EditReport:
        """Add, take out or replace tags."""
        return edit_captions(self.project, settings, progress, only)

    def plan_edit(self, settings: EditSettings) -> EditPlan:
        """What such a change would do; nothing is touched."""
        return plan_edit(self.project, settings)

    def findings(self, settings: LintSettings, progress: Progress = SILENT) -> LintReport:
        """What is doubtful in the captions for one model family."""
        return report_captions(self.project, settings, progress)

    def check_captions(self, settings: LintSettings | None = None) -> list[CaptionFinding]:
        """What is doubtful in the captions, each with the change that mends it."""
        return check_captions(self.project, settings)

    def read_caption(self, image_id: str) -> Caption:
        """A caption with the revision that a save must carry. Raises: DatasetError."""
        return read_caption(caption_path_of(self.project, image_id), image_id)

    def save_caption(self, image_id: str, text: str, revision: str) -> Caption:
        """Save one caption over the text that was read. Raises: CaptionConflict: it changed on disk since; DatasetError, DiskError."""
        return save_caption(self.project, image_id, text, revision)

    def keep_caption(self, image_id: str, text: str, revision: str) -> Caption:
        """Save over a text that someone else wrote meanwhile; undo brings that back. Raises: CaptionConflict, DatasetError, DiskError."""
        return overwrite_caption(self.project, image_id, text, revision)

    def remove_caption(self, image_id: str, revision: str) -> Caption:
        """Take one caption away; undo brings it back. Raises: CaptionConflict: it changed on disk since; DatasetError, DiskError."""
        return take_caption_away(self.project, image_id, revision)

    def preview(self, picture: Path, large: bool = False) -> bytes:
        """A picture as a small file for a screen, made once. Raises: DatasetError: it is missing or cannot be shown."""
        return preview_image(picture, self.project.hidden / "previews", large)

    def find_duplicates(self, settings: DuplicateSettings, progress: Progress = SILENT, stored_only: bool = False) -> DuplicateReport:
        """Group pictures that show the same. Args: stored_only: open nothing, use what was found out before."""
        return find_duplicates(self.project, settings, progress, stored_only)

    def call_different(self, pictures: Sequence[str]) -> None:
        """Keep it in the project that these are different pictures. Args: pictures: SHA-256 of the files. Raises: DiskError."""
        call_different(self.project, pictures)

    def call_alike(self, pictures: Sequence[str]) -> None:
        """Forget that these were called different. Raises: DiskError."""
        call_alike(self.project, pictures)

    def called_different(self) -> list[Alike]:
        """SHA-256 of the pictures of each group that was called different."""
        return called_different(self.project)

    def measure_quality(self, settings: QualitySettings, progress: Progress = SILENT) -> QualityReport:
        """Measure sharpness, bars and the like, and score by a model if one is chosen."""
        return measure_quality(self.project, settings, progress)

    def quality(self) -> Quality:
        """The numbers that are known of the pictures; nothing is opened."""
        return stored_quality(self.project)

    def overview(self, settings: OverviewSettings, progress: Progress = SILENT) -> Overview:
        """What training will make of the pictures: sizes, buckets, what is cut or enlarged, what is hardly ever shown."""
        return look_over(self.project, settings, progress)

    @property
    def images(self) -> ImagesManager:
        """What the picture tools can do."""
        return ImagesManager(self.project)

    def rejected_because(self, reason: str) -> list[str]:
        """Rejected images whose reason begins so."""
        return rejected_because(self.project, reason)

    def reject(self, settings: RejectSettings, progress: Progress = SILENT, seen: Mapping[str, str] | None = None) -> MoveReport:
        """Put images aside with their captions; nothing is deleted. Args: seen: SHA-256 of pictures that must still be the same.

        Raises: DatasetError: they are not, or someone else moves images; DiskError.
        """
        self.project.settle()
        return reject_images(self.project, settings, progress, seen)

    def restore(self, settings: RestoreSettings, progress: Progress = SILENT) -> MoveReport:
        """Put rejected images back. Raises: DatasetError: someone else moves images; DiskError."""
        self.project.settle()
        return restore_images(self.project, settings, progress)

    def undo(self) -> UndoReport:
        """Take back the newest bulk change. Raises: DatasetError: there is none, or captions are being changed just now."""
        return undo_last(self.project)

    def redo(self, progress: Progress = SILENT) -> UndoReport:
        """Make again what was undone last. Raises: DatasetError: there is nothing, or captions are being changed just now."""
        return redo_last(self.project, progress)

    def finish(self, entry_id: str, progress: Progress = SILENT) -> UndoReport:
        """Complete a change that a kill interrupted."""
        return finish(self.project, entry_id, progress)

    def versions(self) -> list[Step]:
        """What was done to the captions, and named versions, newest first."""
        return list_versions(self.project)

    def name_version(self, settings: VersionSettings) -> str:
        """Keep the captions as they are now under a name. Returns: its id."""
        return name_version(self.project, settings).id

    def compare_versions(self, before: str, after: str = "now") -> Comparison:
        """How the captions differ between two versions."""
        return compare_versions(self.project, before, after)

    def go_to(self, entry_id: str, progress: Progress = SILENT) -> UndoReport:
        """Roll back (or forward) to how the captions were right after a change; "start": before the first."""
        return go_to(self.project, entry_id, progress)

    def plan_restore(self, version: str) -> EditPlan:
        """What going back to a named version would change; nothing is touched."""
        return plan_restore(self.project, version)

    def restore_version(self, version: str, progress: Progress = SILENT) -> EditReport:
        """Go back to a named version, as one change that can be undone."""
        return restore_version(self.project, version, progress)

    def check(self, progress: Progress = SILENT) -> list[Finding]:
        """What would go wrong in training."""
        return check_dataset(self.project, progress)

    def pack(self, settings: PackSettings, progress: Progress = SILENT) -> PackReport:
        """The dataset as one zip in the project's folder, to take it home. Raises: DatasetError, DiskError, Cancelled."""
        return pack_dataset(self.project, settings, progress)

    def check_export(self, settings: ExportSettings, progress: Progress = SILENT) -> ExportCheck:
        """What stands against an export; nothing is written. Raises: ConfigError, DatasetError, Cancelled."""
        self.project.settle()
        return check_export(self.project, settings, progress)

    def export(self, settings: ExportSettings, progress: Progress = SILENT) -> ExportReport:
        """Write the dataset as a trainer takes it. Raises: ConfigError, DatasetError, DiskError, Cancelled."""
        self.project.settle()
        return export_dataset(self.project, settings, progress)

    def push_export(self, settings: PushSettings, progress: Progress = SILENT) -> PushReport:
        """Send an export to Hugging Face. Raises: ConfigError, DatasetError, HubError, Cancelled."""
        return push_export(self.project, settings, progress)

    def start_push(self, settings: PushSettings, token: str = "") -> Job:
        """Send it in a process of its own; returns at once. Args: token: reaches that process through its environment alone."""
        return start_job(self.project.folder, "push-export", settings.model_dump(mode="json"), {"HF_TOKEN": token} if token else None)

    def hand_to_trainer(self) -> Path:
        """Make this the project that the Trainer notebook opens. Returns: the file that says so."""
        write_text(present_project_file(), str(self.project.folder))
        return present_project_file()
