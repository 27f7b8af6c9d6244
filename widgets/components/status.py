"""The status line: fixed words in a live region, a bar of progress, the time left."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class StatusLine(anywidget.AnyWidget):
    """Says where a panel stands.

    Attributes:
        state: ready, blocked (something must be done elsewhere first), working, done or attention.
        text: the whole sentence, beginning with the state's word.
        fraction: share that is finished, 0 to 1; below 0 when it is not known (no bar is shown).
        left: time left in words; empty when it is not known.
    """

    _esm = HERE / "status.js"
    _css = HERE / "status.css"

    state = traitlets.Enum(("ready", "blocked", "working", "done", "attention"), default_value="ready").tag(sync=True)
    text = traitlets.Unicode("Ready").tag(sync=True)
    fraction = traitlets.Float(-1.0, max=1.0).tag(sync=True)
    left = traitlets.Unicode("").tag(sync=True)

    def say(self, state: str, text: str, fraction: float = -1.0, left: str = "") -> None:
        """Change everything in one message to the browser."""
        with self.hold_sync():
            self.state, self.text, self.fraction, self.left = state, text, min(fraction, 1.0), left

    def come(self) -> None:
        """Bring the panel into view in the browser, and give it the keyboard."""
        self.send({"kind": "come"})
