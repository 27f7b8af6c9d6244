"""Export the dataset as a trainer takes it: a check first, with the change that mends what it finds; then numbers and a contact sheet."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from core.base.errors import ConfigError
from core.base.jobs import Job, JobStatus
from core.base.settings import unused
from core.base.words import counted
from core.dataset.export.checking import ExportCheck, ExportFinding
from core.dataset.export.exporting import REFUSED
from core.dataset.export.layouts import LAYOUTS
from core.dataset.export.settings import ExportSettings
from widgets.download_links import download_links
from widgets.form import Form
from widgets.jobs_view import newest_settings
from widgets.panel import Panel, Work
from widgets.pieces import findings_list, let_go, part, row, table

CHOICES = {
    "versions": [("the best version of each picture", "best"), ("the pictures themselves", "none")],
    "masks": [("each in a file of its own", "files"), ("in the transparency of the pictures", "alpha"), ("without", "none")],
    "without_caption": [("nothing is exported while there are some", "stop"), ("they are left out", "leave_out"),
                        ("the trigger word is their caption", "trigger")],
}
HELP = {"versions": "Where tools made some.", "masks": "White counts, black is not learned.", "without_caption": "What becomes of them."}
"""In the place of what explains the names on the command line."""
SHOWN_TAGS = 12


class ExportPanel(Panel):
    """Checks and writes an export."""

    name = "export"
    title = "Export"
    purpose = ("Write pictures, captions and masks as another trainer wants them. Your project stays as it is; exporting again changes "
               "only what is new.")
    button = "Export"
    stage = "export"
    needs_pictures = True

    def controls(self) -> list[ipw.Widget]:
        """For whom, and how."""
        titles = [(entry.title, entry.name) for entry in LAYOUTS]
        self.form = Form(ExportSettings, {"layout": titles, **CHOICES}, hide=("images",))
        self.form.on_change(self.heard(self._changed))
        self._changed()
        return [self.form.view]

    def extras(self) -> list[ipw.Widget]:
        """Look before anything is written."""
        return [self.action("Check first", self._check, self._no_check)]

    def results(self) -> list[ipw.Widget]:
        """Findings with what mends them; numbers, small pictures, and the way home."""
        self._findings, self._links, self._numbers = ipw.VBox(), ipw.HTML(), ipw.HTML()
        self._sheet = ipw.Image(format="webp").add_class("lb-sheet")
        self._shown = ipw.VBox([part("The export"), self._links, self._numbers, self._sheet])
        self._shown.layout.display = "none"
        return [self._findings, self._shown]

    def opened(self) -> None:
        """Another project has another export; its newest one's settings come back."""
        self._show_findings(())
        self._shown.layout.display = "none"
        before = newest_settings(self.session.folder, self.stage, ExportSettings, without=("images",))
        self.form.fill(before or ExportSettings())

    def begun(self) -> None:
        """What was found and shown before is no answer any more."""
        self._show_findings(())
        self._shown.layout.display = "none"

    def run(self) -> Job:
        """Write it. Raises: ConfigError: a setting is wrong."""
        return self.start(self.form.value())

    def show_report(self, status: JobStatus) -> None:
        """Zips, numbers, and the first page of small pictures."""
        report = status.report
        if status.state == "failed" and status.message.startswith(REFUSED):
            self.guard(self._check)  # for the buttons that mend it
        self._shown.layout.display = "" if status.state == "done" and report else "none"
        if status.state != "done" or not report:
            return
        findings = [ExportFinding(**one) for one in report.get("findings", [])]
        self._show_findings(findings)
        self.conclude(findings, status.message)
        self._links.value = download_links([Path(place) for place in report.get("zips", [])])
        self._numbers.value = _numbers(report)
        sheets = [Path(report["folder"], name) for name in report.get("sheets", [])]
        there = next((path for path in sheets if path.is_file()), None)
        self._sheet.layout.display = "" if there is not None else "none"
        if there is not None:
            self._sheet.value = self.session.dataset.preview(there, large=True)
            self._sheet.alt = f"Contact sheet, page 1 of {len(sheets)}"

    def _changed(self) -> None:
        """Only the fields that matter for this layout are shown."""
        try:
            settings = self.form.value()
        except ConfigError:
            return
        for name, words in {**HELP, "layout": LAYOUTS.entry(settings.layout).note}.items():
            control = self.form.control(name)
            if control.help != words:
                control.help = words
                control.complain("")
        self.form.set_idle({name: (reason, True) for name, reason in unused(settings).items()})

    def _check(self) -> Work:
        manager, settings = self.session.dataset, self.form.value()
        self.begun()
        return Work("looking at pictures, captions and masks", lambda: manager.check_export(settings), self._checked)

    def _checked(self, found: ExportCheck) -> str | None:
        self._show_findings(found.findings)
        return self.conclude(found.findings, _lower(found.sentence()))

    def _no_check(self) -> str:
        return self.blocked() or ("It is working. Wait for it, or cancel it." if self.working() else "")

    def _show_findings(self, findings: Sequence[ExportFinding]) -> None:
        """A list, and below each finding the button that mends it."""
        before, lines = self._findings.children, []
        for finding in findings:
            button = [self._remedy(finding)] if finding.fix else []
            lines.append(ipw.VBox([ipw.HTML(findings_list([finding])), *([row(*button)] if button else [])]))
        self._findings.children = lines
        for widget in before:
            let_go(widget)

    def _remedy(self, finding: ExportFinding) -> ipw.Button:
        button = ipw.Button(description=finding.press)
        button.on_click(lambda _: self.loop.settled(lambda: self.guard(lambda: self._mend(finding.fix))))
        return button

    def _mend(self, fix: Mapping[str, Any]) -> Work:
        """Change the settings, and look again."""
        self.form.fill(self.form.value().changed(**fix))
        return self._check()


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _numbers(report: Mapping[str, Any]) -> str:
    """The table of numbers, and what was changed in copies, in HTML."""
    parts = [table(report.get("rows", []))]
    for title, rows in (("Training sizes", report.get("buckets", [])), ("Frequent tags", report.get("tags", [])[:SHOWN_TAGS])):
        if rows:
            parts.append(f'<div class="lb-part" role="heading" aria-level="4">{title}</div>{table(rows)}')
    changes = [f"{html.escape(what)} in {counted(number, 'picture')}" for what, number in report.get("changes", {}).items()]
    parts += [f'<p class="lb-help">In the copies: {"; ".join(changes)}.</p>'] if changes else []
    left = [(one["name"], one["reason"]) for one in report.get("skipped", [])]
    parts += [f'<div class="lb-part" role="heading" aria-level="4">Left out</div>{table(left[:40])}'] if left else []
    return "".join(parts)
