"""One picture and its caption. A save carries the picture's id and the caption's revision, so that a late one can do no harm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Shown:
    """What the editor shows."""

    id: str
    revision: str
    """What the caption was when it was read."""
    caption: str
    place: str
    """ "3 of 40"."""
    picture: bytes
    name: str
    """The file's name."""
    home: str = ""
    """The project's folder: two projects may hold pictures of one id."""


@dataclass(frozen=True)
class Wish:
    """What the person asked for."""

    kind: str
    """save, next, previous or go."""
    id: str
    revision: str
    text: str
    changed: bool
    """Whether the text differs from what was shown."""
    home: str = ""
    """The project's folder that the picture was shown from."""


class CaptionEditor(anywidget.AnyWidget):
    """Picture, text, Previous, Save, Save and next. Leaving a changed caption saves it first.

    Attributes:
        shown: id, revision, caption, place, name of the picture that is shown; empty when there is none.
        picture: the file's bytes.
        note: one sentence under the text: "Saved.", or what went wrong.
        wrong: whether the note tells of something wrong.
        nothing: the words when there is no picture.
    """

    _esm = HERE / "caption_editor.js"
    _css = HERE / "caption_editor.css"

    shown = traitlets.Dict().tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    wrong = traitlets.Bool(False).tag(sync=True)
    nothing = traitlets.Unicode("There are no pictures yet.").tag(sync=True)

    def __init__(self, wished: Callable[[Wish], None], nothing: str = "There are no pictures yet.") -> None:
        """Args: wished: called with each wish of the person."""
        super().__init__(nothing=nothing)
        self._wished = wished
        self.on_msg(self._heard)

    def show(self, shown: Shown | None, note: str = "") -> None:
        """Show a picture with its caption, or nothing."""
        with self.hold_sync():
            self.picture = shown.picture if shown else b""
            self.shown = {"id": shown.id, "revision": shown.revision, "caption": shown.caption, "place": shown.place,
                          "name": shown.name, "home": shown.home, "after": ""} if shown else {}
            self.note, self.wrong = note, False

    def saved(self, id: str, revision: str, caption: str, after: str, note: str = "Saved.") -> None:
        """The person's save is on disk; what was typed meanwhile stays in the box. Args: after: the revision that the save carried."""
        if self.shown.get("id") != id:
            return
        with self.hold_sync():
            self.shown = {**self.shown, "revision": revision, "caption": caption, "after": after}
            self.note, self.wrong = note, False

    def changed_on_disk(self, revision: str, caption: str) -> None:
        """Something else wrote the caption that is shown: an untouched box shows it, a touched one keeps its text and its revision.

        The next save of a touched box then carries the old revision, and is refused as a conflict.
        """
        self.shown = {**self.shown, "revision": revision, "caption": caption, "after": ""}

    def refuse(self, sentence: str) -> None:
        """Say why it was not saved; the text stays in the box."""
        with self.hold_sync():
            self.note, self.wrong = f"Needs attention: {sentence}", True

    def _heard(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        if message.get("kind") in ("save", "next", "previous"):
            self._wished(Wish(message["kind"], str(message.get("id", "")), str(message.get("revision", "")), str(message.get("text", "")),
                              bool(message.get("changed")), str(message.get("home", ""))))
