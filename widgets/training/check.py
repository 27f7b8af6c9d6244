"""Everything that can be known to be wrong before the training costs time, with what mends it at one press."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import ipywidgets as ipw

from core.base.findings import Finding
from core.base.jobs import JobStatus
from core.training.config import PARTS
from core.training.config.finding import SettingFinding
from core.training.config.presets import find_presets
from core.training.loading import LoadSettings
from widgets.dataset.check import CheckPanel
from widgets.panel import Work
from widgets.training.choice import keep_settings, read_settings, settings_file
from widgets.training.launch import backend_of
from widgets.training.measuring import MeasureBox

CHANGED = "The settings have changed since: check again to see what can be mended at one press."
REPLACES = "The preset replaces every setting but model, folders, prompts and name; 'Take back the last loading' brings them back."


class TrainingCheckPanel(CheckPanel):
    """Checks settings, model, pictures, trainer, machine and disk; nothing is written but what a press on a remedy changes."""

    name = "check"
    title = "Check"
    purpose = "Look at model, settings, pictures, trainer, machine and disk before it costs time or money."
    button = "Check everything"
    stage = "measure"

    def results(self) -> list[ipw.Widget]:
        """The findings, a button for each that can be mended at one press, and the short run that is measured."""
        self._mends = ipw.VBox().add_class("lb-form")
        self._found_in: Path | None = None
        self.measuring = MeasureBox(self, self._mend_button)
        return [*super().results(), self._mends, self.measuring.view]

    def opened(self) -> None:
        """The caps of the project's last short run come back."""
        self.measuring.open()

    def update(self) -> None:
        """Findings of another project are of no use."""
        if self._found_in != self.session.folder:
            self._findings.value, self._mends.children = "", ()
        elif self._mends.children and self._found_at != self._settings_mark():
            self._mends.children = (ipw.HTML(f'<p class="lb-help">{CHANGED}</p>'),)
        self.measuring.look()

    def blocked(self) -> str:
        """The settings must be right."""
        return super().blocked() or self.session.trouble

    def run(self) -> Work:
        """Check."""
        manager, settings, backend = self.session.training, read_settings(self.session), backend_of(self.session)

        def check() -> list[Finding]:
            return manager.check(settings, backend)

        return Work("looking at everything", check, self._show)

    def working_words(self, status: JobStatus) -> str:
        """Also beside the button of the short run."""
        words = super().working_words(status)
        self.measuring.tell(words)
        return words

    def show_report(self, status: JobStatus) -> None:
        """Show what was measured; a training that costs too much is no good news, and what was true of other settings is no news."""
        self.measuring.tell("")
        self.measuring.look()
        report = self.measuring.report
        if report is not None and report.other_settings and status.state != "cancelled":
            self.say("ready", "Ready")
        elif report is not None and status.state == "done":
            self.conclude(list(report.findings), status.message)

    def _show(self, findings: Sequence[Finding]) -> str:
        self._found_in, self._found_at = self.session.folder, self._settings_mark()
        mendable = {fix_words(one): one for one in reversed(findings) if isinstance(one, SettingFinding) and (one.fix or one.preset)}
        self._mends.children = [self._mend(one) for one in reversed(mendable.values())]  # one button for what mends several
        return super()._show(findings)

    def _settings_mark(self) -> int:
        """Changes when the kept settings do."""
        kept = settings_file(self.session.folder) if self.session.folder is not None else None
        return kept.stat().st_mtime_ns if kept is not None and kept.is_file() else 0

    def _mend(self, finding: SettingFinding) -> ipw.Widget:
        """What was found and its button."""
        why = f" {finding.why}" if finding.why else ""
        why += f" {REPLACES}" if finding.preset else ""
        words = ipw.HTML(f'<p class="lb-help">{html.escape(finding.what + why)}</p>')
        return ipw.VBox([words, self._mend_button(finding)]).add_class("lb-form")

    def _mend_button(self, finding: SettingFinding) -> ipw.Button:
        button = self.action(fix_words(finding), lambda: self._apply(finding))
        button.layout.align_self = "flex-start"
        return button

    def _apply(self, finding: SettingFinding) -> str:
        """Change the settings as the finding says, and look again."""
        if finding.preset:
            self.session.training.load_settings(LoadSettings(preset=finding.preset))
        if finding.fix:
            keep_settings(self.session, read_settings(self.session).with_fields(dict(finding.fix)))
        self.session.tell()
        self.main.click()
        return "changed."


def fix_words(finding: SettingFinding) -> str:
    """The words of its button: "Set Noise offset to 0.05"."""
    said = [f"use the preset {find_presets()[finding.preset].title!r}"] if finding.preset else []
    for name, value in finding.fix:
        title = next((cls.fields()[name].title for cls in PARTS.values() if name in cls.fields()), None) or name
        if isinstance(value, bool):
            said.append(f"switch {title!r} {'on' if value else 'off'}")
        else:
            words = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
            said.append(f"empty {title!r}" if value in (None, (), []) else f"set {title!r} to {words}")
    words = " and ".join(said)
    return words[:1].upper() + words[1:]
