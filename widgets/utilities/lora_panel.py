"""What the panels of LoRA files have in common: jobs that need no project, and a choice of one file that holds for all of them."""

from __future__ import annotations

from functools import cached_property
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
from widgets.utilities.reading import mark_of

NO_FILE = "Ready as soon as a LoRA file is chosen."


class LoraFiles(Suggestions):
    """The project's LoRA files, beside which any other can be named."""

    nothing = "choose a file"
    placeholder = "a .safetensors file on this machine"


class ToolPanel(Panel):
    """Works on files wherever they lie. A subclass says which are chosen, and calls `inputs_changed` when that may be others."""

    needs_project = False
    stages: ClassVar[dict[str, type[Settings]]]
    """The stages whose jobs are this panel's, and their settings."""
    _chosen: tuple[str, ...] = ()
    _seen_choice = ""

    @cached_property
    def manager(self) -> UtilitiesManager:
        """The front desk."""
        return UtilitiesManager()

    def chosen(self) -> tuple[str, ...]:
        """The files that are chosen now; fields that are still empty are left out."""
        return ()

    def resumed(self, settings: Settings) -> None:
        """A job of an earlier kernel is taken up: show the files that it was about, where none are chosen yet."""

    def file_changed(self) -> None:
        """Another file is chosen: what was found of the one before is no answer any more."""

    def place(self) -> Path:
        """LoRA files are everybody's: their jobs lie in a place of their own."""
        return self.manager.folder

    def begin(self, stage: str, settings: Settings) -> Job:
        """Start a stage on files."""
        return self.manager.start(stage, settings)

    def offered(self) -> list[tuple[str, str]]:
        """The project's LoRA files: words and path."""
        folder = self.session.folder
        return [(words, str(path)) for words, path in saved_loras(folder)] if folder is not None else []

    def not_now(self) -> str:
        """Why a button that needs what the main one needs cannot be pressed now; empty when it can."""
        return self.blocked() or self.advice() or ("It is working. Wait for it, or cancel it." if self.working() else "")

    def new_choice(self) -> str:
        """The file that was chosen in another panel since this was last asked; empty: none."""
        before, self._seen_choice = self._seen_choice, self.session.chosen_lora
        return self._seen_choice if self._seen_choice != before else ""

    def inputs_changed(self) -> None:
        """Something above the main button is another now: what was wrong before may be mended."""
        if self._told is not None and self._told[0] == "attention" and not self.working():
            self._told = None
        present = self.chosen()
        if present != self._chosen:
            self._chosen = present
            self.file_changed()
        self.look_again()

    def look_again(self) -> None:
        """Say anew what is missing."""
        if not self.working():
            self._settle()
        self._enable()

    def _take_up_job(self) -> None:
        """The newest of its stages, with the files that it was about."""
        jobs = [job for stage in self.stages if (job := newest_job(self.place(), stage)) is not None]
        if not jobs:
            return
        newest = max(jobs, key=lambda job: job.id)
        before = settings_of(newest, self.stages[newest.stage])
        if before is not None:
            self.resumed(before)
        self._chosen = self.chosen()
        self.follow(newest)


class LoraPanel(ToolPanel):
    """Works on one LoRA file. A subclass makes `form`, of a settings class with the field `file`, by `file_form`."""

    form: Form[Any]

    def file_form(self, settings: type[Settings], choices: dict[str, Any] | None = None, hide: tuple[str, ...] = ()) -> Form[Any]:
        """A form whose field `file` offers the project's LoRA files. Args: as those of `Form`."""
        form = Form(settings, {"file": LoraFiles(), **(choices or {})}, hide)
        form.on_change(self.heard(self.inputs_changed))
        return form

    @property
    def file(self) -> str:
        """What stands in the field."""
        return str(self.form.control("file").read() or "")

    def chosen(self) -> tuple[str, ...]:
        """The one file."""
        return (self.file,) if self.file else ()

    def update(self) -> None:
        """Offer the project's files, and follow another panel's choice; what the person chose here meanwhile is not written over."""
        self.form.control("file").offer(self.offered())
        choice = self.new_choice()
        if choice and choice != self.file and self.chosen() == self._chosen and self.is_free():
            self.form.control("file").write(choice)
            self.inputs_changed()

    def advice(self) -> str:
        """A file must be chosen."""
        return "" if self.file else NO_FILE

    def is_free(self) -> bool:
        """Whether another panel's choice may take the place of the file here."""
        return True

    def is_shared(self) -> bool:
        """Whether the other panels of one file take over what is chosen here: a path that was mistyped stays where it was typed."""
        return mark_of(self.file) is not None

    def resumed(self, settings: Settings) -> None:
        """The file of the job, where none was chosen in another panel."""
        if not self.session.chosen_lora:
            self.form.control("file").write(str(getattr(settings, "file", "")))
            if self.is_shared():
                self.session.chosen_lora = self._seen_choice = self.file

    def inputs_changed(self) -> None:
        """The choice is one for all panels."""
        is_other = self.chosen() != self._chosen
        super().inputs_changed()
        if is_other and self.is_shared() and self.file != self.session.chosen_lora:
            self.session.chosen_lora = self._seen_choice = self.file
            self.session.tell()
