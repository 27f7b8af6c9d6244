"""The tab that cuts out: a box by hand, held to a ratio where that is wanted, or by faces and people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ipywidgets as ipw

from core.base.errors import StudioError
from core.base.settings import Settings
from widgets.dataset.bench.tab import ToolTab
from widgets.panel import Work
from widgets.pieces import part, row

if TYPE_CHECKING:
    from widgets.components.canvas_deeds import Deed
    from widgets.dataset.bench.desk import Opened

BECOMES = [("One more picture (a part)", "part"), ("The picture from now on", "picture")]


class CropTab(ToolTab):
    """Crop by hand above, smart crop below."""

    tools = ("crop", "look")
    button = "Find faces and people"

    def controls(self) -> Sequence[ipw.Widget]:
        """The box by hand, then the smart crop."""
        self.becomes = ipw.Dropdown(description="What is cut out becomes", options=BECOMES)
        self.called = ipw.Text(description="Name of the part", placeholder="crop", continuous_update=False)
        self.cut = self.panel.action("Cut the box out", self._cut, self._no_box, alone=True)
        self.becomes.observe(self.panel.heard(self._turn_becomes), "value")
        self.panel.canvas.observe(self.panel.heard(self.panel.look_again), "crop")
        self._called_box = ipw.VBox([self.called]).add_class("lb-field")
        return [part("By hand"), row(ipw.VBox([self.becomes]).add_class("lb-field"), self._called_box, self.cut),
                part("By faces and people"), *super().controls()]

    def begin(self) -> None:
        """Offer the ratios of the project's training sizes."""
        super().begin()
        manager, canvas = self.panel.manager, self.panel.canvas
        if manager is not None:
            try:
                canvas.ratios = [[ratio.title, ratio.width / ratio.height if ratio.width else 0.0] for ratio in manager.ratios()]
            except StudioError as error:  # the training sizes do not fit together: Trainer says it; a free box can be drawn all the same
                canvas.ratios = [["free", 0.0]]
                self.panel.fail(error)

    def show(self, opened: Opened | None) -> None:
        """No box is drawn on another picture."""
        self.panel.canvas.crop = []

    def told(self, deed: Deed) -> None:
        """Enter in the box cuts it out."""
        if deed.kind in ("crop", "save") and not self._no_box():
            self.panel.guard(self._cut)

    def _turn_becomes(self) -> None:
        self._called_box.layout.display = "" if self.becomes.value == "part" else "none"

    def _no_box(self) -> str:
        opened = self.panel.desk.opened
        if opened is None:
            return "Press a picture at the left first."
        if self.panel.desk.tried is not None:
            return "Save or discard what was found first."
        if opened.shown.kind in ("mask", "transparent"):
            return "Look at the picture itself first (View)."
        return "" if self.panel.canvas.crop else "Draw a box on the picture."

    def _cut(self) -> Work | None:
        opened, manager, box = self.panel.desk.opened, self.panel.manager, [round(edge) for edge in self.panel.canvas.crop]
        if opened is None or manager is None:
            return None
        settings: Settings = manager.hand_crop(opened.picture.id, (box[0], box[1], box[2], box[3]), str(self.becomes.value),
                                               self.called.value.strip() if self.becomes.value == "part" else "", opened.shown.path.name)
        label = opened.label

        def cut() -> list[str]:
            return [path.name for path in manager.keep(manager.try_on("crop-by-hand", settings, opened.picture.id, label))]

        return Work("cutting out", cut, lambda names: self.panel.kept(f"saved {', '.join(names)}."))
