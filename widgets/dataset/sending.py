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

TOKEN = ("Needed where HF_TOKEN is not set on this machine. Make one with the right to write at huggingface.co/settings/tokens. It is "
         "kept until the kernel ends, and written nowhere.")
TAKEN = "taken; another one takes its place"
"""Stands in the empty field: a line below that came or went would move the button away under the pointer that presses it."""


class SendPanel(Panel):
    """Starts the sending. A token is kept in this object's memory alone: no setting, no file, no log knows it."""

    name = "send"
    title = "Send to Hugging Face"
    purpose = "Bring an export to Hugging Face as a data set, private if you do not choose otherwise. Not needed for training here."
    button = "Send it"
    stage = "push-export"
    needs_pictures = True

    def controls(self) -> list[ipw.Widget]:
        """Where to, and the token."""
        self._token = ""
        layouts = [(entry.title, entry.name) for entry in LAYOUTS if entry.name in COPIES]
        self.form = Form(PushSettings, {"layout": layouts})
        self.form.control("about").view.add_class("lb-wide")
        self.token = ipw.Password(description="Token", continuous_update=False)
        self.token.observe(self.heard(self._take_token), "value")
        box = ipw.VBox([self.token, ipw.HTML(f'<p class="lb-help">{TOKEN}</p>')]).add_class("lb-field").add_class("lb-field-token")
        self.form.insert(ipw.VBox([box]).add_class("lb-fields"))
        return [self.form.view]

    def results(self) -> list[ipw.Widget]:
        """Where it is."""
        self._place = ipw.HTML()
        return [self._place]

    def opened(self) -> None:
        """Another project goes elsewhere; the newest sending's settings come back."""
        self._place.value = ""
        self.form.fill(newest_settings(self.session.folder, self.stage, PushSettings) or PushSettings())

    def begun(self) -> None:
        """What came before is no answer any more."""
        self._place.value = ""

    def run(self) -> Job:
        """Start the job. Raises: ConfigError: no repository is named."""
        settings = self.form.value()
        if not settings.repo_id:
            raise ConfigError("No data set on Hugging Face is named.", "Write it as owner/name, or a name alone.")
        self._take_token()
        return self.session.dataset.start_push(settings, self._token)

    def show_report(self, status: JobStatus) -> None:
        """A link to its page."""
        address = html.escape(str(status.report.get("address", ""))) if status.state == "done" else ""
        self._place.value = f'<p class="lb-help"><a href="{address}" target="_blank" rel="noopener">{address}</a></p>' if address else ""

    def _take_token(self) -> None:
        """Out of the field, which the notebook could save, into memory."""
        if typed := self.token.value.strip():
            self._token, self.token.value, self.token.placeholder = typed, "", TAKEN
