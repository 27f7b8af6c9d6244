"""A field that names one picture of the open project, with the way to the one before and the one behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ipywidgets as ipw

from core.base.errors import DatasetError
from core.dataset.images.files import image_files
from core.dataset.project import Project
from widgets.dataset.watching import FolderWatch
from widgets.panel import Panel

MOST_NAMES = 2000
"""Names that are offered while a picture's is typed; any other can be typed too."""


class PictureChoice:
    """The names of the project's pictures, and which one is chosen.

    Args:
        panel: in whose frame it stands.
        changed: called when another picture is chosen, and when the names were listed anew.
    """

    def __init__(self, panel: Panel, changed: Callable[[], None]) -> None:
        self.panel, self._changed = panel, changed
        self.names: list[str] = []
        self._home: Path | None = None
        self._watch = FolderWatch()
        self.field = ipw.Combobox(description="Picture", placeholder="its name", continuous_update=False)
        self.field.tooltip = "Name of a picture without its ending"
        self.field.observe(panel.heard(changed), "value")
        self.view = ipw.VBox([self.field]).add_class("lb-field")
        self.turning = [panel.action("Previous picture", lambda: self._turn(-1), panel.blocked),
                        panel.action("Next picture", lambda: self._turn(1), panel.blocked)]
        """Buttons, to be put beside the panel's own."""

    @property
    def name(self) -> str:
        """What stands in the field."""
        return self.field.value.strip()

    def chosen(self) -> str:
        """The chosen picture's name. Raises: DatasetError: there is none of that name."""
        if self.name not in self.names:
            raise DatasetError(f"No image is called {self.name!r}." if self.name else "No picture is chosen.", "Choose one in 'Picture'.")
        return self.name

    def update(self) -> None:
        """For another project its first picture; where pictures came or went, their names."""
        folder = self.panel.session.folder
        if folder != self._home:
            self._home, self._watch = folder, FolderWatch()
            self._offer([])
            self.field.value = ""
        if folder is not None and self._watch.changed(Project(folder).images):
            self._list(folder)

    def _list(self, folder: Path) -> None:
        """Beside the kernel: putting ten thousand names in order takes a quarter of a second."""
        def listed(names: list[str] | None, error: BaseException | None) -> None:
            if error is not None:
                self.panel.fail(error)
            elif names is not None and folder == self._home:
                self._offer(names)
                self.panel.guard(self._changed)

        self.panel.loop.beside(lambda: [path.stem for path in image_files(Project(folder).images)], listed)

    def _offer(self, names: list[str]) -> None:
        if names != self.names:
            self.names, self.field.options = names, names[:MOST_NAMES]
            if self.name not in names:
                self.field.value = names[0] if names else ""

    def _turn(self, way: int) -> None:
        place = self.names.index(self.name) if self.name in self.names else -way
        if self.names:
            self.field.value = self.names[(place + way) % len(self.names)]
