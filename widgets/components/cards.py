"""Pictures as cards in sections: groups side by side, or a heap that a cut picked out. Thumbnails are fetched when they are seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import anywidget
import traitlets

from widgets.components.assembling import HERE, module_text

MOST_WANTED = 400
"""Thumbnails of one question; a screen holds far fewer."""


@dataclass(frozen=True)
class Card:
    """One picture."""

    key: str
    """Names it to the panel."""
    title: str
    lines: tuple[str, ...] = ()
    """Facts, one a line."""
    badge: str = ""
    """A word on the picture."""
    chosen: bool = False
    """Whether it is the one, or one of those, that the section's buttons are about."""
    content: str = ""
    """Names what it shows: with another content the same key's thumbnail is fetched anew."""


@dataclass(frozen=True)
class Section:
    """Pictures that belong together."""

    key: str
    title: str
    cards: tuple[Card, ...]
    actions: tuple[tuple[str, str], ...] = ()
    """Name and words of each button; the first one is the usual one."""
    pressed: str | None = None
    """Where the buttons are a choice: the name of the chosen one; empty: none is yet."""
    change: tuple[str, ...] = ()
    """A text before and after, shown beside the pictures: what goes struck out, what comes underlined."""


class Cards(anywidget.AnyWidget):
    """Sections of cards, page by page; only the page that is looked at is in the browser.

    Attributes:
        sections: the sections of this page.
        place: number of the first one, from 0.
        total: how many there are (sections, or what `what` says).
        page: how many a page has.
        what: what is counted: "group", "picture".
        press: what pressing a picture does, in words.
        nothing: the words where there are no sections; empty: nothing is shown.
    """

    _esm = module_text("cards")
    _css = HERE / "cards.css"

    sections = traitlets.List(traitlets.Dict()).tag(sync=True)
    place = traitlets.Int(0).tag(sync=True)
    total = traitlets.Int(0).tag(sync=True)
    page = traitlets.Int(10).tag(sync=True)
    what = traitlets.Unicode("group").tag(sync=True)
    press = traitlets.Unicode("").tag(sync=True)
    nothing = traitlets.Unicode("").tag(sync=True)

    def __init__(self, asked: Callable[[str, Mapping[str, Any]], None], what: str, press: str, page: int) -> None:
        """Args: asked: called with what the person or the browser wants: want {keys}, turn {place}, press {section, key},
        act {section, name}, large {key}."""
        super().__init__(what=what, press=press, page=page)
        self._asked = asked
        self.on_msg(self._heard)

    def show(self, sections: Sequence[Section], place: int, total: int, nothing: str = "") -> None:
        """Show this page."""
        with self.hold_sync():
            self.sections = [asdict(section) for section in sections]
            self.place, self.total, self.nothing = place, total, nothing

    def send_thumbs(self, thumbs: Mapping[str, bytes], troubles: Mapping[str, str]) -> None:
        """Thumbnails by key, and why others have none."""
        self.send({"thumbs": list(thumbs), "troubles": dict(troubles)}, list(thumbs.values()))

    def send_large(self, key: str, title: str, data: bytes) -> None:
        """One picture, large."""
        self.send({"large": key, "title": title}, [data])

    def _heard(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        kind = message.get("kind")
        shown = {card["key"] for section in self.sections for card in section["cards"]}
        if kind == "want" and isinstance(message.get("keys"), list):
            self._asked("want", {"keys": [key for key in message["keys"][:MOST_WANTED] if key in shown]})
        elif kind == "turn" and isinstance(message.get("place"), int):
            self._asked("turn", {"place": max(0, min(message["place"], max(0, self.total - 1)))})
        elif kind == "large" and message.get("key") in shown:
            self._asked("large", {"key": message["key"]})
        elif kind in ("press", "act"):
            section = next((one for one in self.sections if one["key"] == message.get("section")), None)
            if section is None:
                return
            names = [card["key"] for card in section["cards"]] if kind == "press" else [name for name, _ in section["actions"]]
            chosen = message.get("key" if kind == "press" else "name")
            if chosen in names:
                self._asked(str(kind), {"section": section["key"], "key" if kind == "press" else "name": chosen})
