"""What was done to the captions: undo, redo, versions, and the way back to any of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import ipywidgets as ipw

from core.base.words import counted
from core.dataset.history import START, History, UndoReport
from core.dataset.versions import Comparison, Step, VersionSettings
from widgets.components.changes import ChangesView, TextChange
from widgets.form import Form
from widgets.panel import Panel, Work
from widgets.pieces import part, row
from widgets.session import Session

STATES = {"in effect": "", "undone": "undone, can be made again", "replaced": "undone, other changes followed",
          "interrupted": "interrupted half-way", "version": "version"}
MOST = 500
"""Lines of the list."""


class HistoryPanel(Panel):
    """The list of changes and versions."""

    name = "history"
    title = "History of captions"
    purpose = "Every bulk change of captions, newest first. Take it back, make it again, compare, or go back to an earlier state."
    button = "Undo the last change"

    def controls(self) -> list[ipw.Widget]:
        """The list."""
        self._steps: list[Step] = []
        self.list = ipw.Select(options=[], rows=9, description="Changes and versions", layout=ipw.Layout(width="auto"))
        self.list.observe(self.heard(self._enable), "value")
        return [ipw.VBox([self.list]).add_class("lb-field").add_class("lb-list")]

    def extras(self) -> list[ipw.Widget]:
        """Redo, and what is done with the chosen line."""
        return [self.action("Redo", self._redo, self._no_redo)]

    def results(self) -> list[ipw.Widget]:
        """What is done with the chosen line, the comparison, and naming a version."""
        self.changes = ChangesView()
        self.compare = self.action("Compare it with now", self._compare, lambda: self._no_compare("compared"))
        self.back = self.action("Go back to it", self._go_back, lambda: self._no_compare("gone to"))
        self.complete = self.action("Complete it", self._complete, self._no_complete)
        self.form = Form(VersionSettings, choices={"run": [("none", "")]})
        keep = self.action("Keep this version", self._keep, self.no_project)
        return [row(self.compare, self.back, self.complete), self.changes, part(VersionSettings.title), self.form.view, row(keep)]

    def opened(self) -> None:
        """A comparison of another project is of no use."""
        self.changes.clear()

    def hint(self) -> str:
        """What the main button takes back."""
        return takes_back(self.session)

    def update(self) -> None:
        """Read the list again."""
        self._steps = self.session.dataset.versions() if self.session.folder is not None else []
        chosen = self.list.value
        lines = [(line_of(step), step.id) for step in self._steps[:MOST]]
        options = [*lines, ("The beginning, before the first change", START)] if lines else []
        if options != list(self.list.options):
            if self.list.index == 0:
                chosen = None  # nobody chose another one: the newest stays the chosen one
            self.list.options = options
            self.list.value = chosen if chosen in [value for _, value in options] else options[0][1] if options else None
        runs = self.session.dataset.project.runs if self.session.folder is not None else None
        names = sorted((path.name for path in runs.iterdir() if path.is_dir()), reverse=True) if runs and runs.is_dir() else []
        self.form.control("run").offer([("none", ""), *((name, name) for name in names)])  # type: ignore[attr-defined]
        broken = [step for step in self._steps if step.state == "interrupted"]
        if broken and self._told is None:
            self._told = ("attention", f"Needs attention: {broken[0].what!r} was interrupted half-way. Choose it in the list, then "
                                       "complete it, or undo it.")

    def run(self) -> Work:
        """Take back the newest change that holds."""
        self.changes.clear()
        return Work("taking back", self.session.dataset.undo, lambda report: report.sentence())

    def _chosen(self) -> Step | None:
        return next((step for step in self._steps if step.id == self.list.value), None)

    def _no_redo(self) -> str:
        return self.no_project() or ("" if any(step.state == "undone" for step in self._steps) else "Nothing was undone just before.")

    def _no_compare(self, word: str) -> str:
        step = self._chosen()
        if self.list.value is None:
            return self.no_project() or "Choose a line of the list first."
        if step is not None and (step.state == "replaced" or (word == "compared" and step.state == "undone")):
            return f"It was undone and cannot be {word}."
        return ""

    def _no_complete(self) -> str:
        step = self._chosen()
        return "" if step is not None and step.state == "interrupted" else "Only what was interrupted half-way can be completed."

    def _redo(self) -> Work:
        self.changes.clear()
        return Work("making it again", self.session.dataset.redo, lambda report: report.sentence())

    def _compare(self) -> Work:
        chosen, manager, words = str(self.list.value), self.session.dataset, self._words()
        return Work("comparing", lambda: manager.compare_versions(chosen), lambda found: self._show(found, words))

    def _words(self) -> str:
        step = self._chosen()
        if step is None:
            return "the beginning"
        return f"the version {step.what!r}" if step.state == "version" else f"right after {step.what!r}"

    def _show(self, found: Comparison, words: str) -> str:
        changes = [TextChange(one.image, one.before or "", one.after or "") for one in found.changes]
        self.changes.show(changes, f"From {words} to now: {found.sentence()}")
        return found.sentence()

    def _go_back(self) -> Work:
        chosen, manager, step = str(self.list.value), self.session.dataset, self._chosen()
        self.changes.clear()
        if step is not None and step.state == "version":
            return Work("going back", lambda: manager.restore_version(chosen), lambda report: f"{report.sentence()} Undo takes it back.")
        return Work("going back", lambda: manager.go_to(chosen), lambda report: report.sentence())

    def _complete(self) -> Work:
        chosen, manager = str(self.list.value), self.session.dataset
        return Work("completing it", lambda: manager.finish(chosen), lambda report: report.sentence())

    def _keep(self) -> str:
        settings = self.form.value()
        self.session.dataset.name_version(settings)
        self.form.control("name").write("")
        return f"the captions as they are now are kept as {settings.name!r}."


def takes_back(session: Session) -> str:
    """What an undo of captions would take back now, in words; empty where there is nothing."""
    applied = History.of(session.dataset.project).applied() if session.folder is not None else []
    return f"Takes back: {applied[-1].what}." if applied else ""


def undo_button(panel: Panel, blocked: Callable[[], str] | None = None, first: Callable[[], object] = lambda: None,
                then: Callable[[UndoReport], str] = UndoReport.sentence) -> ipw.Button:
    """The button of each panel that changes captions; pointing at it says what it takes back.

    Args: blocked: why it cannot be pressed now, where that needs more than a project. first: done before. then: shows what became of it.
    """
    def undo() -> Work:
        first()
        return Work("taking back the last change", panel.session.dataset.undo, then)

    def not_now() -> str:  # pressed twice it takes back one change, not two
        return (blocked or panel.no_project)() or ("It is working. Wait for it." if panel.working() else "")

    return panel.action("Undo the last change of captions", undo, not_now, lambda: takes_back(panel.session))


def line_of(step: Step) -> str:
    """One line of the list."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(step.time))
    state = STATES[step.state]
    run = f", run {step.run}" if step.run else ""
    what = step.what if len(step.what) <= 80 else step.what[:79] + "…"
    return f"{when}   {what}   ({counted(step.captions, 'caption')}{run})" + (f"   [{state}]" if state else "")
