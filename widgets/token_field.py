"""The hidden field for a token of Hugging Face: emptied as soon as it is taken, and typed once for all panels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as ipw

from widgets.session import Session

HELP = ("Needed where HF_TOKEN is not set on this machine. Make one with the right to write at huggingface.co/settings/tokens. It serves "
        "every panel of this notebook until the kernel ends, and is written into no file.")
TAKEN = "taken; another one takes its place"
"""Stands in the empty field: a line below that came or went would move the button away under the pointer that presses it."""


class TokenField:
    """A token is kept in the session's memory alone: no setting, no file, no log knows it.

    Args: heard: `Panel.heard` of its panel. taken: called with each token that was typed here; by itself the panels hear of it.
        words: what else becomes of it, after what holds for all panels.
    """

    def __init__(self, session: Session, heard: Callable[[Callable[[], Any]], Callable[..., None]],
                 taken: Callable[[], None] | None = None, words: str = "") -> None:
        self._session, self._taken = session, taken or session.tell
        self.widget = ipw.Password(description="Token", continuous_update=False)
        self.widget.observe(heard(self._keep), "value")
        told = f'<p class="lb-help">{" ".join(filter(None, (HELP, words)))}</p>'
        box = ipw.VBox([self.widget, ipw.HTML(told)]).add_class("lb-field").add_class("lb-field-token")
        self.view = ipw.VBox([box]).add_class("lb-fields")
        self.show()

    def _keep(self) -> None:
        """As soon as it is typed. Nothing is given back: a panel says what its acts give back."""
        self.take()

    def show(self) -> None:
        """Say that one is there, also one that was typed in another panel."""
        self.widget.placeholder = TAKEN if self._session.hub_token else ""

    def take(self) -> str:
        """Out of the field, which the notebook could save, into memory. Returns: the token; empty: none was given, here or elsewhere."""
        if typed := self.widget.value.strip():
            self._session.hub_token, self.widget.value = typed, ""
            self.show()
            self._taken()
        return self._session.hub_token
