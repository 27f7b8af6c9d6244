"""The log of a run: folded, with its levels to choose and a field to search it; the newest lines that fit, followed to the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent
LEVELS = ("error", "warning", "info", "progress")


class RunLog(anywidget.AnyWidget):
    """Shows lines; what the person chose is told, and the lines for it are brought.

    Attributes:
        title: the words on the fold.
        lines: level and text of each line, oldest first.
        note: what is to be known of them: "the newest 400 that fit".
        levels: the chosen ones.
        words: what is looked for.
        opened: whether it is unfolded.
    """

    _esm = HERE / "run_log.js"
    _css = HERE / "run_log.css"

    title = traitlets.Unicode("Log").tag(sync=True)
    lines = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    levels = traitlets.List(traitlets.Enum(LEVELS), default_value=list(LEVELS)).tag(sync=True)
    words = traitlets.Unicode("").tag(sync=True)
    opened = traitlets.Bool(False).tag(sync=True)

    def show(self, lines: Sequence[tuple[str, str]], note: str) -> None:
        """Show these lines instead of the present ones."""
        with self.hold_sync():
            self.lines = [list(line) for line in lines]
            self.note = note
