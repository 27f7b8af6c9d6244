"""Tags as bars, the most frequent first; a tag that is pressed narrows what is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anywidget
import traitlets

from widgets.components.assembling import HERE, module_text

MOST = 3000
"""Tags that go to the browser; what is rarer is counted, and said."""


@dataclass(frozen=True)
class TagBar:
    """One tag."""

    tag: str
    count: int
    """Captions that hold it."""


class TagBars(anywidget.AnyWidget):
    """Shows tags with their numbers. The person searches, sorts, and presses tags.

    Attributes:
        tags, counts: the tags and their numbers, in step.
        captions: of how many.
        chosen: tags that were pressed; only captions that hold all of them are counted.
        left_out: rarer tags that are not in the list.
    """

    _esm = module_text("tag_bars")
    _css = HERE / "tag_bars.css"

    tags = traitlets.List(traitlets.Unicode()).tag(sync=True)
    counts = traitlets.List(traitlets.Int()).tag(sync=True)
    captions = traitlets.Int(0).tag(sync=True)
    chosen = traitlets.List(traitlets.Unicode()).tag(sync=True)
    left_out = traitlets.Int(0).tag(sync=True)

    def __init__(self, pressed: Callable[[str, bool], None]) -> None:
        """Args: pressed: called with a tag, and whether it is now chosen."""
        super().__init__()
        self._pressed = pressed
        self.on_msg(self._heard)

    def show(self, bars: Sequence[TagBar], captions: int, chosen: Sequence[str] = ()) -> None:
        """Show these tags instead of the present ones. Args: bars: the most frequent first. captions: how many were counted."""
        with self.hold_sync():
            self.tags, self.counts = [bar.tag for bar in bars[:MOST]], [bar.count for bar in bars[:MOST]]
            self.captions, self.chosen, self.left_out = captions, list(chosen), max(0, len(bars) - MOST)

    def _heard(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        if isinstance(message.get("tag"), str):
            self._pressed(message["tag"], bool(message.get("choose")))
