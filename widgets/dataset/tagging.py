"""Let a tagger write captions."""

from __future__ import annotations

import html
from pathlib import Path

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus, start_job
from core.dataset.captions.choosing import TagSettings
from core.dataset.captions.taggers import TAGGERS
from core.dataset.items import count_images
from core.dataset.project import Project
from widgets.dataset.importing import skipped_list
from widgets.demo import is_demo
from widgets.form import Form
from widgets.panel import Panel

SHOWN_TAGS = 30


class TaggingPanel(Panel):
    """Starts the tagging job; one press takes it back."""

    name = "tag"
    title = "Tag"
    purpose = "Let a tagger look at the pictures and write captions. Your own words are kept."
    button = "Tag the pictures"
    stage = "tag"

    def controls(self) -> list[ipw.Widget]:
        """Which tagger, and which of its tags."""
        self._filled_for: Path | None = None
        self.form = Form(TagSettings, choices={"tagger": [(f"{entry.title}: {entry.note}" if entry.note else entry.title, entry.name)
                                                          for entry in TAGGERS]})
        return [self.form.view]

    def extras(self) -> list[ipw.Widget]:
        """Undo."""
        return [self.action("Undo the last change of captions", self._undo, self._undo_blocked)]

    def results(self) -> list[ipw.Widget]:
        """The tags that were found most often, and what was left out."""
        self._found = ipw.HTML()
        return [self._found]

    def update(self) -> None:
        """For another project, begin anew; for the demo project, choose the demo's tagger."""
        if self.job is None:
            self._found.value = ""
        if self.session.folder != self._filled_for:
            if self._filled_for is not None:
                self.form.fill(TagSettings())
            if is_demo(self.session.folder):
                self.form.control("tagger").write("demo")
            self._filled_for = self.session.folder

    def blocked(self) -> str:
        """There must be pictures."""
        return super().blocked() or no_pictures(self.session.folder)

    def run(self) -> Job:
        """Start the job."""
        return start_job(self.session.dataset.project.folder, self.stage, self.form.value().model_dump(mode="json"))

    def show_report(self, status: JobStatus) -> None:
        """Show the usual tags."""
        tags = list(status.report.get("tags", {}).items())[:SHOWN_TAGS]
        words = ", ".join(f"{html.escape(tag)} ({count})" for tag, count in tags)
        self._found.value = (f'<p class="lb-help">Found most often: {words}</p>' if words else "") + skipped_list(status)

    def _undo_blocked(self) -> str:
        working = self.job is not None and self.job.status().state == "running"
        return super().blocked() or ("The tagger is at work. Wait for it, or cancel it." if working else "")

    def _undo(self) -> str:
        report = self.session.dataset.undo()
        left = f" {len(report.skipped)} were edited since and stay as they are." if report.skipped else ""
        return f"undone: {report.what}. {report.restored} captions are as before.{left}"


def no_pictures(folder: Path | None) -> str:
    """Why nothing can be done with a project without pictures; empty when it has some."""
    if folder is None or count_images(Project(folder).images):
        return ""
    return "The project has no pictures yet. Import some first."
