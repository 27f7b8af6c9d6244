"""A histogram with a cut that can be moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from widgets.components.assembling import HERE, module_text


class Histogram(anywidget.AnyWidget):
    """Bars, and a slider under them; what lies beyond the cut is marked.

    Attributes:
        counts: pictures in each bar, from left to right.
        cut: place of the cut between the left (0) and the right end (1).
        bad: which side of the cut is picked out: "low" or "high".
        title: what is shown.
        low, high: the values at both ends, in words.
        words: what the cut means at present, in words.
        answered: the last place of the slider that was taken in; places are counted by the browser, and one that comes
            after a later one is left out.
    """

    _esm = module_text("histogram")
    _css = HERE / "histogram.css"

    counts = traitlets.List(traitlets.Int()).tag(sync=True)
    cut = traitlets.Float(0.0).tag(sync=True)
    bad = traitlets.Enum(["low", "high"], "low").tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    low = traitlets.Unicode("").tag(sync=True)
    high = traitlets.Unicode("").tag(sync=True)
    words = traitlets.Unicode("").tag(sync=True)
    answered = traitlets.Int(0).tag(sync=True)

    def __init__(self, moved: Callable[[float], None], soon: Callable[[Callable[[], None]], None]) -> None:
        """Args: moved: called with the cut's new place while it is moved; soon: calls something in the loop's thread."""
        super().__init__()
        self._moved, self._soon = moved, soon
        self.on_msg(self._heard)

    def show(self, counts: Sequence[int], cut: float, bad: str, title: str, ends: tuple[str, str], words: str) -> None:
        """Show this histogram."""
        with self.hold_sync():
            self.counts, self.cut, self.bad, self.title = list(counts), cut, bad, title
            (self.low, self.high), self.words = ends, words

    def say(self, cut: float, words: str) -> None:
        """The cut's place and what it means, when only that changed."""
        with self.hold_sync():
            self.cut, self.words = cut, words

    def _heard(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        cut = message.get("cut")
        turn = message.get("turn")
        if isinstance(cut, (int, float)) and 0 <= cut <= 1 and isinstance(turn, int):
            self._soon(lambda: self._take(float(cut), turn))

    def _take(self, cut: float, turn: int) -> None:
        if turn <= self.answered:
            return
        with self.hold_sync():  # the answer and what it says come as one
            self.answered = turn
            self._moved(cut)
