"""A table of numbers whose places can be pressed: how often two things come together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from widgets.components.assembling import HERE, module_text


class Matrix(anywidget.AnyWidget):
    """Rows and columns of counts; the darker, the more; what is thin says so in words, not by colour alone.

    Attributes:
        rows, columns: the words at the edges.
        counts: one list a row.
        thin: counts up to this are marked; -1 marks none.
        title: the words above.
    """

    _esm = module_text("matrix")
    _css = HERE / "matrix.css"

    rows = traitlets.List(traitlets.Unicode()).tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    counts = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)
    thin = traitlets.Int(-1).tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)

    def __init__(self, pressed: Callable[[str, str], None]) -> None:
        """Args: pressed: called with the words of row and column; an empty word stands for a whole row or column."""
        super().__init__()
        self._pressed = pressed
        self.on_msg(self._heard)

    def show(self, rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]], thin: int, title: str) -> None:
        """Show these counts instead of the present ones."""
        with self.hold_sync():
            self.rows, self.columns, self.thin, self.title = list(rows), list(columns), thin, title
            self.counts = [list(line) for line in counts]

    def _heard(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        row, column = message.get("row"), message.get("column")
        if row in ("", *self.rows) and column in ("", *self.columns) and (row or column):
            self._pressed(str(row), str(column))
