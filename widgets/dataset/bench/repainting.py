"""The tab that paints anew: the region is drawn as a mask of its own, then a tool fills it; several results to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ipywidgets as ipw

from widgets.dataset.bench.drawing import DrawTab
from widgets.dataset.bench.tab import Tab, ToolTab
from widgets.panel import Work
from widgets.pieces import part

if TYPE_CHECKING:
    from core.dataset.images.writing import Tried
    from widgets.dataset.bench.desk import Opened


class RepaintTab(DrawTab):
    """Draws where, and paints."""

    use = "repaint"
    button = "Paint the region anew"

    def _below(self) -> Sequence[ipw.Widget]:
        return [part("How it is painted"), *ToolTab.controls(self)]

    def _empty_words(self) -> str:
        return "Nothing is marked yet. Draw over what is to go; or choose a place for watermarks under Where, which needs no mark."

    def show(self, opened: Opened | None) -> None:
        """Another picture; while results are looked at, the mark stays as it is."""
        if self.panel.desk.tried is None:
            super().show(opened)

    def run(self, opened: Opened) -> Work | None:
        """Keep the mark, then paint; nothing of the picture is written yet."""
        manager, drawing, operations = self.panel.manager, self.drawing, list(self.operations)
        if manager is None:
            return None
        turn, settings, label = self._turn_of, self.settings(), opened.label
        progress = self.panel.try_progress()
        needs_save = self._needs_mark() and drawing is not None and operations != self._saved

        def paint() -> list[Tried]:
            if needs_save and drawing is not None:
                manager.save_mask(drawing, operations)
            return manager.paintings(settings, opened.picture.id, label, progress)

        def painted(found: Sequence[Tried]) -> str | None:
            if needs_save and turn == self._turn_of:
                self._saved = operations
                self._changed()
            return self.tried(found)

        return Work(f"painting {opened.picture.name} anew", paint, painted)

    def blocked(self) -> str:
        """Something must be marked, unless a place is painted."""
        if not self._needs_mark():
            return ""
        return self.not_open() or ("" if self.operations else "Mark what is to go first.")

    def _needs_mark(self) -> bool:
        form = self._forms.get(self.stage)
        return form is None or form.present("region") == "mask"

    def tried(self, found: Sequence[Tried]) -> str | None:
        """Without the mark over the results."""
        self.panel.canvas.show_overlay(b"")
        return super().tried(found)

    def can_save(self) -> str:
        """A result, or the mark alone."""
        return "" if self.panel.desk.tried is not None else super().can_save()

    def save(self) -> Work | None:
        """Keep the chosen result; without one, the mark."""
        return Tab.save(self) if self.panel.desk.tried is not None else super().save()

    def can_discard(self) -> str:
        """Results first, then what was drawn."""
        return "" if self.panel.desk.tried is not None else super().can_discard()

    def discard(self) -> str:
        """Drop the results; the mark stays."""
        return Tab.discard(self) if self.panel.desk.tried is not None else super().discard()
