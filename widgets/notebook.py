"""What a notebook's cells call: `show("tag")` puts a panel on screen. A panel is imported when it is shown, not before."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import MissingDependency
from core.base.registry import Registry
from widgets.session import Session

if TYPE_CHECKING:
    from widgets.panel import Panel

NEEDED = ("pydantic", "ipywidgets", "anywidget")
"""Without these no panel can be made: the notebook was opened with another Python than Lorabook's."""


def missing_here() -> list[str]:
    """Which of the needed packages this kernel's Python lacks; nothing is imported."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


class Notebook:
    """The panels of one notebook, in order, and the project that they share.

    Args:
        panels: name to panel class, in the order of the way.
        begin: makes the session when the first panel is shown.
    """

    def __init__(self, panels: Registry[type], begin: Callable[[], Session]) -> None:
        self.panels, self._begin = panels, begin
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The shared project; the one that was open last is opened again."""
        if self._session is None:
            self._session = self._begin()
        return self._session

    def make(self, name: str) -> Panel:
        """The panel of that name. A panel that was shown before is let go. Raises: ConfigError: there is none."""
        panel_class = self.panels.load(name)
        before = self.session.panels.pop(name, None)
        if before is not None:
            before.close()
        panel = panel_class(self.session, self.panels.names().index(name) + 1)
        self.session.panels[name] = panel
        return panel

    def show(self, name: str) -> None:
        """Show the panel of that name. Raises: ConfigError: there is none. MissingDependency: this is not Lorabook's Python."""
        if absent := missing_here():
            raise MissingDependency(
                f"This notebook runs in {sys.executable}, which lacks {', '.join(absent)}.",
                "At the top right, choose the kernel 'Lorabook (Python …)'; where there is none, open the notebook with ./jupyter.sh "
                "(on Colab: run the first cell).")
        from IPython.display import display

        display(self.make(name).view)


def remembered(memory: Callable[[], Path]) -> Callable[[], Session]:
    """A session that opens the project named in the file `memory()`."""
    def begin() -> Session:
        session = Session(memory())
        session.resume()
        return session

    return begin
