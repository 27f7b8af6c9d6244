"""The doctor's panel: what this machine has, what is missing, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as ipw

from core.base.findings import Finding, errors_of
from core.base.words import counted
from widgets.panel import Panel, Work
from widgets.pieces import findings_list

WHERE_TO_TYPE = "Type its commands in a terminal (menu File, New, Terminal), in Lorabook's folder; on Colab in a cell, with ! before them."


class SetupPanel(Panel):
    """Checks the machine."""

    name = "setup"
    title = "Setup"
    purpose = "Check this machine: Python, GPU, packages, disk, trainers. Nothing is changed."
    button = "Check this machine"
    needs_project = False

    def results(self) -> list[ipw.Widget]:
        """The findings."""
        self._findings = ipw.HTML()
        return [self._findings]

    def run(self) -> Work:
        """Ask the doctor."""
        from core.setup.manager import SetupManager

        return Work("looking at this machine", SetupManager().doctor, self._show)

    def _show(self, findings: Sequence[Finding]) -> str:
        self._findings.value = findings_list(findings)
        errors, warnings = len(errors_of(list(findings))), sum(finding.level == "warning" for finding in findings)
        if not errors:
            things = f"{warnings} {'thing is' if warnings == 1 else 'things are'} worth a look"
            return f"nothing must be mended; {things}." if warnings else "this machine is ready."
        return f"{counted(errors, 'thing')} must be mended; the list says how. {WHERE_TO_TYPE}"
