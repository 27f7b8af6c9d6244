"""Which project is trained: the one that Dataset_Maker handed over, or another."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as ipw

from core.dataset.project import Project
from widgets.dataset.project import ProjectPicker, facts
from widgets.demo import open_demo
from widgets.panel import Panel, Work


class TrainerProjectPanel(Panel):
    """Shows the handed-over project and opens others."""

    name = "project"
    title = "Project"
    purpose = "The project that Dataset_Maker handed over is open already. Choose another one here if you like."
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
        self._facts.value = facts(Project(self.session.folder)) if self.session.folder else ""

    def run(self) -> str:
        """Open the chosen project."""
        return self._opened(self.picker.chosen())

    def _look_again(self) -> str:
        self.session.resume()
        return f"{self.session.folder.name} is open." if self.session.folder else "nothing was handed over yet."

    def _open_demo(self) -> Work:
        return Work("preparing the demo project", open_demo, self._opened)

    def _opened(self, folder: Path) -> str:
        self.session.open(folder)
        return f"{folder.name} is open. Go on with the next panel."
