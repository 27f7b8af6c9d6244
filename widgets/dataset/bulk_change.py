"""What the panels share that change many things at once: see it first, then do the very thing that was shown."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus
from core.dataset.items import Skipped
from core.dataset.manager import DatasetManager
from widgets.components.changes import ChangesView, TextChange
from widgets.dataset.importing import skipped_list
from widgets.form import Form
from widgets.panel import Panel, Work


class BulkChangePanel(Panel, ABC):
    """The main button shows a preview, another one makes the change that it showed. What a field changes, forgets the preview.

    A subclass gives the words below, and how the change is planned and made; plans have a `mark`, `skipped` and `sentence()`.
    """

    needs_pictures = True
    planning: ClassVar[str] = ""
    """Shown while the preview is made: "working out the names"."""
    making: ClassVar[str] = ""
    """Shown while the change is made: "renaming"."""
    change: ClassVar[str] = ""
    """Words of the button that makes the change, while nothing is shown."""
    counted: ClassVar[str] = ""
    """Its words where something is shown: "Rename … pictures"."""
    quick: ClassVar[int] = 0
    """Changes that are made beside the kernel; more are a job of their own, which can be cancelled and outlives the browser."""
    form: Form[Any]
    _shown: tuple[int, Any] | None = None
    """How many changes the preview shows, and the settings that make these and no others."""
    _wanted: Any = None
    """The settings that a preview is made of just now; None when a field was changed since."""

    def extras(self) -> list[ipw.Widget]:
        """The change itself."""
        self.apply = self.action(self.change, self._apply, self._not_seen).add_class("lb-main")
        return [self.apply]

    def results(self) -> list[ipw.Widget]:
        """What would change, and what is left out."""
        self.changes, self._left = ChangesView(), ipw.HTML()
        return [self.changes, self._left]

    # What a subclass gives

    def settings(self) -> Any:
        """The change as it stands in the panel. Raises: ConfigError."""
        return self.form.value()

    @abstractmethod
    def plan(self, manager: DatasetManager, settings: Any) -> Any:
        """What would change; beside the kernel."""

    @abstractmethod
    def preview(self, plan: Any) -> tuple[list[TextChange], str]:
        """Each change before and after, and the sentence for the status line, of what would be."""

    @abstractmethod
    def make(self, manager: DatasetManager, settings: Any) -> Any:
        """Make the change; beside the kernel. Returns: a report."""

    def made(self, report: Any) -> str:
        """What was done, for the status line."""
        self._left.value = left_out(report.skipped)
        return report.sentence()

    # What the frame asks for

    def opened(self) -> None:
        """What was shown belongs to the project that was open then."""
        self.forget()
        self._told = None

    def run(self) -> Work:
        """Work out what would change, and show it."""
        settings, manager = self.settings(), self.session.dataset
        self._wanted = settings
        return Work(self.planning, lambda: self.plan(manager, settings), lambda plan: self._show(plan, settings))

    def show_report(self, status: JobStatus) -> None:
        """Show what a job left as it was."""
        self._left.value = skipped_list(status)

    def forget(self) -> None:
        """What was shown is not what the fields ask for now."""
        self._wanted = None
        if self._shown is not None:
            self._shown = None
            self.changes.clear()
            self.apply.description, self._left.value = self.change, ""
            self.say("done", "Preview: the fields ask for something else now, so it was put away. Nothing is changed; look at it again.")
            self.refresh()

    def _show(self, plan: Any, settings: Any) -> str | None:
        if self._wanted is not settings:
            return "the fields were changed meanwhile. Look at the preview again."
        lines, sentence = self.preview(plan)
        self._shown = len(lines), settings.changed(plan=plan.mark)
        self.changes.show(lines, plan.sentence())
        self._left.value = left_out(plan.skipped)
        if lines:
            self.apply.description = self.counted.replace("…", str(len(lines))).removesuffix("s" if len(lines) == 1 else "")
        self.say("done", f"Preview: {sentence}")  # not Done: nothing is
        return None

    def _apply(self) -> Work | Job | None:
        """Make the very change that was shown."""
        if self._shown is None:
            return None
        (count, settings), manager = self._shown, self.session.dataset
        self.forget()
        return self.start(settings) if count > self.quick else Work(self.making, lambda: self.make(manager, settings), self.made)

    def _not_seen(self) -> str:
        if reason := self.blocked():
            return reason
        return "Look at the preview first." if self._shown is None else "" if self._shown[0] else "The preview changes nothing."


def left_out(skipped: Sequence[Skipped], most: int = 20) -> str:
    """What was left out and why, as folded HTML; empty where nothing was."""
    if not skipped:
        return ""
    more = f"<li>and {len(skipped) - most} more</li>" if len(skipped) > most else ""
    lines = "".join(f"<li><b>{html.escape(item.name)}</b>: {html.escape(item.reason)}</li>" for item in skipped[:most])
    are = "is" if len(skipped) == 1 else "are"
    return f"<details><summary>{len(skipped)} {are} left out</summary><ul>{lines}{more}</ul></details>"
