"""What the panels share whose job writes captions: the trigger word in its field, the job, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus
from core.dataset.captions.which import WhichImages, for_one
from core.dataset.project import Project
from widgets.dataset.history import undo_button
from widgets.dataset.importing import skipped_list
from widgets.dataset.which import WhichChoice
from widgets.form import Form
from widgets.jobs_view import newest_job, newest_settings
from widgets.panel import Panel

ONCE = {"trigger_word", "force_download", "ask_again"}
"""Settings that the next tagging or captioning does not take over: the trigger word is the project's, and nothing is fetched or asked twice
because it was once."""


class CaptionJobPanel(Panel):
    """Starts a job that writes captions; one press takes it back. A subclass gives `form`, whose settings have a `trigger_word`,
    and `which`."""

    needs_pictures = True
    worker: ClassVar[str] = ""
    """Who writes: "The tagger"."""
    form: Form[Any]
    which: WhichChoice
    _filled_for: Path | None = None
    _trigger = ""

    def extras(self) -> list[ipw.Widget]:
        """Undo."""
        return [undo_button(self, self._undo_blocked)]

    def results(self) -> list[ipw.Widget]:
        """What came out, and what was left out."""
        self.found = ipw.HTML()
        return [self.found]

    def summary(self, status: JobStatus) -> str:
        """What a job found, as HTML."""
        return ""

    def opened(self) -> None:
        """For another project, begin anew: with the settings of its newest job, or the usual ones."""
        self.found.value = ""
        last = self.last_settings()
        if self._filled_for is not None:
            self.form.fill(self.form.cls())
            self.which.begin()
            self._trigger = ""
        if last is not None:  # a trigger word that was written already stays
            self.form.fill(last.changed(trigger_word=self.form.control("trigger_word").read() or ""))
        self._filled_for = self.session.folder

    def last_settings(self) -> Any:
        """What the project's newest job was started with, without what was meant for that time only; None: there was none."""
        return newest_settings(self.session.folder, self.stage, self.form.cls, WhichImages.fields().keys() | ONCE)

    def update(self) -> None:
        """The project's trigger word stands in its field."""
        self._fill_trigger()

    def blocked(self) -> str:
        """There must be pictures, among them those that are chosen."""
        return super().blocked() or self.which.blocked()

    def run(self) -> Job:
        """Start the job."""
        return self.start(self.which.put_into(self.asked()))

    def run_one(self, image_id: str) -> Job:
        """Start a job for one picture that was named, with the settings of the form. Raises: ConfigError: a value is wrong."""
        return self.start(for_one(self.asked(), image_id))

    def at_work(self) -> str:
        """Why no job can be started for one picture now; empty when one can."""
        job = newest_job(self.session.folder, self.stage)
        return f"{self.worker} is at work. Wait for it, or cancel it." if job is not None and not job.status().ended else ""

    def asked(self) -> Any:
        """The form's settings. Raises: ConfigError: a value is wrong."""
        return self.form.value()

    def close(self) -> None:
        """Let go."""
        super().close()
        self.which.close()

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
        return self.no_project() or (f"{self.worker} is at work. Wait for it, or cancel it." if working else "")
