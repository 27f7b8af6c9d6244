"""What the panels of LoRA files have in common: the choice of a file, which is one for all of them, and jobs that need no project."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from core.base.jobs import Job
from core.base.settings import Settings
from core.training.saved_loras import saved_loras
from core.utilities.manager import UtilitiesManager
from widgets.controls import Suggestions
from widgets.form import Form
from widgets.jobs_view import newest_job, settings_of
from widgets.panel import Panel

NO_FILE = "Ready as soon as a LoRA file is chosen."


class LoraFiles(Suggestions):
    """The project's LoRA files, beside which any other can be named."""

    nothing = "choose a file"
    placeholder = "a .safetensors file on this machine"


class LoraPanel(Panel):
    """Works on one LoRA file. A subclass makes `form`, of a settings class with the field `file`, by `file_form`."""

    needs_project = False
    stages: ClassVar[dict[str, type[Settings]]]
    """The stages whose jobs are this panel's, and their settings."""
    form: Form[Any]

    def file_form(self, settings: type[Settings], choices: dict[str, Any] | None = None, hide: tuple[str, ...] = ()) -> Form[Any]:
        """A form whose field `file` offers the project's LoRA files."""
        self.manager = UtilitiesManager()
        form = Form(settings, {"file": LoraFiles(), **(choices or {})}, hide)
        form.on_change(self.heard(self._form_changed))
        return form

    @property
    def file(self) -> str:
        """What stands in the field."""
        return str(self.form.control("file").read() or "")

    def place(self) -> Path:
        """LoRA files are everybody's: their jobs lie in a place of their own."""
        return self.manager.folder

    def update(self) -> None:
        """Offer the project's files, and show the one that was chosen in whichever panel."""
        folder = self.session.folder
        self.form.control("file").offer([(words, str(path)) for words, path in saved_loras(folder)] if folder is not None else [])
        if self.session.chosen_lora and self.session.chosen_lora != self.file:
            self.form.control("file").write(self.session.chosen_lora)

    def advice(self) -> str:
        """A file must be chosen."""
        return "" if self.file else NO_FILE

    def file_changed(self) -> None:
        """Another file is chosen: what was found of the one before is no answer any more."""

    def begin(self, stage: str, settings: Settings) -> Job:
        """Start a stage on LoRA files."""
        return self.manager.start(stage, settings)

    def _take_up_job(self) -> None:
        """The newest of its stages, with the file that it was about."""
        jobs = [job for stage in self.stages if (job := newest_job(self.place(), stage)) is not None]
        if not jobs:
            return
        newest = max(jobs, key=lambda job: job.id)
        before = settings_of(newest, self.stages[newest.stage])
        if before is not None and not self.session.chosen_lora:
            self.session.chosen_lora = str(getattr(before, "file", ""))
            self.form.control("file").write(self.session.chosen_lora)
        self._file = self.file
        self.follow(newest)

    def _form_changed(self) -> None:
        if self.file != getattr(self, "_file", ""):
            self._file = self.file
            self.file_changed()
            if self.file != self.session.chosen_lora:
                self.session.chosen_lora = self.file
                self.session.tell()
        if not self.working():
            self._settle()
        self._enable()
