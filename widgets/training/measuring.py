"""Measure a short run before the whole is paid for: what it may cost, and what it showed."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets as ipw

from core.base.jobs import Job
from core.training.backends import BACKENDS
from core.training.config.finding import SettingFinding
from core.training.kept import settings_file
from core.training.measuring.report import MeasureReport
from core.training.measuring.settings import MeasureSettings
from widgets.form import Form
from widgets.jobs_view import newest_settings
from widgets.panel import Panel
from widgets.pieces import findings_list, part, row, table
from widgets.training.choice import keep_settings, read_settings
from widgets.training.launch import backend_of

ABOUT = ("A few steps of these very settings in the real trainer, on copies of your largest pictures, with one sample picture and one "
         "save: how much memory they take, how long the whole training is and what it costs. It takes some minutes. What it makes is "
         "thrown away; your runs, pictures and caches stay as they are.")
BUTTON = "Measure a short run"
HEAD = ("", "Measured", "Estimated before")


class MeasureBox:
    """The part of the Check panel that measures.

    Args: panel: follows the job. mend: makes the button of a finding that can be mended at one press.
    """

    def __init__(self, panel: Panel, mend: Callable[[SettingFinding], ipw.Button]) -> None:
        self.panel, self.session, self.mend = panel, panel.session, mend
        self.form = Form(MeasureSettings, hide=("backend",))
        self.button = panel.action(BUTTON, self._start, self._blocked)
        self.result, self.mends, self._going = ipw.HTML(), row(), ipw.HTML()
        self.report: MeasureReport | None = None
        about = ipw.HTML(f'<p class="lb-help">{ABOUT}</p>')
        self.view = ipw.VBox([part(BUTTON), about, self.form.view, row(self.button), self._going, self.result, self.mends])
        self.view.add_class("lb-form").add_class("lb-measure")

    def open(self) -> None:
        """Another project is open: its caps are those of its last short run."""
        kept = newest_settings(self.session.folder, self.panel.stage, MeasureSettings, without=("backend",))
        self.form.fill(kept or MeasureSettings())

    def look(self) -> None:
        """Show the last measurement, as far as it holds for the settings as they are now."""
        before, self.report = self.report, None
        if self.session.folder is not None:
            self.report = self.session.training.measurement(read_settings(self.session), backend_of(self.session))
        if self.report == before and before is not None:
            return
        self.result.value = report_html(self.report) if self.report is not None else ""
        mendable, shown = mendable_in(self.report), mendable_in(before)
        if mendable != shown:
            self.mends.children = [self.mend(one) for one in mendable]

    def tell(self, words: str) -> None:
        """How far the short run is, beside its button: the panel's status line may be out of sight. Args: words: empty: it has ended."""
        self._going.value = f'<p class="lb-help">{html.escape(words)} (Cancel stands above.)</p>' if words else ""

    def _start(self) -> Job:
        """As it stands on the screen: settings that nobody has changed yet are kept first, for the job reads them there."""
        wanted = self.form.value().changed(backend=backend_of(self.session))
        if not settings_file(self.session.training.project.folder).is_file():
            keep_settings(self.session, read_settings(self.session))
        return self.panel.start(wanted)

    def _blocked(self) -> str:
        if reason := self.panel.blocked():
            return reason
        if self.panel.working():
            return "It is working. Wait for it, or cancel it."
        if not read_settings(self.session).model.pretrained_model_name_or_path:
            return "No model is chosen yet. Choose it in the panel Model and settings."
        missing = BACKENDS.load(backend_of(self.session)).missing()
        return str(missing) if missing is not None and missing.level == "error" else ""


def mendable_in(report: MeasureReport | None) -> list[SettingFinding]:
    """What can be mended at one press."""
    return [one for one in report.findings if isinstance(one, SettingFinding) and one.fix] if report is not None else []


def report_html(report: MeasureReport) -> str:
    """What was measured beside what was estimated, and what of it is worth a word."""
    if report.other_settings:
        return f'<p class="lb-help">{html.escape(report.sentence())} Measure again to know more.</p>'
    estimated = any(one.estimated for one in report.rows)
    rows = [(one.name, one.measured, one.estimated)[:3 if estimated else 2] for one in report.rows]
    return table(rows, HEAD[:3 if estimated else 2]) + findings_list(report.findings)
