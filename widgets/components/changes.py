"""Texts before and after, page by page, with what goes struck out and what comes underlined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import anywidget
import traitlets

from widgets.components.assembling import HERE, module_text

PAGE = 25
"""Texts that are shown at once."""


@dataclass(frozen=True)
class TextChange:
    """One text before and after."""

    name: str
    before: str
    """Empty: there was none."""
    after: str
    """Empty: there is none any more; both empty: the name says it all."""


class ChangesView(anywidget.AnyWidget):
    """Shows changes; only the page that is looked at is sent to the browser.

    Attributes:
        rows: name, before and after of each text on this page.
        place: number of the first one, from 0.
        total: how many there are.
        title: the words above.
    """

    _esm = module_text("changes")
    _css = HERE / "changes.css"

    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    place = traitlets.Int(0).tag(sync=True)
    total = traitlets.Int(0).tag(sync=True)
    page = traitlets.Int(PAGE).tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._changes: Sequence[TextChange] = ()
        self.on_msg(self._asked)

    def show(self, changes: Sequence[TextChange], title: str = "") -> None:
        """Show these changes instead of the present ones, from the first."""
        self._changes = changes
        with self.hold_sync():
            self.title, self.total = title, len(changes)
            self._turn_to(0)

    def clear(self) -> None:
        """Show nothing."""
        self.show(())

    def _turn_to(self, place: int) -> None:
        self.place = max(0, min(place, (max(1, len(self._changes)) - 1) // PAGE * PAGE))
        self.rows = [asdict(change) for change in self._changes[self.place:self.place + PAGE]]

    def _asked(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        if isinstance(message.get("place"), int):
            with self.hold_sync():
                self._turn_to(message["place"])
