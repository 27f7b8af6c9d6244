"""A table of which each row can be taken by a press."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from widgets.components.assembling import HERE, module_text


class PressTable(anywidget.AnyWidget):
    """Rows of words; the first word of each is a button.

    Attributes:
        head: what stands above the columns.
        rows: the words of each row.
        chosen: number of the row that was taken; -1: none.
        act: what a press does, for those who hear the button: "Take it into the form".
        title: the words above.
    """

    _esm = module_text("press_table")
    _css = HERE / "press_table.css"

    head = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)
    act = traitlets.Unicode("").tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)

    def __init__(self, pressed: Callable[[int], None], act: str) -> None:
        """Args: pressed: called with the number of the row."""
        super().__init__(act=act)
        self._pressed = pressed
        self.on_msg(self._heard)

    def show(self, head: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
        """Show these rows instead of the present ones; none is taken."""
        with self.hold_sync():
            self.head, self.title, self.chosen = list(head), title, -1
            self.rows = [[str(word) for word in row] for row in rows]

    def _heard(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        number = message.get("row")
        if isinstance(number, int) and 0 <= number < len(self.rows):
            self._pressed(number)
