"""Pressing on what is meant: a model answers each point at once; what it answers is seen, and becomes a step when it is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as ipw

from core.dataset.images.segmenting.sam import SAMS
from widgets.pieces import row

if TYPE_CHECKING:
    from widgets.dataset.bench.drawing import DrawTab


class Pointing:
    """The model, the points of the canvas, and the button that takes what they mean.

    Args: tab: whose mask it is.
    """

    def __init__(self, tab: DrawTab) -> None:
        self.tab, self.panel = tab, tab.panel
        self._refused: dict[str, Any] | None = None
        models = [(f"{entry.title} ({entry.note})", entry.name) for entry in SAMS]
        self.model = ipw.Dropdown(description="Model that answers", options=models)
        self.take = self.panel.action("Add what the points mean", self._take, self._blocked)
        self.view = row(ipw.VBox([self.model]).add_class("lb-field"), self.take)
        self.panel.canvas.observe(self.panel.heard(self._changed), ["points", "box", "how"])
        self.panel.canvas.observe(self.panel.heard(self._look), "mode")
        self.model.observe(self.panel.heard(self._changed), "value")

    def pending(self) -> dict[str, Any] | None:
        """The step that the points would be; None: there are none, or the model could not answer them."""
        canvas = self.panel.canvas
        if not (canvas.points or canvas.box):
            return None
        operation = {"op": "segment", "model": self.model.value, "points": [[x, y, bool(kind)] for x, y, kind in canvas.points],
                     "box": list(canvas.box) or None, "how": canvas.how}
        return operation if operation != self._refused else None

    def refuse(self, operation: dict[str, Any]) -> None:
        """The model cannot answer these points; others may be asked of it."""
        self._refused = operation

    def _changed(self) -> None:
        if self.panel.tab is self.tab:
            self.tab.draw()
            self.panel.look_again()

    def _look(self) -> None:
        """Points are to be set: let the model look at the picture now, so that the first press is answered at once."""
        manager, drawing = self.panel.manager, self.tab.drawing
        if self.panel.tab is self.tab and self.panel.canvas.mode == "points" and manager is not None and drawing is not None:
            model, progress = str(self.model.value), self.panel.try_progress()
            self.panel.loop.beside(lambda: manager.look_for_clicks(drawing.path, model, progress), self._looked)

    def _looked(self, result: object, error: BaseException | None) -> None:
        if error is not None:
            self.panel.fail(error)
        else:
            self.panel.tried_is_over()
            self.panel.settle()

    def _blocked(self) -> str:
        are_there = self.panel.canvas.points or self.panel.canvas.box
        return self.tab.not_drawable() or ("" if are_there else "Choose Points above the picture, and press on what is meant.")

    def _take(self) -> str | None:
        operation, canvas = self.pending(), self.panel.canvas
        if operation is None:
            return None
        canvas.points, canvas.box, canvas.belongs = [], [], True
        self.tab.add(operation)
        return "what the points mean is in the mask. Ctrl+Z takes it out again."
