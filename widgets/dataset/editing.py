"""Change many captions at once: choose what, see it, then do it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus, start_job
from core.dataset.captions.conditions import Condition
from core.dataset.captions.editing import EditPlan, EditReport, EditSettings
from core.dataset.captions.operation import Operation
from core.dataset.captions.operations import OPERATIONS
from widgets.components.changes import ChangesView, TextChange
from widgets.dataset.importing import skipped_list
from widgets.dataset.tagging import no_pictures
from widgets.form import Form
from widgets.panel import Panel, Work, part, row

QUICK = 5000
"""Changes that are made beside the kernel; more are a job of their own, which can be cancelled and outlives the browser."""
UNSEEN = "Look at the preview first."
CHANGE = "Change the captions"


class EditPanel(Panel):
    """A bulk change with its preview; nothing is changed that was not shown."""

    name = "edit"
    title = "Bulk edit"
    purpose = "Change many captions at once. You see what would change before anything does, and every change can be undone."
    button = "Preview the change"
    stage = "edit"

    def controls(self) -> list[ipw.Widget]:
        """What to do, further steps, and in which captions."""
        self._plan: EditPlan | None = None
        self._settings: EditSettings | None = None
        self._steps: list[Operation] = []
        self._ids: tuple[str, ...] = ()
        self._taken = False
        self._home: Path | None = None
        self.choice = ipw.Dropdown(options=[(entry.title, entry.name) for entry in OPERATIONS], description="What to do")
        self.choice.observe(lambda _: self._choose(), "value")
        box = ipw.VBox([self.choice]).add_class("lb-field")
        self._place = ipw.VBox()
        self._chosen = ipw.HTML()
        self._only = ipw.HTML()
        self._all = self.action("All captions instead", self._forget_ids)
        self.clear = self.action("Forget these steps", self._forget_steps)
        self.condition = Form(Condition)
        self.condition.on_change(self._forget_plan)
        self._choose()
        return [box, self._place, row(self.action("Keep this step and add another", self._add_step), self.clear), self._chosen,
                part(Condition.title), row(self._only, self._all), self.condition.view]

    def extras(self) -> list[ipw.Widget]:
        """The change itself, and undo."""
        self.apply = self.action(CHANGE, self._apply, self._not_seen).add_class("lb-main")
        return [self.apply, self.action("Undo the last change of captions", self._undo, super().blocked)]

    def results(self) -> list[ipw.Widget]:
        """The changes."""
        self.changes = ChangesView()
        self._left = ipw.HTML()
        return [self.changes, self._left]

    def blocked(self) -> str:
        """There must be pictures."""
        return super().blocked() or no_pictures(self.session.folder)

    def update(self) -> None:
        """Another project begins without steps."""
        if self.session.folder != self._home:
            self._home = self.session.folder
            self._forget_steps()
            self._forget_ids()
        self._show_steps()

    def take(self, settings: EditSettings) -> Work:
        """Lay out a change that another panel found, and show its preview at once."""
        self._steps, self._ids, self._taken = list(settings.steps()), settings.ids, True
        first = self._steps.pop()
        self.choice.value = first.op
        self.form.fill(first)
        condition = settings.condition.changed(caption="missing") if settings.only_if_empty else settings.condition
        self.condition.fill(condition)
        self._forget_plan()
        self._show_steps()
        return self.run()

    def settings(self) -> EditSettings:
        """The change as it stands in the panel. Raises: ConfigError."""
        return EditSettings(operations=(*self._steps, self.form.value()), condition=self.condition.value(), ids=self._ids)

    def run(self) -> Work:
        """Work out what would change, and show it."""
        settings, manager = self.settings(), self.session.dataset
        return Work("working out what would change", lambda: manager.plan_edit(settings), lambda plan: self._show(plan, settings))

    def _apply(self) -> Work | Job | None:
        """Make the very change that was shown."""
        plan, settings = self._plan, self._settings
        if plan is None or settings is None:
            return None
        settings = settings.changed(plan=plan.mark)
        self._forget_plan()
        if self._taken:
            self._taken, self._steps, self._ids = False, [], ()  # what a finding laid out must not narrow the next change
            self.condition.fill(Condition())
            self._show_steps()
        if len(plan.changes) > QUICK:
            return start_job(self.session.dataset.project.folder, self.stage, settings.model_dump(mode="json"))
        manager = self.session.dataset
        return Work("changing captions", lambda: manager.edit(settings), self._changed)

    def show_report(self, status: JobStatus) -> None:
        """Show what a job left out."""
        self._left.value = skipped_list(status)

    def _not_seen(self) -> str:
        """A change must have been seen before it is made."""
        return self.blocked() or (UNSEEN if self._plan is None else "" if self._plan.changes else "The preview changes nothing.")

    def _choose(self) -> None:
        kind = OPERATIONS.load(self.choice.value)
        self.form: Form[Operation] = Form(kind)
        self.form.on_change(self._forget_plan)
        about = ipw.HTML(f'<p class="lb-help">{html.escape((kind.__doc__ or "").strip())}</p>')
        self._place.children = [about, self.form.view]
        self._forget_plan()

    def _add_step(self) -> str:
        self._steps.append(self.form.value())
        self._choose()
        self._show_steps()
        return f"step {len(self._steps)} is kept: {self._steps[-1].sentence()}."

    def _forget_steps(self) -> None:
        self._steps = []
        self._forget_plan()
        self._show_steps()

    def _forget_ids(self) -> None:
        self._ids = ()
        self._forget_plan()
        self._show_steps()

    def _show_steps(self) -> None:
        items = "".join(f"<li>{html.escape(step.sentence())}</li>" for step in self._steps)
        self._chosen.value = f'<p class="lb-help">These steps come first:</p><ol>{items}</ol>' if items else ""
        self.clear.layout.display = "" if items else "none"
        self._only.value = f"Only the captions of {len(self._ids)} chosen image{'' if len(self._ids) == 1 else 's'}." if self._ids else ""
        self._all.layout.display = "" if self._ids else "none"

    def _forget_plan(self) -> None:
        if self._plan is not None:
            self._plan, self._settings = None, None
            self.changes.clear()
            self.apply.description, self._left.value = CHANGE, ""
            self._told = None
            self.refresh()

    def _show(self, plan: EditPlan, settings: EditSettings) -> str:
        self._plan, self._settings = plan, settings
        self.changes.show([TextChange(one.image, one.before or "", one.after or "") for one in plan.changes], plan.sentence())
        self._left.value = left_out([(item.name, item.reason) for item in plan.skipped])
        if plan.changes:
            self.apply.description = f"Change {len(plan.changes)} captions"
        return f"{plan.what}. {plan.sentence()} Nothing is changed yet."

    def _changed(self, report: EditReport) -> str:
        self._left.value = left_out([(item.name, item.reason) for item in report.skipped])
        return f"{report.sentence()} Undo takes it back."

    def _undo(self) -> Work:
        manager = self.session.dataset
        self._forget_plan()
        return Work("taking back the last change", manager.undo, lambda report: report.sentence())


def left_out(skipped: Sequence[tuple[str, str]], most: int = 20) -> str:
    """What was left out and why, as folded HTML; empty where nothing was."""
    if not skipped:
        return ""
    more = f"<li>and {len(skipped) - most} more</li>" if len(skipped) > most else ""
    lines = "".join(f"<li><b>{html.escape(name)}</b>: {html.escape(reason)}</li>" for name, reason in skipped[:most])
    return f"<details><summary>{len(skipped)} are left out</summary><ul>{lines}{more}</ul></details>"
