"""The tab that looks: which versions there are, one against another, and taking one back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ipywidgets as ipw

from widgets.dataset.bench.tab import Tab
from widgets.panel import Work
from widgets.pieces import row, table

if TYPE_CHECKING:
    from core.dataset.images.bench import BenchVersion
    from widgets.dataset.bench.desk import Opened


class ViewTab(Tab):
    """Versions of the picture on the desk."""

    name, title = "view", "View"

    def controls(self) -> Sequence[ipw.Widget]:
        """Which version, against which other one; a table of all."""
        self._filling = False
        self.version = ipw.Dropdown(description="Look at", options=[("no picture", "")])
        self.against = ipw.Dropdown(description="Against", options=[("nothing", "")])
        for list_ in (self.version, self.against):
            list_.observe(self.panel.heard(self._look), "value")
        self.back = self.panel.action("Take this version back", self._take_back, self._no_version, alone=True)
        self.back.tooltip = "Put it aside; what it replaced stands again"
        self.aside = ipw.Dropdown(description="Taken back", options=[("none", "")])
        self.bring = self.panel.action("Bring it back", self._bring_back, lambda: "" if self.aside.value else "Nothing was taken back.",
                                       alone=True)
        self._aside_row = row(ipw.VBox([self.aside]).add_class("lb-field"), self.bring)
        self.words = ipw.HTML()
        fields = [ipw.VBox([one]).add_class("lb-field") for one in (self.version, self.against)]
        return [row(*fields, self.back), self._aside_row, self.words]

    def show(self, opened: Opened | None) -> None:
        """Offer its versions."""
        versions = opened.picture.versions if opened is not None else ()
        options = [(version.words(), version.path.name) for version in versions] or [("no picture", "")]
        self._filling = True
        with self.version.hold_sync(), self.against.hold_sync():
            against = self.against.value
            self.version.options = options
            self.version.value = opened.shown.path.name if opened is not None else ""
            self.against.options = [("nothing", ""), *options] if versions else [("nothing", "")]
            self.against.value = against if against in {name for _, name in options} else ""
        self._filling = False
        aside = [(version.words(), version.path.name) for version in (opened.picture.aside if opened is not None else ())]
        self.aside.options = aside or [("none", "")]
        self._aside_row.layout.display = "" if aside else "none"
        rows = [(version.title, f"{version.size[0]} × {version.size[1]}", version.how or "as it was imported",
                 "present" if version.is_present else "") for version in versions]
        self.words.value = table(rows, ("Version", "Size", "How it came about", "")) if len(rows) > 1 else ""

    def renewed(self, opened: Opened | None) -> None:
        """Offer what is there now."""
        self.show(opened)

    def may_show(self, version: BenchVersion) -> bool:
        """Every version is looked at here."""
        return True

    def _look(self) -> None:
        if not self._filling and self.panel.desk.opened is not None:
            self.panel.look_at(self.version.value, self.against.value, keep_view=True)

    def _no_version(self) -> str:
        opened = self.panel.desk.opened
        if opened is None:
            return "Press a picture at the left."
        return "" if opened.shown.kind is not None else "This is the picture itself, which is never touched."

    def _take_back(self) -> Work | None:
        opened, manager = self.panel.desk.opened, self.panel.manager
        if opened is None or manager is None:
            return None
        name = opened.shown.path.name
        return Work(f"taking {name} back", lambda: manager.take_back(opened.picture.id, name), self.panel.kept)

    def _bring_back(self) -> Work | None:
        opened, manager, name = self.panel.desk.opened, self.panel.manager, str(self.aside.value)
        if opened is None or manager is None or not name:
            return None
        return Work(f"bringing {name} back", lambda: manager.bring_back(opened.picture.id, name), self.panel.kept)
