"""The same for many pictures: which ones, and the job that does it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets as ipw

from core.base.errors import DatasetError
from core.base.jobs import Job, start_job
from widgets.dataset.bench.tab import ToolTab

if TYPE_CHECKING:
    from widgets.dataset.workbench import WorkbenchPanel


class ManyPictures:
    """The choice of pictures and the button beside it; what is selected and shown is that of the grid at the left."""

    def __init__(self, panel: WorkbenchPanel) -> None:
        self.panel = panel
        self.which = ipw.Dropdown(description="For many", options=self._options(), value="all")
        self.which.observe(panel.heard(panel.look_again), "value")
        self.button = panel.action("Do it for these pictures", self._start, self._blocked)
        self.view = ipw.HBox([ipw.VBox([self.which]).add_class("lb-field"), self.button]).add_class("lb-row")

    def look(self) -> None:
        """Show how many are selected and shown now; what is chosen stays chosen."""
        options = self._options()
        if list(self.which.options) != options:
            with self.which.hold_sync():
                chosen = self.which.value
                self.which.options = options
                self.which.value = chosen

    def _options(self) -> list[tuple[str, str]]:
        selected, shown = self.panel.shelf.counts()
        return [("All pictures", "all"), (f"Selected at the left ({selected:,})", "selected"), (f"Shown at the left ({shown:,})", "shown")]

    def _blocked(self) -> str:
        if not self.panel.tab.stage:
            return "This tab works on one picture."
        selected, shown = self.panel.shelf.counts()
        count = {"selected": selected, "shown": shown}.get(str(self.which.value), 1)
        return self.panel.blocked() or ("" if count else f"No picture is {self.which.value} at the left.") or \
            ("It is working. Wait for it, or cancel it." if self.panel.working() else "")

    def _start(self) -> Job | None:
        session, tab = self.panel.session, self.panel.tab
        if session.folder is None or not isinstance(tab, ToolTab):
            return None
        settings = tab.settings()
        session.dataset.project.settle()
        return start_job(session.folder, tab.stage, settings.changed(images=tuple(self._chosen())).model_dump(mode="json"))

    def _chosen(self) -> list[str]:
        """Ids of the pictures; none: all. Raises: DatasetError: none is chosen at the left."""
        shelf = self.panel.shelf
        if self.which.value == "all":
            return []
        keys = shelf.selected() if self.which.value == "selected" else shelf.keys([[0, len(shelf)]])
        ids = [Path(key).stem for key in keys if not key.startswith("rejected/")]
        if not ids:  # to a tool none would mean all
            raise DatasetError(f"No picture is {self.which.value} at the left.", "Choose some there, or other pictures beside the button.")
        return ids
