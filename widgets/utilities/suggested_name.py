"""A name for a file that is to be written, in its field as long as the person gave none."""

from __future__ import annotations

from pathlib import Path

from widgets.controls import Control


class SuggestedName:
    """Fills a field in. Args: control: a text."""

    def __init__(self, control: Control) -> None:
        self._control, self._suggested = control, ""
        self.filling = False
        """Whether the field changes just now because of this, and not by the person."""

    def show(self, path: Path | None) -> None:
        """Suggest a path, or one like it that is free yet. Args: path: None: leave the field empty."""
        if str(self._control.read() or "") not in ("", self._suggested):
            return
        self._suggested = str(free_name(path)) if path is not None else ""
        self.filling = True
        self._control.write(self._suggested)
        self.filling = False


def free_name(path: Path) -> Path:
    """The path, or with -2, -3 … to its name where files of the names before are there."""
    found, number = path, 1
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found
