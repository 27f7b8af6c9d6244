"""What a tool made of a picture: put on the canvas, chosen from, kept until it is saved or discarded, whatever is looked at meanwhile."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ipywidgets as ipw

if TYPE_CHECKING:
    from core.dataset.images.writing import Tried
    from widgets.dataset.bench.tab import Tab
    from widgets.dataset.workbench import WorkbenchPanel

MOST_BYTES = 512 * 1024**2
"""Of results in memory; above it the oldest are let go."""


class Results:
    """The results of each picture and tab, and the list of those that lie on the desk."""

    def __init__(self, panel: WorkbenchPanel) -> None:
        self.panel = panel
        self._kept: OrderedDict[tuple[str, str], tuple[Tried, ...]] = OrderedDict()
        self._shown: list[tuple[Tried, int]] = []
        self.list = ipw.Dropdown(description="Result", options=[("", 0)])
        self.list.observe(panel.heard(self._choose), "value")
        self.view = ipw.VBox([self.list], layout=ipw.Layout(display="none")).add_class("lb-field")

    def take_in(self, found: Sequence[Tried], tab: Tab) -> str | None:
        """Keep them, and put them on the canvas where picture and tab are still open.

        Args: found: results to choose from, or one with several parts. Returns: why they are not shown; None: they are.
        """
        if not any(tried.files for tried in found):
            return f"nothing to do. {found[0].why_none()}" if found else "nothing to do with these settings."
        unit, opened = found[0].work.unit, self.panel.desk.opened
        self._keep(unit.item.id, tab.name, found)
        if opened is None or opened.picture.id != unit.item.id or self.panel.tab is not tab:
            return f"tried on {unit.title}. It is kept: press that picture under {tab.title} to see it."
        self._lay(found)
        return None

    def lay_again(self) -> None:
        """Show what the open tab tried on the picture earlier, where that was neither saved nor discarded."""
        opened = self.panel.desk.opened
        if opened is not None and (found := self._kept.get((opened.picture.id, self.panel.tab.name))):
            self._lay(found)

    def look(self) -> None:
        """Show the list where there is something to choose."""
        self.view.layout.display = "" if self.panel.desk.tried is not None and len(self._shown) > 1 else "none"

    def forget(self, image_id: str = "", tab: str = "") -> None:
        """They were saved or discarded. Args: none: everything."""
        if image_id:
            self._kept.pop((image_id, tab), None)
        else:
            self._kept.clear()

    def _keep(self, image_id: str, tab: str, found: Sequence[Tried]) -> None:
        self._kept.pop((image_id, tab), None)
        self._kept[image_id, tab] = tuple(found)
        while len(self._kept) > 1 and sum(map(_size_of, self._kept.values())) > MOST_BYTES:
            self._kept.popitem(last=False)

    def _lay(self, found: Sequence[Tried]) -> None:
        self._shown = shown = [(tried, number) for tried in found for number in range(len(tried.files))]
        self.list.options = [(_words(tried, number, place), place) for place, (tried, number) in enumerate(shown)]
        self.panel.desk.show_tried(*shown[0])
        said = [file.encoded.note for tried in found for file in tried.files]
        said += [f"{one.name}: {one.reason.rstrip('.')}" for tried in found for one in tried.left_out]
        notes = "; ".join(dict.fromkeys(filter(None, said)))
        keeps = "Save keeps the one that is shown." if len(found) > 1 else "Save it or discard it."
        if not self.panel.working():
            self.panel.say("done", f"Tried on {found[0].work.unit.title}. {keeps}{f' Note: {notes}.' if notes else ''}")

    def _choose(self) -> None:
        if self.panel.desk.tried is not None and len(self._shown) > 1:
            self.panel.desk.show_tried(*self._shown[int(self.list.value or 0)])


def _words(tried: Tried, number: int, place: int) -> str:
    file = tried.files[number]
    return f"{file.label or f'result {place + 1}'} ({file.size[0]} × {file.size[1]})"


def _size_of(found: Sequence[Tried]) -> int:
    return sum(len(file.encoded.data) for tried in found for file in tried.files)
