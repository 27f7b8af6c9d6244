"""A question before what cannot be taken back: what it comes to, a button that says what it does, and one that leaves all as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as ipw

from widgets.panel import Panel
from widgets.pieces import part, row

LEAVE = "Leave everything as it is"


class Confirm:
    """Hidden until something is asked; a press of either button hides it again.

    Args: panel: its buttons stand in that panel, so that errors become sentences there.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._act: Callable[[], Any] | None = None
        self._question, self._about = ipw.HTML(), ipw.HTML()
        self.yes = panel.action("Yes", self._do, lambda: "It is working. Wait for it, or cancel it." if panel.working() else "")
        self.no = panel.action(LEAVE, self._leave)
        self.view = ipw.VBox([self._question, self._about, row(self.yes, self.no)]).add_class("lb-confirm")
        self.hide()

    @property
    def is_asked(self) -> bool:
        """Whether it waits for an answer."""
        return self._act is not None

    def ask(self, question: str, about: str, deed: str, act: Callable[[], Any]) -> None:
        """Show it.

        Args: about: what is going to happen, in HTML. deed: words of the button that does it. act: what it does, as a panel's `run`.
        """
        self._act = act
        self._question.value, self._about.value, self.yes.description = part(question).value, about, deed
        self.view.layout.display = ""

    def hide(self) -> None:
        """What was asked is not asked any more."""
        self._act = None
        self.view.layout.display = "none"

    def _do(self) -> Any:
        act = self._act
        self.hide()
        return act() if act is not None else None

    def _leave(self) -> None:
        self.hide()
        self._panel.done("everything is as it was.")
