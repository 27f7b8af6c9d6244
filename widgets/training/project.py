"""Which project is trained: one that Dataset_Maker handed over, or another."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as ipw

from core.base.errors import DatasetError
from core.dataset.project import Project, shown_name
from widgets.dataset.project import ProjectPicker, facts, nothing_open
from widgets.demo import open_demo
from widgets.panel import Panel, Work

NOTHING = "No project is open: nothing was handed over yet. Choose one of your projects above, or open the demo project."


class TrainerProjectPanel(Panel):
    """Shows the open project, takes up one that was handed over, and opens others."""

    name = "project"
    title = "Project"
    purpose = "The project that is trained. What you hand over in Dataset_Maker opens here by itself; you can also choose one."
    button = "Open this project"
    needs_project = False

    def controls(self) -> list[ipw.Widget]:
        """The known projects; one that was handed over since is opened, so that running the cell again is enough."""
        self.session.resume()
        self.picker = ProjectPicker()
        return [self.picker.view]

    def extras(self) -> list[ipw.Widget]:
        """What was handed over meanwhile, and the demo."""
        return [self.action("Look again for a handed-over project", self._look_again),
                self.action("Open the demo project", self._open_demo)]

    def results(self) -> list[ipw.Widget]:
        """What is open."""
        self._facts = ipw.HTML()
        return [self._facts]

    def update(self) -> None:
        """Read the list and the open project again."""
        before, self._shown = getattr(self, "_shown", None), self.session.folder
        self.picker.look(self.session.folder)
        if self.session.folder is not None and before != self.session.folder:
            self.picker.choose(self.session.folder)
        self._facts.value = facts(Project(self.session.folder)) if self.session.folder else nothing_open(self.session.lost, NOTHING)

    def run(self) -> str:
        """Open the chosen project."""
        return self._opened(self.picker.chosen())

    def _look_again(self) -> str:
        before = self.session.folder
        self.session.resume()
        now = self.session.folder
        if self.session.lost:
            raise DatasetError("The project that was open last cannot be opened.", self.session.lost)
        if now is None:
            return "nothing was handed over yet. Press Hand over in Dataset_Maker, or open a project above."
        name = shown_name(now)
        return f"nothing else was handed over; {name} stays open." if now == before else f"{name} was handed over and is open."

    def _open_demo(self) -> Work:
        return Work("preparing the demo project", open_demo, self._opened)

    def _opened(self, folder: Path) -> str:
        self.session.open(folder)
        return f"{shown_name(folder)} is open. Go on with the next panel."
