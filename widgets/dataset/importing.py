"""Bring pictures into the project."""

from __future__ import annotations

import html
from pathlib import Path

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus, start_job
from core.dataset.sources.importing import ImportSettings
from widgets.demo import demo_pictures, is_demo
from widgets.form import Form
from widgets.panel import Panel


class ImportPanel(Panel):
    """Starts the import job and lists what was left out."""

    name = "import"
    title = "Import"
    purpose = "Copy pictures, with their captions, from a folder or an archive into the project. The source stays as it is."
    button = "Import"
    stage = "import"

    def controls(self) -> list[ipw.Widget]:
        """From where, and how."""
        self._filled_for: Path | None = None
        self.form = Form(ImportSettings)
        return [self.form.view]

    def results(self) -> list[ipw.Widget]:
        """What was left out, with the reasons."""
        self._skipped = ipw.HTML()
        return [self._skipped]

    def update(self) -> None:
        """Another project has another source; that of the demo project is the demo's pictures."""
        source = self.form.control("source").widget
        if self.session.folder != self._filled_for:
            if is_demo(self.session.folder):
                source.value = str(demo_pictures())
            elif self._filled_for is not None:
                source.value = ""
            self._filled_for = self.session.folder
        if self.job is None:
            self._skipped.value = ""

    def run(self) -> Job:
        """Start the job."""
        return start_job(self.session.dataset.project.folder, self.stage, self.form.value().model_dump(mode="json"))

    def show_report(self, status: JobStatus) -> None:
        """List what was skipped."""
        self._skipped.value = skipped_list(status)


def skipped_list(status: JobStatus) -> str:
    """What a job left out and why, as a list in HTML; empty when nothing was."""
    lines = [f"<li class='lb-warning'><b>{html.escape(str(item['name']))}</b> was left out: {html.escape(str(item['reason']))}</li>"
             for item in status.report.get("skipped", [])]
    return f'<ul class="lb-findings">{"".join(lines)}</ul>' if lines else ""
