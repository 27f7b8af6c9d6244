"""What would go wrong with this dataset in training."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as ipw

from core.base.findings import Finding, errors_of
from core.base.words import counted
from widgets.panel import Panel, Work
from widgets.pieces import findings_list


class CheckPanel(Panel):
    """Looks at every picture and caption as a trainer will."""

    name = "check"
    title = "Check"
    purpose = "Look at every picture and caption as a trainer will, and say what to mend."
    button = "Check the dataset"

    def results(self) -> list[ipw.Widget]:
        """The findings."""
        self._findings = ipw.HTML()
        return [self._findings]

    def update(self) -> None:
        """Findings of another project are of no use."""
        if self._told is None:
            self._findings.value = ""

    def run(self) -> Work:
        """Check."""
        manager = self.session.dataset
        return Work("looking at pictures and captions", manager.check, self._show)

    def _show(self, findings: Sequence[Finding]) -> str:
        self._findings.value = findings_list(findings)
        return verdict(findings)


def verdict(findings: Sequence[Finding]) -> str:
    """The result of a check in one sentence."""
    errors, warnings = len(errors_of(list(findings))), sum(finding.level == "warning" for finding in findings)
    if errors:
        return f"{counted(errors, 'thing')} must be mended before training; the list says how."
    if warnings:
        return f"nothing stops the training; {warnings} {'thing is' if warnings == 1 else 'things are'} worth a look."
    return "all is well."
