"""What the panels share whose job writes captions: the trigger word in its field, the job, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus, start_job
from core.dataset.items import count_images
from core.dataset.project import Project
from widgets.dataset.importing import skipped_list
from widgets.form import Form
from widgets.panel import Panel


class CaptionJobPanel(Panel):
    """Starts a job that writes captions; one press takes it back. A subclass gives `form`, whose settings have a `trigger_word`."""

    worker: ClassVar[str] = ""
    """Who writes: "The tagger"."""
    form: Form[Any]
    _filled_for: Path | None = None
    _trigger = ""

    def extras(self) -> list[ipw.Widget]:
        """Undo."""
        return [self.action("Undo the last change of captions", self._undo, self._undo_blocked)]

    def results(self) -> list[ipw.Widget]:
        """What came out, and what was left out."""
        self.found = ipw.HTML()
        return [self.found]

    def opened(self) -> None:
        """Another project was opened, and the form filled anew."""

    def summary(self, status: JobStatus) -> str:
        """What a job found, as HTML."""
        return ""

    def update(self) -> None:
        """For another project, begin anew; its trigger word stands in its field."""
        if self.job is None:
            self.found.value = ""
        if self.session.folder != self._filled_for:
            if self._filled_for is not None:
                self.form.fill(self.form.cls())
                self._trigger = ""
            self.opened()
            self._filled_for = self.session.folder
        self._fill_trigger()

    def blocked(self) -> str:
        """There must be pictures."""
        return super().blocked() or no_pictures(self.session.folder)

    def run(self) -> Job:
        """Start the job."""
        return start_job(self.session.dataset.project.folder, self.stage, self.form.value().model_dump(mode="json"))

    def show_report(self, status: JobStatus) -> None:
        """Show what was found, and what was skipped."""
        words = self.summary(status)
        self.found.value = (f'<p class="lb-help">{words}</p>' if words else "") + skipped_list(status)

    def _fill_trigger(self) -> None:
        """The project's trigger word stands in its field, also a new one, until a person writes something else there or empties it."""
        field, word = self.form.control("trigger_word").widget, self._word()
        if field.value.strip() == self._trigger and word != self._trigger:
            field.value, self._trigger = word, word

    def _word(self) -> str:
        return Project(self.session.folder).trigger_word if self.session.folder is not None else ""

    def _undo_blocked(self) -> str:
        working = self.job is not None and self.job.status().state == "running"
        return super().blocked() or (f"{self.worker} is at work. Wait for it, or cancel it." if working else "")

    def _undo(self) -> str:
        report = self.session.dataset.undo()
        left = f" {len(report.skipped)} were edited since and stay as they are." if report.skipped else ""
        return f"undone: {report.what}. {report.restored} captions are as before.{left}"


def no_pictures(folder: Path | None) -> str:
    """Why nothing can be done with a project without pictures; empty when it has some."""
    if folder is None or count_images(Project(folder).images):
        return ""
    return "The project has no pictures yet. Import some first."
