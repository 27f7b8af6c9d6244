"""The folded log: its last lines, followed to the end unless the person scrolled up."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent
LONGEST = 400
"""Lines that are kept on screen; the whole log stays in its file."""


class LogView(anywidget.AnyWidget):
    """Shows text, folded until it is opened; nothing at all while there is none.

    Attributes:
        title: the words on the fold.
        text: what is shown; at most the last 400 lines.
        opened: whether it is unfolded.
    """

    _esm = HERE / "log.js"
    _css = HERE / "log.css"

    title = traitlets.Unicode("Log").tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    opened = traitlets.Bool(False).tag(sync=True)

    def show(self, text: str) -> None:
        """Replace the text by the last lines of `text`."""
        self.text = "\n".join(text.splitlines()[-LONGEST:])

    def append(self, line: str) -> None:
        """Add a line (or several)."""
        self.show(f"{self.text}\n{line}" if self.text else line)
