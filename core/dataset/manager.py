"""The front desk of the dataset side: one short method per stage, in the order of the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.base.files import write_text
from core.base.findings import Finding
from core.base.paths import present_project_file
from core.base.progress import SILENT, Progress
from core.dataset.captions.editing import EditPlan, EditReport, EditSettings, TriggerSettings, add_trigger, edit_captions, plan_edit
from core.dataset.captions.files import Caption, read_caption, write_caption
from core.dataset.captions.lint import CaptionFinding, LintSettings, check_captions
from core.dataset.captions.overwriting import overwrite_caption
from core.dataset.captions.tagging import TagReport, TagSettings, tag_images
from core.dataset.checking import check_dataset
from core.dataset.history import UndoReport, finish, go_to, redo_last, undo_last
from core.dataset.images.previews import preview_image
from core.dataset.items import ImageItem, caption_path_of, list_items
from core.dataset.project import Project, folder_for
from core.dataset.rejecting import MoveReport, RejectSettings, RestoreSettings, reject_images, restore_images
from core.dataset.sources.importing import ImportReport, ImportSettings, import_images
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
        return cls(Project.open(Path(folder)))

    def import_images(self, settings: ImportSettings, progress: Progress = SILENT) -> ImportReport:
        """Copy images in from a folder or archive."""
        return import_images(self.project, settings, progress)

    def import_from(self, source: Path | str, progress: Progress = SILENT, **settings: Any) -> ImportReport:
        """The same, by the source's path. `settings`: other fields of ImportSettings."""
        return self.import_images(ImportSettings.make(source=str(source), **settings), progress)

    def items(self) -> list[ImageItem]:
        """The images with their captions, in natural order."""
        return list_items(self.project)

    def tag(self, settings: TagSettings, progress: Progress = SILENT, only: Sequence[str] | None = None) -> TagReport:
        """Let a tagger write captions, for all images or those named."""
        return tag_images(self.project, settings, progress, only)

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

    def check_captions(self, settings: LintSettings | None = None) -> list[CaptionFinding]:
        """What is doubtful in the captions, each with the change that mends it."""
        return check_captions(self.project, settings)

    def read_caption(self, image_id: str) -> Caption:
        """A caption with the revision that a save must carry. Raises: DatasetError."""
        return read_caption(caption_path_of(self.project, image_id), image_id)

    def save_caption(self, image_id: str, text: str, revision: str) -> Caption:
        """Save one caption over the text that was read. Raises: CaptionConflict: it changed on disk since; DatasetError, DiskError."""
        return write_caption(caption_path_of(self.project, image_id), text, revision, image_id)

    def keep_caption(self, image_id: str, text: str, revision: str) -> Caption:
        """Save over a text that someone else wrote meanwhile; undo brings that back. Raises: CaptionConflict, DatasetError, DiskError."""
        return overwrite_caption(self.project, image_id, text, revision)

    def preview(self, picture: Path) -> bytes:
        """A picture as a small file for a screen, made once. Raises: DatasetError: it is missing or cannot be shown."""
        return preview_image(picture, self.project.hidden / "previews")

    def reject(self, settings: RejectSettings, progress: Progress = SILENT) -> MoveReport:
        """Put images aside with their captions; nothing is deleted. Raises: DatasetError: someone else moves images; DiskError."""
        return reject_images(self.project, settings, progress)

    def restore(self, settings: RestoreSettings, progress: Progress = SILENT) -> MoveReport:
        """Put rejected images back. Raises: DatasetError: someone else moves images; DiskError."""
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

    def hand_to_trainer(self) -> Path:
        """Make this the project that the Trainer notebook opens. Returns: the file that says so."""
        write_text(present_project_file(), str(self.project.folder))
        return present_project_file()
