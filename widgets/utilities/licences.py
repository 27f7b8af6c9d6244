"""The list of licences, beside which any other can be named; the same wherever one is chosen."""

from __future__ import annotations

from core.base.licences import LICENCES
from widgets.controls import Suggestions


class Licences(Suggestions):
    """Args: by: what of a licence is written down: "name" or "title". nothing: what an empty field means."""

    typed = "or another one"
    placeholder = "its name"
    quotes = ""

    def __init__(self, by: str, nothing: str) -> None:
        super().__init__((licence.title, getattr(licence, by)) for licence in LICENCES.values())
        self.nothing = nothing
