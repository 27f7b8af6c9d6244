"""A grid of a hundred thousand pictures, and beside it the editor of the one that is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import traitlets

from widgets.components.assembling import HERE, module_text
from widgets.components.caption_editor import CaptionEditor, Wish


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


ASKED = {"want": ("version", "serial", "rows", "seen"), "stop-asking": (),
         "filter": ("text", "sort"), "select": ("version", "ranges"), "count": ("text",), "tags": ("lists",),
         "reject": ("version", "ranges", "reason"), "restore": ("version", "ranges"), "unreject": (), "reject-shown": ("id", "reason")}
"""Messages that the browser may send besides wishes, with their fields. `seen`: of the rows, those whose thumbnail it has. `lists`: whether
the tags of the taggers' lists are wanted, too."""


class Gallery(CaptionEditor):
    """The grid and the editor as one component.

    Attributes:
        view: the fields of `View`.
        mode: how the caption is shown: tags or text.
        rest: milliseconds without typing after which a caption is saved; 0 for never.
        sorts: name → words of each order.
        grammar: the filter's grammar and the keys, in words.
    """

    _esm = module_text("gallery")
    _css = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("caption_editor.css", "gallery.css"))

    view = traitlets.Dict().tag(sync=True)
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
