"""Change many captions at once: choose what, see it, then do it."""

from __future__ import annotations

import html

import ipywidgets as ipw

from core.base.jobs import Job
from core.base.words import counted
from core.dataset.captions.conditions import Condition
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.editing import EditPlan, EditReport
from core.dataset.captions.operation import Operation
from core.dataset.captions.operations import OPERATIONS
from core.dataset.manager import DatasetManager
from widgets.components.changes import TextChange
from widgets.dataset.bulk_change import BulkChangePanel
from widgets.dataset.history import undo_button
from widgets.dataset.which import WhichChoice
from widgets.form import Form
from widgets.panel import Work
from widgets.pieces import part, row


class EditPanel(BulkChangePanel):
    """A bulk change with its preview; nothing is changed that was not shown."""

    name = "edit"
    title = "Bulk edit"
    purpose = "Change many captions at once. You see what would change before anything does, and every change can be undone."
    button = "Preview the change"
    stage = "edit"
    planning, making, quick = "working out what would change", "changing captions", 5000
    change, counted = "Change the captions", "Change … captions"

    def controls(self) -> list[ipw.Widget]:
        """What to do, further steps, and in which captions."""
        self._steps: list[Operation] = []
        self._ids: tuple[str, ...] = ()
        self._taken = False
        self.choice = ipw.Dropdown(options=[(entry.title, entry.name) for entry in OPERATIONS], description="What to do")
        self.choice.observe(self.heard(self._choose), "value")
        box = ipw.VBox([self.choice]).add_class("lb-field")
        self._place = ipw.VBox()
        self._chosen = ipw.HTML()
        self._only = ipw.HTML()
        self._all = self.action("All captions instead", self._forget_ids)
        self.clear = self.action("Forget these steps", self._forget_steps)
        self.which = WhichChoice(self.session, self.heard(self._look_which), missing=False)  # the condition asks for captions
        self.condition = Form(Condition)
        self.condition.on_change(self.heard(self.forget))
        self._choose()
        return [box, self._place, row(self.action("Keep this step and add another", self._add_step), self.clear), self._chosen,
                self.which.view, row(self._only, self._all), part(Condition.title), self.condition.view]

    def extras(self) -> list[ipw.Widget]:
        """The change itself, and undo."""
        self.undo = undo_button(self, first=self.forget)
        return [*super().extras(), self.undo]

    def opened(self) -> None:
        """Another project begins without steps."""
        self._forget_steps()
        self._forget_ids()
        self.which.begin()

    def blocked(self) -> str:
        """There must be pictures, among them those that are chosen."""
        return super().blocked() or ("" if self._ids else self.which.blocked())

    def close(self) -> None:
        """Let go."""
        super().close()
        self.which.close()

    def take(self, settings: EditSettings) -> Work:
        """Lay out a change that another panel found, and show its preview at once."""
        self._steps, self._ids, self._taken = list(settings.steps()), settings.ids, True
        self.which.begin()  # the gallery's selection must not narrow what was found
        first = self._steps.pop()
        self.choice.value = first.op
        self.form.fill(first)
        condition = settings.condition.changed(caption="missing") if settings.only_if_empty else settings.condition
        self.condition.fill(condition)
        self.forget()
        self._show_steps()
        return self.run()

    def settings(self) -> EditSettings:
        """The change as it stands in the panel. Raises: ConfigError."""
        return EditSettings(operations=(*self._steps, self.form.value()), condition=self.condition.value(),
                            ids=self._ids or self.which.ids())

    def plan(self, manager: DatasetManager, settings: EditSettings) -> EditPlan:
        """What would change."""
        return manager.plan_edit(settings)

    def preview(self, plan: EditPlan) -> tuple[list[TextChange], str]:
        """Captions before and after."""
        lines = [TextChange(one.image, one.before or "", one.after or "") for one in plan.changes]
        return lines, f"would {self._wanted.promise()}. {plan.sentence()} Nothing is changed yet."

    def make(self, manager: DatasetManager, settings: EditSettings) -> EditReport:
        """Make the very change that was shown."""
        return manager.edit(settings)

    def made(self, report: EditReport) -> str:
        """What was done, and the way back."""
        return f"{super().made(report)} Undo takes it back."

    def _apply(self) -> Work | Job | None:
        change = super()._apply()
        if self._taken and change is not None:
            self._taken, self._steps, self._ids = False, [], ()  # what a finding laid out must not narrow the next change
            self.condition.fill(Condition())
            self._show_steps()
        return change

    def _choose(self) -> None:
        kind = OPERATIONS.load(self.choice.value)
        self.form: Form[Operation] = Form(kind)
        self.form.on_change(self.heard(self.forget))
        about = ipw.HTML(f'<p class="lb-help">{html.escape((kind.__doc__ or "").strip())}</p>')
        self._place.children = [about, self.form.view]
        self.forget()

    def _add_step(self) -> str:
        self._steps.append(self.form.value())
        self._choose()
        self._show_steps()
        return f"step {len(self._steps)} is kept: {self._steps[-1].sentence()}."

    def _forget_steps(self) -> None:
        self._steps = []
        self.forget()
        self._show_steps()

    def _forget_ids(self) -> None:
        self._ids = ()
        self.forget()
        self._show_steps()
        self.refresh()  # whether there are pictures to change is now the choice's matter

    def _look_which(self) -> None:
        """Forget a preview of other pictures than those that are chosen now."""
        if self._wanted is not None and not self._ids and (self.which.blocked() or {*self.which.ids()} != {*self._wanted.ids}):
            self.forget()
        self.refresh()

    def _show_steps(self) -> None:
        items = "".join(f"<li>{html.escape(step.sentence())}</li>" for step in self._steps)
        self._chosen.value = f'<p class="lb-help">These steps come first:</p><ol>{items}</ol>' if items else ""
        self.clear.layout.display = "" if items else "none"
        self._only.value = f"Only the captions of {counted(len(self._ids), 'chosen image')}." if self._ids else ""
        self._all.layout.display = "" if self._ids else "none"
        self.which.view.layout.display = "none" if self._ids else ""
