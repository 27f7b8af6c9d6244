"""Names and values of which each value goes to the clipboard by a press."""

from __future__ import annotations

from collections.abc import Sequence

import anywidget
import traitlets

from widgets.components.assembling import HERE, module_text


class CopyTable(anywidget.AnyWidget):
    """Values that are put in elsewhere: hashes, paths.

    Attributes: rows: name and value of each.
    """

    _esm = module_text("copy_table")
    _css = HERE / "copy_table.css"

    rows = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)

    def show(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show these instead of the present ones."""
        self.rows = [[name, value] for name, value in rows]
