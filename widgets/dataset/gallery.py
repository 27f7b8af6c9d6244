"""All pictures in a grid, and the caption of the one that is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from core.base.errors import StudioError
from core.dataset import filtering
from core.dataset.captions.edit_settings import TriggerSettings
from core.dataset.captions.editing import EditPlan, EditReport
from core.dataset.project import Project
from core.dataset.rejecting import MoveReport, RejectSettings, RestoreSettings
from widgets.components.gallery import Gallery
from widgets.dataset.asking import OneAsked
from widgets.dataset.browsing import Shelf
from widgets.dataset.captioning import CaptionDesk
from widgets.dataset.rows import ranges_of
from widgets.form import Form
from widgets.panel import Panel, Work
from widgets.pieces import part
from widgets.session import Picked, Session

GLANCE_SECONDS = 1.0
"""How often the folder's time is looked at: another notebook, a job or a file manager may have changed something."""
KEYS = """
Arrows, Home, End, Page up and down move; with Shift they select; Ctrl+A selects all; Space turns one on or off.
Enter goes to the caption, Escape comes back. Delete puts the selected pictures into rejected/; nothing is ever deleted."""


class GalleryPanel(Panel):
    """The gallery with its editor; rejecting and putting back."""

    name = "gallery"
    title = "Gallery"
    purpose = ("Look through your pictures, mend captions, and put aside what is bad. What you write is saved by itself one second after "
               "you stop typing; nothing is ever deleted.")
    button = "Preview the trigger word"
    _planned: tuple[EditPlan, TriggerSettings] | None = None
    """What the trigger word would change, as it was told, and the settings that do that and nothing else."""

    def controls(self) -> list[ipw.Widget]:
        """The grid and the editor, then the trigger word."""
        self._rejected: list[str] = []
        self._watching = False
        grammar = (filtering.__doc__ or "").partition("\n\n")[2].strip("\n") + "\n" + KEYS
        self.gallery = Gallery(lambda wish: self.loop.soon(lambda: self.guard(lambda: self.desk.hear(wish))),
                               lambda kind, given: self.loop.soon(lambda: self.guard(lambda: self._asked(kind, given))),
                               filtering.SORTS, grammar, "There are no pictures yet. Import some first.")
        self.shelf = Shelf(self.gallery, self.loop, self.fail, self._rows_changed)
        self.one = OneAsked(self.gallery, self.session, self.loop, self._asked_one)
        self.desk = CaptionDesk(self.gallery, self.shelf, self.session, self.loop, self.fail, self._calm, self._ask_one)
        self.form, self._filled_for = Form(TriggerSettings, hide=("plan",)), ""
        self.form.on_change(self.heard(self._forget_plan))
        return [self.gallery, self.status, part("Trigger word"), self.form.view]

    def extras(self) -> list[ipw.Widget]:
        """What does what was told."""
        self.apply = self.action("Put the trigger word first everywhere", self._put_first, self._not_told).add_class("lb-main")
        return [self.apply]

    def opened(self) -> None:
        """What was told belongs to the project that was open then."""
        self._forget_plan()

    def blocked(self) -> str:
        """There must be pictures."""
        empty = self.shelf.listing is not None and not len(self.shelf.listing)
        return super().blocked() or ("The project has no pictures yet. Import some first." if empty else "")

    def run(self) -> Work:
        """Tell what putting the trigger word first would change; nothing is touched."""
        settings, manager = self.form.value(), self.session.dataset
        return Work("working out what would change", lambda: manager.plan_trigger(settings), lambda plan: self._tell(plan, settings))

    def _tell(self, plan: EditPlan, settings: TriggerSettings) -> str | None:
        if self.form.value() != settings:
            return "the fields were changed meanwhile. Look at the preview again."
        self._planned = plan, settings.changed(plan=plan.mark)
        self.log.show("\n".join(f"{item.name}: {item.reason}" for item in plan.skipped))
        self.say("done", f"Preview: {plan.sentence()} Nothing is changed yet.")  # not Done: nothing is
        return None

    def _put_first(self) -> Work | None:
        if self._planned is None:
            return None
        (_, settings), manager = self._planned, self.session.dataset
        self._forget_plan()
        return Work("changing captions", lambda: manager.set_trigger(settings), self._changed)

    def _forget_plan(self) -> None:
        if self._planned is not None:
            self._planned, self._told = None, None
            self._settle()
            self._enable()

    def _not_told(self) -> str:
        if reason := self.blocked():
            return reason
        if self._planned is None:
            return "Look at the preview first."
        plan = self._planned[0]
        return "" if plan.changes or (plan.trigger and plan.trigger[0] != plan.trigger[1]) else "The preview changes nothing."

    def _changed(self, report: EditReport) -> str:
        self.log.show("\n".join(f"{item.name}: {item.reason}" for item in report.skipped))
        return report.sentence()

    def update(self) -> None:
        """Look at the folder again; what changed is shown, what is being written stays."""
        self.shelf.open(Project(self.session.folder) if self.session.folder is not None else None)
        self.desk.look()
        self._fill()
        if not self._watching:
            self._watching = True
            self.loop.repeat(self._glance, GLANCE_SECONDS)

    def _fill(self) -> None:
        """The project's trigger word stands in its form until a person writes another one."""
        word, home = self.form.control("trigger_word").widget, str(self.session.folder)
        if self.session.folder is not None and (not word.value or self._filled_for != home):
            word.value, self._filled_for = self.session.dataset.project.trigger_word, home

    def selected(self) -> list[str]:
        """Ids of the selected pictures that are not rejected."""
        return self._names("selected")

    def _names(self, what: str) -> list[str]:
        """Ids of what is "selected" or "shown", without rejected pictures."""
        keys = self.shelf.selected() if what == "selected" else self.shelf.keys([[0, len(self.shelf)]])
        return [Path(key).stem for key in keys if not key.startswith("rejected/")]

    def _pick(self) -> None:
        """Tell the panels that work on a selection what it is now."""
        selected, shown = self.shelf.counts()
        self.session.pick(Picked(selected, shown, self.shelf.view.filter, self._names))

    def show_filter(self, text: str, sort: str = "name") -> None:
        """Filter the grid from elsewhere, e.g. by a tag that was clicked."""
        self.shelf.asked("filter", {"text": text, "sort": sort})

    def select(self, ids: Sequence[str]) -> None:
        """Select pictures from elsewhere; the filter is emptied, so that they are shown."""
        self.shelf.pick_out(ids)

    def close(self) -> None:
        """Let go."""
        super().close()
        self.shelf.close()
        self.session.pick(Picked())

    def _glance(self) -> bool:
        self.guard(self.shelf.glance)
        self.guard(self.desk.glance)
        return True

    def _ask_one(self, stage: str, key: str, home: str) -> None:
        """Let a model look at one picture, when what was chosen in its panel before is taken in."""
        self.loop.settled(lambda: self.guard(lambda: self.one.ask(stage, key, home)))

    def _asked_one(self) -> None:
        """A model has looked at one picture."""
        self.guard(self.desk.glance)
        self.guard(self.shelf.touched)
        self.session.tell()

    def _rows_changed(self) -> None:
        self.guard(self.desk.look)
        self._pick()
        if not self._busy:
            self._settle()
            self._enable()

    def _calm(self) -> None:
        """What was wrong with a caption is past."""
        if self.status.state == "attention":
            self._told = None
            self._settle()

    def _asked(self, kind: str, given: Mapping[str, Any]) -> None:
        if kind == "count":
            self.desk.count(str(given["text"]))
        elif kind == "stop-asking":
            self.one.cancel()
        elif kind == "unreject":
            self._restore(self._rejected)
        elif kind == "reject-shown":
            self._reject([str(given["id"])], str(given["reason"]))
        elif kind in ("reject", "restore"):
            if given["version"] != self.shelf.view.version:
                return
            keys = self.shelf.keys(ranges_of(given["ranges"]))
            if kind == "reject":
                self._reject(keys, str(given["reason"]))
            else:
                self._restore([Path(key).name for key in keys if key.startswith("rejected/")])
        else:
            self.shelf.asked(kind, given)
            if kind == "select":
                self._pick()

    def _reject(self, keys: Sequence[str], reason: str) -> None:
        names = tuple(key for key in keys if key and not key.startswith("rejected/"))
        if not names:
            return
        settings, dataset = RejectSettings.make(images=names, reason=reason.strip()), self.session.dataset
        self._move(lambda: dataset.reject(settings))

    def _restore(self, names: Sequence[str]) -> None:
        if not names:
            return
        settings, dataset = RestoreSettings.make(images=tuple(names)), self.session.dataset
        self._move(lambda: dataset.restore(settings))

    def _move(self, act: Callable[[], MoveReport]) -> None:
        home = self.session.folder

        def moved(report: MoveReport | None, error: BaseException | None) -> None:
            if home != self.session.folder:
                return  # what can be put back lies in a project that is not open any more
            if error is not None or report is None:
                self.fail(error or RuntimeError("nothing came back"))
            else:
                self._moved(report)

        self.loop.beside(act, moved)

    def _moved(self, report: MoveReport) -> None:
        self._rejected = report.places if report.word == "rejected" else []
        count = len(self._rejected)
        self.shelf.offer_undo(f"Put {'it' if count == 1 else f'those {count}'} back" if count else "")
        self.log.show("\n".join(f"{item.name}: {item.reason}" for item in report.skipped))
        self.done(report.sentence())
        self.session.tell()


def shown_gallery(session: Session) -> GalleryPanel:
    """The gallery of the notebook. Raises: StudioError: it is not on screen."""
    panel = session.panels.get("gallery")
    if not isinstance(panel, GalleryPanel):
        raise StudioError("The Gallery panel is not shown yet.", "Run its cell, then press again.")
    return panel
