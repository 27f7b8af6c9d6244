"""Doubtful tags of one image after the other, each kept or dropped with one key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from widgets.components.assembling import HERE, module_text

Decided = Callable[[str, Sequence[str], Sequence[str]], None]
"""Called with an image's token, the tags that are kept and those that are dropped."""


class ReviewView(anywidget.AnyWidget):
    """Shows an image with its doubtful tags. Decisions are sent when the image is left, with the token that it was shown with.

    Attributes:
        image: `token`, `name`, `tags` (name, score, threshold, present, category); empty when there is none.
        place, total: number of the image from 0, and how many there are.
        picture: a picture file; empty while there is none.
        unseen: the words where there is no picture.
        nothing: the words when there is no image.
    """

    _esm = module_text("review")
    _css = HERE / "review.css"

    image = traitlets.Dict().tag(sync=True)
    place = traitlets.Int(0).tag(sync=True)
    total = traitlets.Int(0).tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)
    unseen = traitlets.Unicode("").tag(sync=True)
    nothing = traitlets.Unicode("").tag(sync=True)

    def __init__(self, decided: Decided, turn: Callable[[int], None], undo: Callable[[], None]) -> None:
        """Args: decided: takes what was decided; turn: asked for the image that stands so many further (or back, when negative);
        undo: asked to take back the last decision that was sent."""
        super().__init__()
        self._decided, self._turn, self._undo = decided, turn, undo
        self.on_msg(self._heard)

    def show(self, image: Mapping[str, Any], place: int, total: int, nothing: str = "") -> None:
        """Show this image without its picture, which comes later. Args: image: empty for none."""
        with self.hold_sync():
            self.image, self.place, self.total, self.nothing = dict(image), place, total, nothing
            self.picture, self.unseen = b"", ""

    def take_keys(self) -> None:
        """Let the list of tags have the keyboard, unless somebody writes elsewhere."""
        self.send({"kind": "focus"})

    def show_picture(self, token: str, picture: bytes, unseen: str = "") -> None:
        """Its picture, or why there is none. One that comes too late is passed over."""
        if token == self.image.get("token"):
            with self.hold_sync():
                self.picture, self.unseen = picture, unseen

    def _heard(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        keep, drop = ([str(tag) for tag in message.get(name, ()) if isinstance(tag, str)] for name in ("keep", "drop"))
        if keep or drop:
            self._decided(str(message.get("token", "")), keep, drop)
        if message.get("kind") == "turn" and message.get("way") in (1, -1):
            self._turn(int(message["way"]))
        elif message.get("kind") == "undo":
            self._undo()
