"""Give the pictures other names: see them first, then do it, and take it back if it was wrong."""

from __future__ import annotations

import ipywidgets as ipw

from core.dataset.manager import DatasetManager
from core.dataset.renaming import RenamePlan, RenameReport, RenameSettings
from widgets.components.changes import TextChange
from widgets.dataset.bulk_change import BulkChangePanel
from widgets.form import Form
from widgets.panel import Work


class RenamePanel(BulkChangePanel):
    """A renaming with its preview."""

    name = "rename"
    title = "Rename"
    purpose = ("Give the pictures other names: numbers, plain letters, or the time they were taken. Captions go along, and it can be "
               "taken back.")
    button = "Preview the names"
    stage = "rename"
    planning, making, change, counted, quick = "working out the names", "renaming", "Rename the pictures", "Rename … pictures", 2000

    def controls(self) -> list[ipw.Widget]:
        """How they are called."""
        self.form = Form(RenameSettings, hide=("images", "plan"), choices={
            "how": [("numbered: name_0001", "numbered"), ("plain letters", "plain"), ("the time they were taken", "time")],
            "order": [("their present names", "name"), ("the time they were taken", "time")]})
        self.form.on_change(self.heard(self.forget))
        return [self.form.view]

    def extras(self) -> list[ipw.Widget]:
        """The renaming itself, and the way back."""
        return [*super().extras(), self.action("Take back the last renaming", self._undo, self._nothing_to_undo)]

    def plan(self, manager: DatasetManager, settings: RenameSettings) -> RenamePlan:
        """The new names."""
        return manager.plan_rename(settings)

    def preview(self, plan: RenamePlan) -> tuple[list[TextChange], str]:
        """Old and new names."""
        sentence = plan.sentence()
        lines = [TextChange(f"{one.old} → {one.new}", "", "") for one in plan.renames]
        return lines, f"{sentence[:1].lower()}{sentence[1:]} Nothing is renamed yet."

    def make(self, manager: DatasetManager, settings: RenameSettings) -> RenameReport:
        """Give the very names that were shown."""
        return manager.rename(settings)

    def _undo(self) -> Work:
        manager = self.session.dataset
        self.forget()
        return Work("giving the old names back", manager.undo_rename, self.made)

    def _nothing_to_undo(self) -> str:
        return self.no_project() or ("" if self.session.dataset.last_renaming() else "No renaming can be taken back.")
