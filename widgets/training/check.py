"""Everything that can be known to be wrong before the training costs time."""

from __future__ import annotations

from core.base.findings import Finding
from widgets.dataset.check import CheckPanel
from widgets.panel import Work
from widgets.training.choice import read_settings
from widgets.training.launch import backend_of


class TrainingCheckPanel(CheckPanel):
    """Checks settings, model, pictures, trainer, machine and disk; nothing is written."""

    name = "check"
    title = "Check"
    purpose = "Look at model, settings, pictures, trainer, machine and disk before it costs time or money."
    button = "Check everything"

    def blocked(self) -> str:
        """The settings must be right."""
        return super().blocked() or self.session.trouble

    def run(self) -> Work:
        """Check."""
        manager, settings, backend = self.session.training, read_settings(self.session), backend_of(self.session)

        def check() -> list[Finding]:
            return manager.check(settings, backend)

        return Work("looking at everything", check, self._show)
