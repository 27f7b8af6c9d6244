"""Pictures in rows and columns: one row a prompt, one column an epoch. Each picture is fetched when it is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Picture:
    """One place of the grid."""

    row: int
    column: int
    key: str
    """What the loader knows the picture by."""
    label: str
    """What it shows, for those who cannot see it."""


class Samples(anywidget.AnyWidget):
    """A grid of pictures; the browser asks for the bytes of those that are on screen, and keeps them.

    Attributes:
        rows, columns: the words at the edges.
        pictures: row, column, key and label of each picture.
        nothing: the words for an empty grid.
        below: the words of a row stand under its pictures, as long ones do better, and not before them.
    """

    _esm = HERE / "samples.js"
    _css = HERE / "samples.css"

    rows = traitlets.List(traitlets.Unicode()).tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    pictures = traitlets.List(traitlets.Dict()).tag(sync=True)
    nothing = traitlets.Unicode("No pictures yet.").tag(sync=True)
    below = traitlets.Bool(False).tag(sync=True)

    def __init__(self, load: Callable[[str], bytes | None], nothing: str = "No pictures yet.", below: bool = False) -> None:
        """Args: load: a picture's file contents by its key, None where it is gone."""
        super().__init__(nothing=nothing, below=below)
        self._load = load
        self.on_msg(self._asked)

    def show(self, rows: Sequence[str], columns: Sequence[str], pictures: Sequence[Picture]) -> None:
        """Show these pictures instead of the present ones."""
        with self.hold_sync():
            self.rows, self.columns = list(rows), list(columns)
            self.pictures = [asdict(picture) for picture in pictures]

    def _asked(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        key = str(message.get("want", ""))
        if key not in {picture["key"] for picture in self.pictures}:
            return
        data = self._load(key)
        self.send({"picture": key, "there": data is not None}, [data or b""])
