"""The kernel's side of a grid of pictures: what it shows, and what is sent to it. `parts/grid.js` is the browser's side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import anywidget
import traitlets


@dataclass(frozen=True)
class View:
    """What the grid shows."""

    version: int = 0
    """Names the order of rows; what the browser asks for by row carries it."""
    stamp: int = 0
    """Grows when facts of rows changed and their order did not."""
    total: int = 0
    all: int = 0
    """Pictures without the filter."""
    filter: str = ""
    sort: str = "name"
    selected: list[list[int]] = field(default_factory=list)
    """Ranges [from, to) of rows."""
    keep: bool = False
    """The grid stays where it is: only a few rows came or went."""
    stale: list[str] = field(default_factory=list)
    """Keys whose picture changed."""
    rejected: bool = False
    """Rejected pictures are shown."""
    trouble: str = ""
    """Why the filter cannot be understood."""
    meant: str = ""
    """What was probably meant by a filter that shows nothing."""
    aside: int = 0
    """How many pictures are rejected."""
    working: str = ""
    undo: str = ""
    """Words of the button that puts back what was rejected last; empty for none."""


@dataclass(frozen=True)
class Row:
    """What the grid says of one picture."""

    row: int
    key: str
    name: str
    caption: str = ""
    """Its beginning."""
    tags: int = 0
    rejected: str | None = None
    """The reason; None: it is not rejected."""
    versions: str = ""
    """Which versions there are beside it, in words."""


class GridSide(anywidget.AnyWidget):
    """What a component with a grid has.

    Attributes:
        view: the fields of `View`.
    """

    view = traitlets.Dict().tag(sync=True)

    def show_view(self, view: View) -> None:
        """Show other rows, or say what changed of them."""
        self.view = asdict(view)

    def send_rows(self, version: int, serial: int, rows: Sequence[Row], thumbs: Mapping[str, bytes], troubles: Mapping[str, str]) -> None:
        """Facts of rows and thumbnails by key, in one message. Args: serial: of the question that is answered; 0: none."""
        message = {"kind": "rows", "version": version, "serial": serial, "rows": [asdict(row) for row in rows], "thumbs": list(thumbs),
                   "troubles": dict(troubles)}
        self.send(message, list(thumbs.values()))

    def send_go(self, row: int) -> None:
        """Go to a picture as if it had been pressed: what is being written is saved first."""
        self.send({"kind": "go", "row": row})
