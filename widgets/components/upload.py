"""A place to drop files, folders and archives on; they come in pieces, each of which is answered.

A browser sends everything in messages of one websocket, and Jupyter ends a connection over which a message of 10 MB comes, Colab one of
about 1 MB. So a file is cut into pieces of at most `most` bytes, a few are under way at once, and each answer makes room for the next.

The questions, each with `client` and `serial`, which its answer carries back:
    hello                                   is anybody there?
    begin (files, bytes) → upload           its id
    open (path, size) → have, [digests]     what lies there already
    from (path, size, blocks) → have | state, name    so many blocks are the same: where to go on
    piece (path, offset, [data, digests]) → have
    finish (path, root) → state, name
    small (files, [data, digests]) → files: state, name, reason of each
    pause, go, end (stopped, files, bytes)
An answer with `trouble` (words) and `scope` says no: "file" to this file, "again" that a piece is missing, "busy" that another window
has the file, "all" that nothing more can be taken now.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from widgets.components.assembling import HERE, module_text

KINDS = ("hello", "begin", "open", "from", "piece", "finish", "small", "pause", "go", "end")
WHOLE = ("serial", "size", "offset", "blocks", "files", "bytes")
"""Fields that are whole numbers."""

Asked = Callable[[str, Mapping[str, Any], Sequence[memoryview]], None]


class Upload(anywidget.AnyWidget):
    """The drop zone, the progress, and the list of files.

    The files that were dropped live in the page, apart from this widget: another one for the same `home` (after the kernel was restarted
    and the cell run again) goes on with them.

    Attributes:
        key: names this widget in the page.
        home: what the uploads belong to; empty for nothing.
        blocked: why nothing can be uploaded; empty when it can.
        target: where the files go, in words.
        most: bytes of the largest piece.
        kinds: endings and names (tables) that are taken, names that are junk, endings of videos.
        unfinished: partial files that lie there: path, size, have, place.
    """

    _esm = module_text("upload")
    _css = (HERE / "upload.css").read_text(encoding="utf-8")

    key = traitlets.Unicode().tag(sync=True)
    home = traitlets.Unicode("").tag(sync=True)
    blocked = traitlets.Unicode("").tag(sync=True)
    target = traitlets.Unicode("").tag(sync=True)
    most = traitlets.Int(4 * 2**20).tag(sync=True)
    kinds = traitlets.Dict().tag(sync=True)
    unfinished = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(self, asked: Asked, forgotten: Callable[[str, str], None], kinds: Mapping[str, Sequence[str]], most: int) -> None:
        """Args: asked: called with each question: kind, fields, buffers; `answer` or `refuse` must follow. forgotten: called with
        home and place of a partial file that the person throws away."""
        super().__init__(key=secrets.token_hex(8), most=most, kinds={name: list(values) for name, values in kinds.items()})
        self._asked, self._forgotten = asked, forgotten
        self.on_msg(self._heard)

    def answer(self, asked: Mapping[str, Any], given: Mapping[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Answer a question. Args: asked: its fields. given: the answer's."""
        self.send({**given, "client": asked["client"], "serial": asked["serial"]}, list(buffers))

    def refuse(self, asked: Mapping[str, Any], trouble: str, scope: str) -> None:
        """Say no. Args: trouble: one sentence. scope: file, again, busy or all."""
        self.answer(asked, {"trouble": trouble, "scope": scope})

    def _heard(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[memoryview]) -> None:
        kind = message.get("kind")
        if kind == "forget":
            self._forgotten(str(message.get("home")), str(message.get("place")))
        elif kind in KINDS and isinstance(message.get("client"), str) and _are_whole(message):
            self._asked(str(kind), message, [memoryview(buffer).cast("B") for buffer in buffers])


def _are_whole(message: Mapping[str, Any]) -> bool:
    return "serial" in message and all(isinstance(message[name], int) for name in WHOLE if name in message and message["kind"] != "small")
