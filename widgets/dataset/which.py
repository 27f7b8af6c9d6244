"""Which pictures a panel works on: all, those without a caption, or what the gallery has selected or shows."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TypeVar

import ipywidgets as ipw

from core.base.errors import DatasetError
from core.dataset.captions.which import WhichImages
from widgets.session import Session

S = TypeVar("S", bound=WhichImages)
FILTER_SHOWN = 40
"""Letters of the gallery's filter that are repeated in the list."""


class WhichChoice:
    """The control of `WhichImages`, the same in each panel; it knows the gallery of the session.

    Args:
        changed: called when another choice, or other numbers, may have made the main button possible or impossible.
        missing: whether "Without a caption" is offered; False where the panel asks for that in another way.
    """

    def __init__(self, session: Session, changed: Callable[[], None], missing: bool = True) -> None:
        self.session, self._changed, self._missing, self._renewing = session, changed, missing, False
        field = WhichImages.fields()["which"]
        self.list = ipw.Dropdown(description=field.title, options=self._options(), value="all")
        self.list.tooltip = field.description if missing else None
        self._note = ipw.HTML()
        self.list.observe(lambda _: self._chosen(), "value")
        box = ipw.VBox([self.list, self._note], layout=ipw.Layout(max_width="600px"))
        self.view = ipw.VBox([box.add_class("lb-field").add_class("lb-wide")]).add_class("lb-fields")
        self._forget = session.on_pick(self.look)
        self._show_note()

    def look(self) -> None:
        """Show what the gallery has selected now; what is chosen stays chosen."""
        options, chosen, was_blocked = self._options(), self.list.value, self.blocked()
        if tuple(options) != tuple(self.list.options):
            self._renewing = True  # new options choose the first one
            self.list.options, self.list.value = options, chosen
            self._renewing = False
        self._show_note()
        if chosen in ("selected", "shown") or was_blocked:
            self._changed()

    def begin(self) -> None:
        """Another project: all pictures."""
        self.list.value = "all"

    def blocked(self) -> str:
        """Why the chosen pictures cannot be worked on; empty when they can."""
        if self._count() > 0:
            return ""
        what = "selected" if self.list.value == "selected" else "shown"
        return f"No picture is {what} in the gallery. Choose some there, or other pictures under 'Which images'."

    def put_into(self, settings: S) -> S:
        """The settings, for the chosen pictures. Raises: DatasetError: there are none."""
        return settings.changed(which="missing" if self.list.value == "missing" else "all", ids=self.ids())

    def ids(self) -> tuple[str, ...]:
        """The chosen pictures of the gallery; none: it is not the gallery that chooses. Raises: DatasetError: none is chosen there."""
        choice = self.list.value
        if choice in ("all", "missing") or (choice == "shown" and not self.session.picked.filter):
            return ()
        ids = tuple(self.session.picked.names(choice))
        if not ids:
            raise DatasetError(self.blocked() or "These pictures are gone.", "Select others in the gallery.")
        return ids

    def close(self) -> None:
        """Let go."""
        self._forget()

    def _count(self) -> int:
        """How many pictures of the gallery are chosen; 1 where that is not the gallery's matter."""
        picked = self.session.picked
        return {"selected": picked.selected, "shown": picked.shown}.get(self.list.value, 1)

    def _options(self) -> list[tuple[str, str]]:
        picked = self.session.picked
        words = picked.filter if len(picked.filter) <= FILTER_SHOWN else picked.filter[:FILTER_SHOWN] + "…"
        by_filter = f", filter: {words}" if words else ""
        return [("All", "all"), *([("Without a caption", "missing")] if self._missing else []),
                (f"Selected in the gallery ({picked.selected:,})", "selected"),
                (f"Shown in the gallery ({picked.shown:,}{by_filter})", "shown")]

    def _chosen(self) -> None:
        if not self._renewing:
            self._show_note()
            self._changed()

    def _show_note(self) -> None:
        words = {"missing": "The trigger word alone is no caption.",
                 "selected": "The pictures that are marked in the gallery when you press the button.",
                 "shown": "The pictures that the gallery's filter leaves when you press the button."}.get(self.list.value, "")
        note = f'<p class="lb-help">{html.escape(words)}</p>' if words else ""
        if self._note.value != note:
            self._note.value = note
