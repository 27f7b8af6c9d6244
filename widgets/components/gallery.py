"""A grid of a hundred thousand pictures, and beside it the editor of the one that is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import traitlets

from widgets.components.assembling import HERE, module_text
from widgets.components.caption_editor import CaptionEditor, Wish
from widgets.components.grid import GridSide, View

ASKED = {"want": ("version", "serial", "rows", "seen"), "stop-asking": (),
         "filter": ("text", "sort"), "select": ("version", "ranges"), "count": ("text",), "tags": ("lists",),
         "reject": ("version", "ranges", "reason"), "restore": ("version", "ranges"), "unreject": (), "reject-shown": ("id", "reason")}
"""Messages that the browser may send besides wishes, with their fields. `seen`: of the rows, those whose thumbnail it has. `lists`: whether
the tags of the taggers' lists are wanted, too."""


class Gallery(GridSide, CaptionEditor):
    """The grid and the editor as one component.

    Attributes:
        mode: how the caption is shown: tags or text.
        rest: milliseconds without typing after which a caption is saved; 0 for never.
        sorts: name → words of each order.
        grammar: the filter's grammar and the keys, in words.
    """

    _esm = module_text("gallery")
    _css = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("caption_editor.css", "grid.css", "gallery.css"))

    mode = traitlets.Enum(["tags", "text"], "tags").tag(sync=True)
    rest = traitlets.Int(1000).tag(sync=True)
    sorts = traitlets.Dict().tag(sync=True)
    grammar = traitlets.Unicode("").tag(sync=True)

    def __init__(self, wished: Callable[[Wish], None], asked: Callable[[str, Mapping[str, Any]], None], sorts: Mapping[str, str],
                 grammar: str, nothing: str = "There are no pictures yet.") -> None:
        """Args: wished: called with each wish of the editor. asked: called with the other messages (`ASKED`): kind and fields."""
        self._asked = asked
        super().__init__(wished, nothing)
        with self.hold_sync():
            self.view, self.sorts, self.grammar = asdict(View()), dict(sorts), grammar

    def send_tokens(self, text: str, words: str, over: bool) -> None:
        """How many tokens a text has. Args: words: how that is said. over: a part of the text is not read."""
        self.send({"kind": "tokens", "text": text, "words": words, "over": over})

    def send_tags(self, tags: Sequence[tuple[str, int]], listed: Sequence[str] | None = None) -> None:
        """Tags that the project knows, with how often they are used, the most frequent first.

        Args: listed: others, that taggers know; None: the browser keeps those that it has.
        """
        self.send({"kind": "tags", "tags": [list(pair) for pair in tags], "listed": None if listed is None else list(listed)})

    def _heard(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        kind = message.get("kind")
        if kind in ASKED:
            self._asked(str(kind), {name: message.get(name) for name in ASKED[str(kind)]})
        else:
            super()._heard(widget, message, buffers)
