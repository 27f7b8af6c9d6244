"""The hidden field for a token of Hugging Face: emptied as soon as it is taken, and kept in memory alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as ipw

HELP = ("Needed where HF_TOKEN is not set on this machine. Make one with the right to write at huggingface.co/settings/tokens. It is "
        "kept until the kernel ends, and written nowhere.")
TAKEN = "taken; another one takes its place"
"""Stands in the empty field: a line below that came or went would move the button away under the pointer that presses it."""


class TokenField:
    """A token is kept in this object's memory alone: no setting, no file, no log knows it.

    Args: heard: `Panel.heard` of its panel. taken: called with each token that was typed.
    """

    def __init__(self, heard: Callable[[Callable[[], Any]], Callable[..., None]],
                 taken: Callable[[str], None] = lambda token: None) -> None:
        self._token, self._taken = "", taken
        self.widget = ipw.Password(description="Token", continuous_update=False)
        self.widget.observe(heard(self._keep), "value")
        box = ipw.VBox([self.widget, ipw.HTML(f'<p class="lb-help">{HELP}</p>')]).add_class("lb-field").add_class("lb-field-token")
        self.view = ipw.VBox([box]).add_class("lb-fields")

    def _keep(self) -> None:
        """As soon as it is typed. Nothing is given back: a panel says what its acts give back."""
        self.take()

    def take(self) -> str:
        """Out of the field, which the notebook could save, into memory. Returns: the token; empty: none was given."""
        if typed := self.widget.value.strip():
            self._token, self.widget.value, self.widget.placeholder = typed, "", TAKEN
            self._taken(typed)
        return self._token
