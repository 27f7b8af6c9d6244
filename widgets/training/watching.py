"""What watches over the project's runs, as a folded form in the Train panel."""

from __future__ import annotations

import ipywidgets as ipw

from core.base.errors import ConfigError
from core.training.guards import GuardSettings
from widgets.form import Form
from widgets.panel import Panel
from widgets.pieces import Fold

HELP = "Saved at once, for the next runs of this project and for those that work or wait now."


class GuardForm:
    """Keeps the guard settings as soon as they are right. Args: panel: says what is wrong with them."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.form = Form(GuardSettings)
        self._filling = False
        self.form.on_change(panel.heard(self._keep))
        self.fold = Fold(GuardSettings.title, [ipw.HTML(f'<p class="lb-help">{HELP}</p>'), self.form.view])
        self.fold.button.add_class("lb-fold-guards")
        self.view = self.fold.view

    def look(self) -> None:
        """Show what the project keeps; hidden without a project."""
        known = self.panel.session.folder is not None
        self.view.layout.display = "" if known else "none"
        if known and (kept := self.panel.session.training.guards()) != self._shown():
            self._filling = True
            self.form.fill(kept)
            self._filling = False

    def _shown(self) -> GuardSettings | None:
        try:
            return self.form.value()
        except ConfigError:
            return None

    def _keep(self) -> None:
        if not self._filling and self.panel.session.folder is not None:
            settings = self.form.value()
            if settings != self.panel.session.training.guards():
                self.panel.session.training.keep_guards(settings)
                self.panel.done("saved.")
