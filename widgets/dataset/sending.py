"""Send an export to Hugging Face, as a data set: private by itself, and gone on with when it was cut off."""

from __future__ import annotations

import html

import ipywidgets as ipw

from core.base.errors import ConfigError
from core.base.jobs import Job, JobStatus
from core.dataset.export.layouts import LAYOUTS
from core.dataset.export.pushing import PushSettings
from core.dataset.export.settings import COPIES
from widgets.form import Form
from widgets.jobs_view import newest_settings
from widgets.panel import Panel
from widgets.token_field import TokenField


class SendPanel(Panel):
    """Starts the sending. A token is kept in the session's memory alone: no setting, no file, no log knows it."""

    name = "send"
    title = "Send to Hugging Face"
    purpose = "Bring an export to Hugging Face as a data set, private if you do not choose otherwise. Not needed for training here."
    button = "Send it"
    stage = "push-export"
    needs_pictures = True

    def controls(self) -> list[ipw.Widget]:
        """Where to, and the token."""
        layouts = [(entry.title, entry.name) for entry in LAYOUTS if entry.name in COPIES]
        self.form = Form(PushSettings, {"layout": layouts})
        self.form.control("about").view.add_class("lb-wide")
        self.token = TokenField(self.session, self.heard)
        self.form.insert(self.token.view)
        return [self.form.view]

    def results(self) -> list[ipw.Widget]:
        """Where it is."""
        self._place = ipw.HTML()
        return [self._place]

    def opened(self) -> None:
        """Another project goes elsewhere; the newest sending's settings come back."""
        self._place.value = ""
        self.form.fill(newest_settings(self.session.folder, self.stage, PushSettings) or PushSettings())

    def update(self) -> None:
        """One token serves all panels."""
        self.token.show()

    def begun(self) -> None:
        """What came before is no answer any more."""
        self._place.value = ""

    def run(self) -> Job:
        """Start the job. Raises: ConfigError: no repository is named."""
        settings = self.form.value()
        if not settings.repo_id:
            raise ConfigError("No data set on Hugging Face is named.", "Write it as owner/name, or a name alone.")
        return self.session.dataset.start_push(settings, self.token.take())

    def show_report(self, status: JobStatus) -> None:
        """A link to its page."""
        address = html.escape(str(status.report.get("address", ""))) if status.state == "done" else ""
        self._place.value = f'<p class="lb-help"><a href="{address}" target="_blank" rel="noopener">{address}</a></p>' if address else ""
