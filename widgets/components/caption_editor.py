"""One picture and its caption. A save carries the picture's id and the caption's revision, so that a late one can do no harm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import anywidget
import traitlets


@dataclass(frozen=True)
class Shown:
    """What the editor shows."""

    id: str
    revision: str
    """What the caption was when it was read."""
    caption: str
    place: str
    """ "3 of 40"."""
    name: str
    """The picture's file name."""
    home: str = ""
    """The project's folder: two projects may hold pictures of one id."""
    unread: str = ""
    """Why the caption cannot be read; empty when it can. It is not written over then."""
    closed: bool = False
    """The caption is no file that may be written (of a rejected picture); `unread` says why, and reading again does not help."""
    facts: str = ""
    """A few words on the picture: its size."""
    row: int = -1
    """Where it stands in the grid of that version; -1: nowhere."""
    version: int = -1


@dataclass(frozen=True)
class Wish:
    """What the person asked for."""

    kind: str
    """save, next, previous, open (another picture), again (read it from the disk), keep (write it over the text of someone else),
    remove (take the caption away), tag or caption (let a model look at it), larger or smaller (how large its picture is shown)."""
    id: str
    revision: str
    text: str
    changed: bool
    """Whether the text differs from what was shown."""
    home: str = ""
    """The project's folder that the picture was shown from."""
    token: str = ""
    """Names this wish; its answer carries it."""
    to: str = ""
    """The row that is to be opened, or the picture's id."""


LOOKS = ("larger", "smaller")
"""Wishes that need no answer: the box stays open."""
KINDS = ("save", "next", "previous", "open", "again", "keep", "remove", "tag", "caption", *LOOKS)


class CaptionEditor(anywidget.AnyWidget):
    """The editor's side of the gallery: picture, caption, Previous, Save, Save and next. Leaving a changed caption saves it first.

    Every wish but those of `LOOKS` must be answered (`answered`): the box is read-only until then, so that nothing is typed into a
    picture that is about to go.

    Attributes:
        shown: the fields of `Shown`, and the revision that an answered save carried; empty when there is no picture.
        picture: a picture file; empty while there is none.
        unseen: the words where there is no picture file: that it is being opened, or why it cannot be shown.
        answer: token of the wish that was answered last.
        note: one sentence under the text: "Saved.", or what went wrong.
        wrong: whether the note tells of something wrong.
        asked: what becomes of the picture that a model was asked to look at: `words`, `wrong`, `busy`, and its `id` and `home`.
        nothing: the words when there is no picture.
    """

    shown = traitlets.Dict().tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)
    unseen = traitlets.Unicode("").tag(sync=True)
    answer = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    wrong = traitlets.Bool(False).tag(sync=True)
    asked = traitlets.Dict().tag(sync=True)
    nothing = traitlets.Unicode("There are no pictures yet.").tag(sync=True)

    def __init__(self, wished: Callable[[Wish], None], nothing: str = "There are no pictures yet.") -> None:
        """Args: wished: called with each wish of the person."""
        super().__init__(nothing=nothing)
        self._wished = wished
        self.on_msg(self._heard)

    def show(self, shown: Shown | None, note: str = "", after: str = "") -> None:
        """Show a caption, or nothing; its picture follows. Args: after: the revision that the person's wish carried."""
        with self.hold_sync():
            if not shown or (shown.id, shown.home) != (self.shown.get("id"), self.shown.get("home")):
                self.picture, self.unseen = b"", ""
            self.shown = {**asdict(shown), "after": after} if shown else {}
            self.note, self.wrong = note, False

    def show_picture(self, id: str, home: str, picture: bytes, unseen: str = "", facts: str = "") -> None:
        """Put the picture beside its caption; one that comes late, for a caption that is gone, is let fall.

        Args: facts: a few words on it, known once it was opened.
        """
        if (id, home) == (self.shown.get("id"), self.shown.get("home")):
            with self.hold_sync():
                self.picture, self.unseen = picture, unseen
                if facts:
                    self.shown = {**self.shown, "facts": facts}

    def answered(self, wish: Wish) -> None:
        """The wish is done with, well or not: the box may be written in again."""
        self.answer = wish.token

    def saved(self, id: str, revision: str, caption: str, after: str, note: str = "Saved.") -> None:
        """The person's save is on disk; what was typed meanwhile stays in the box. Args: after: the revision that the save carried."""
        if self.shown.get("id") != id:
            return
        with self.hold_sync():
            self.shown = {**self.shown, "revision": revision, "caption": caption, "unread": "", "after": after}
            self.note, self.wrong = note, False

    def changed_on_disk(self, revision: str, caption: str, unread: str = "") -> None:
        """Something else wrote the caption that is shown: an untouched box shows it, a touched one keeps its text and its revision.

        Beside a touched box the other text is shown, and the person chooses; a save carries the old revision until then, and is
        refused as a conflict. Args: unread: why what is there now cannot be read.
        """
        self.shown = {**self.shown, "revision": revision, "caption": caption, "unread": unread, "after": ""}

    def moved(self, row: int, version: int, place: str) -> None:
        """The caption that is shown stands somewhere else in the grid now."""
        self.shown = {**self.shown, "row": row, "version": version, "place": place, "after": ""}

    def refuse(self, sentence: str) -> None:
        """Say why it was not saved; the text stays in the box."""
        with self.hold_sync():
            self.note, self.wrong = f"Needs attention: {sentence}", True

    def _heard(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        if message.get("kind") in KINDS:
            words = {name: str(message.get(name, "")) for name in ("kind", "id", "revision", "text", "home", "token", "to")}
            self._wished(Wish(**words, changed=bool(message.get("changed"))))
