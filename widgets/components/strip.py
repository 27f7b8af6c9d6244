"""A grid of pictures of which one is worked on: a filter above, and a press opens a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import traitlets

from widgets.components.assembling import HERE, module_text
from widgets.components.grid import GridSide, View

ASKED = {"want": ("version", "serial", "rows", "seen"), "filter": ("text", "sort"), "select": ("version", "ranges"),
         "open": ("version", "row")}
"""Messages that the browser may send, with their fields."""


class Strip(GridSide):
    """The grid beside a desk.

    Attributes:
        opened: key and row of the picture that is worked on; empty for none.
        grammar: the filter's grammar, in words.
        nothing: the words when there is no picture.
    """

    _esm = module_text("strip")
    _css = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("grid.css", "strip.css"))

    opened = traitlets.Dict().tag(sync=True)
    grammar = traitlets.Unicode("").tag(sync=True)
    nothing = traitlets.Unicode("").tag(sync=True)

    def __init__(self, asked: Callable[[str, Mapping[str, Any]], None], grammar: str, nothing: str = "There are no pictures yet.") -> None:
        """Args: asked: called with each message (`ASKED`): kind and fields."""
        super().__init__(view=asdict(View()), grammar=grammar, nothing=nothing)
        self._asked = asked
        self.on_msg(self._heard)

    def show_opened(self, key: str, row: int) -> None:
        """Mark the picture that is worked on. Args: row: where it stands; -1: it is not shown."""
        self.opened = {"key": key, "row": row, "version": self.view.get("version", 0)}

    def _heard(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        kind = message.get("kind")
        if kind in ASKED:
            self._asked(str(kind), {name: message.get(name) for name in ASKED[str(kind)]})
