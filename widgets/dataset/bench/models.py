"""The models that the workbench keeps open: a list with their memory, and letting go of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as ipw

from core.base.words import counted, told_size
from widgets.pieces import Fold, row, table

if TYPE_CHECKING:
    from widgets.dataset.workbench import WorkbenchPanel

AGAIN = 3.0
"""Seconds between two looks while the list is open."""
DEVICES = {"cpu": "this machine", "cuda": "the GPU"}


class ModelsList:
    """Folded away; while it is open it follows what is loaded."""

    def __init__(self, panel: WorkbenchPanel) -> None:
        self.panel = panel
        self.words = ipw.HTML()
        self.list = ipw.Dropdown(description="Model", options=[("none is open", "")])
        self.unload = panel.action("Unload it", self._unload_one, lambda: "" if self.list.value else "No model is open.")
        self.unload_all = panel.action("Unload all", self._unload_all, lambda: "" if self.list.value else "No model is open.")
        choice = ipw.VBox([self.list]).add_class("lb-field")
        self.fold = Fold("models in memory", [self.words, row(choice, self.unload, self.unload_all)], self._turn)
        self.view = self.fold.view

    def _turn(self, is_open: bool) -> None:
        if is_open:
            self.panel.guard(self.look)
            self.panel.loop.repeat(self.panel.patient(self._look_again), AGAIN)

    def _look_again(self) -> bool:
        self.look()
        return self.fold.is_open

    def look(self) -> None:
        """Show what is open now."""
        manager = self.panel.manager
        if manager is None:
            return
        models, free = manager.open_models()
        rows = [(model.name, DEVICES.get(model.device, model.device), told_size(model.memory), "at work" if model.is_used else "")
                for model in models]
        room = ", ".join(f"{told_size(size)} free on {DEVICES.get(device, device)}" for device, size in free.items() if size)
        kept = "They stay open until another one needs the room." if rows else "No model is open."
        self.words.value = f'{table(rows, ("Model", "On", "Memory", "")) if rows else ""}<p class="lb-help">{kept} {room}.</p>'
        options = [(model.name, str(number)) for number, model in enumerate(models)] or [("none is open", "")]
        if list(self.list.options) != options:
            with self.list.hold_sync():
                self.list.options, self.list.value = options, options[0][1]
        self._keys = [model.key for model in models]
        self.panel.look_again()

    def _unload_one(self) -> str:
        manager, number = self.panel.manager, self.list.value
        if manager is None or not number:
            return "no model is open."
        name = self.list.label
        gone = manager.unload_models([self._keys[int(number)]])
        self.look()
        return f"{name} is unloaded." if gone else f"{name} works at this moment; unload it when it is done."

    def _unload_all(self) -> str:
        manager = self.panel.manager
        gone = manager.unload_models() if manager is not None else 0
        self.look()
        return f"{counted(gone, 'model')} unloaded."
