"""Give the pictures other names: see them first, then do it, and take it back if it was wrong."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus, start_job
from core.dataset.renaming import RenamePlan, RenameReport, RenameSettings
from widgets.components.changes import ChangesView, TextChange
from widgets.dataset.editing import UNSEEN, left_out
from widgets.dataset.importing import skipped_list
from widgets.dataset.tagging import no_pictures
from widgets.form import Form
from widgets.panel import Panel, Work

QUICK = 2000
"""Pictures that are renamed beside the kernel; more are a job of their own, which can be cancelled and outlives the browser."""
RENAME = "Rename the pictures"


class RenamePanel(Panel):
    """A renaming with its preview."""

    name = "rename"
    title = "Rename"
    purpose = ("Give the pictures other names: numbers, plain letters, or the time they were taken. Captions go along, and it can be "
               "taken back.")
    button = "Preview the names"
    stage = "rename"

    def controls(self) -> list[ipw.Widget]:
        """How they are called."""
        self._plan: RenamePlan | None = None
        self._settings: RenameSettings | None = None
        self._home: Path | None = None
        self.form = Form(RenameSettings, hide=("images", "plan"), choices={
            "how": [("numbered: name_0001", "numbered"), ("plain letters", "plain"), ("the time they were taken", "time")],
            "order": [("their present names", "name"), ("the time they were taken", "time")]})
        self.form.on_change(self._forget)
        return [self.form.view]

    def extras(self) -> list[ipw.Widget]:
        """The renaming itself, and the way back."""
        self.apply = self.action(RENAME, self._apply, self._not_seen).add_class("lb-main")
        return [self.apply, self.action("Take back the last renaming", self._undo, self._nothing_to_undo)]

    def results(self) -> list[ipw.Widget]:
        """Old and new names."""
        self.changes = ChangesView()
        self._left = ipw.HTML()
        return [self.changes, self._left]

    def blocked(self) -> str:
        """There must be pictures."""
        return super().blocked() or no_pictures(self.session.folder)

    def update(self) -> None:
        """What was shown belongs to the project that was open then."""
        if self.session.folder != self._home:
            self._home = self.session.folder
            self._forget()

    def run(self) -> Work:
        """Work out the names, and show them."""
        settings, manager = self.form.value(), self.session.dataset
        return Work("working out the names", lambda: manager.plan_rename(settings), lambda plan: self._show(plan, settings))

    def show_report(self, status: JobStatus) -> None:
        """Show what a job left as it was."""
        self._left.value = skipped_list(status)

    def _apply(self) -> Work | Job | None:
        """Give the very names that were shown."""
        plan, settings = self._plan, self._settings
        if plan is None or settings is None:
            return None
        settings = settings.changed(plan=plan.mark)
        self._forget()
        if len(plan.renames) > QUICK:
            return start_job(self.session.dataset.project.folder, self.stage, settings.model_dump(mode="json"))
        manager = self.session.dataset
        return Work("renaming", lambda: manager.rename(settings), self._renamed)

    def _undo(self) -> Work:
        manager = self.session.dataset
        self._forget()
        return Work("giving the old names back", manager.undo_rename, self._renamed)

    def _not_seen(self) -> str:
        return self.blocked() or (UNSEEN if self._plan is None else "" if self._plan.renames else "The preview changes nothing.")

    def _nothing_to_undo(self) -> str:
        if reason := super().blocked():
            return reason
        return "" if self.session.dataset.last_renaming() else "No renaming can be taken back."

    def _forget(self) -> None:
        if self._plan is not None:
            self._plan, self._settings = None, None
            self.changes.clear()
            self.apply.description, self._left.value = RENAME, ""
            self._told = None
            self.refresh()

    def _show(self, plan: RenamePlan, settings: RenameSettings) -> str:
        self._plan, self._settings = plan, settings
        self.changes.show([TextChange(one.old, one.old, one.new) for one in plan.renames], plan.sentence())
        self._left.value = left_out([(item.name, item.reason) for item in plan.skipped])
        if plan.renames:
            self.apply.description = f"Rename {len(plan.renames)} pictures"
        return f"{plan.sentence()} Nothing is renamed yet."

    def _renamed(self, report: RenameReport) -> str:
        self._left.value = left_out([(item.name, item.reason) for item in report.skipped])
        return report.sentence()
