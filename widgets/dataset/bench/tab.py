"""What a tab of the workbench is: what the canvas does while it is open, its settings, and what its main button makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets as ipw

from core.base.settings import Settings
from core.stages import stage_named
from widgets.form import Form
from widgets.panel import Work

if TYPE_CHECKING:
    from core.dataset.images.bench import BenchVersion
    from core.dataset.images.writing import Tried
    from widgets.dataset.bench.desk import Opened
    from widgets.dataset.workbench import WorkbenchPanel


class Tab:
    """One tab. Its controls are made when it is first opened."""

    name: ClassVar[str]
    title: ClassVar[str]
    tools: ClassVar[tuple[str, ...]] = ("look",)
    """Modes of the canvas."""
    button: ClassVar[str] = ""
    """Words of the main button; empty: the tab has none."""
    stages: Mapping[str, str] = MappingProxyType({})
    """Names of its tools, with the words of their choice."""

    def __init__(self, panel: WorkbenchPanel) -> None:
        self.panel = panel
        self.view = ipw.VBox().add_class("lb-bench-tab")
        self._is_made = False

    def begin(self) -> None:
        """It is opened: make its controls, and set the canvas up."""
        if not self._is_made:
            self._is_made = True
            self.view.children = list(self.controls())
        canvas = self.panel.canvas
        with canvas.hold_sync():
            canvas.tools = list(self.tools)
            canvas.mode = self.tools[0]
            canvas.points, canvas.box, canvas.crop = [], [], []
            canvas.locked = self.panel.desk.tried is not None

    def end(self) -> None:
        """Another tab is opened."""

    def controls(self) -> Sequence[ipw.Widget]:
        """What stands under the canvas."""
        return ()

    def show(self, opened: Opened | None) -> None:
        """Another picture lies on the desk, or another version of it."""

    def renewed(self, opened: Opened | None) -> None:
        """More is known of the same picture."""

    def may_show(self, version: BenchVersion) -> bool:
        """Whether it works on that version; else the present one is shown. A part is worked on in its own place."""
        return version.is_present or version.kind == "part"

    def told(self, deed: Any) -> None:
        """Something was done on the canvas."""

    def blocked(self) -> str:
        """Why its main button cannot be pressed; empty when it can."""
        return ""

    @property
    def stage(self) -> str:
        """The stage that does the same for many pictures; empty: there is none."""
        return ""

    def sharpen(self) -> None:
        """The picture is looked at more closely."""

    def offer_models(self) -> None:
        """Models were fetched meanwhile: offer those that are here now."""

    def run(self, opened: Opened) -> Work | None:
        """What the main button does; nothing is written. Returns: None: the tab has none."""
        return None

    def can_save(self) -> str:
        """Why nothing can be saved; empty when something can."""
        return "" if self.panel.desk.tried is not None else "Nothing was tried yet."

    def can_discard(self) -> str:
        """Why nothing can be discarded; empty when something can."""
        return self.can_save()

    def save(self) -> Work | None:
        """Keep what was tried."""
        tried, manager = self.panel.desk.tried, self.panel.manager
        if tried is None or manager is None:
            return None

        def kept(paths: Sequence[Path]) -> str:
            self.panel.tries.forget(tried.work.unit.item.id, self.name)
            return self.panel.kept(f"saved {', '.join(path.name for path in paths)}.")

        return Work("saving", lambda: manager.keep(tried), kept)

    def discard(self) -> str:
        """Drop what was tried."""
        if (opened := self.panel.desk.opened) is not None:
            self.panel.tries.forget(opened.picture.id, self.name)
        return self.panel.kept("discarded. Nothing was written.")


class ToolTab(Tab):
    """A tab with one tool, or a choice of some that are used alike.

    Args: stages: names of the tools with the words of their choice.
    """

    button = "Try on this picture"
    hide: ClassVar[tuple[str, ...]] = ("images", "use")
    """Fields that the workbench fills in."""

    def __init__(self, panel: WorkbenchPanel, name: str, title: str, stages: Mapping[str, str]) -> None:
        super().__init__(panel)
        self.name, self.title, self.stages = name, title, stages  # type: ignore[misc]  # of this tab alone
        self.choice = ipw.ToggleButtons(options=[(words, stage) for stage, words in stages.items()]).add_class("lb-choice")
        self._forms: dict[str, Form[Any]] = {}
        self._place = ipw.VBox()

    def controls(self) -> Sequence[ipw.Widget]:
        """The choice of tools where there are several, and the form of the chosen one."""
        self.choice.observe(self.panel.heard(self._turn), "value")
        self._turn()
        return [*([self.choice] if len(self.stages) > 1 else []), self._place]

    def _turn(self) -> None:
        stage = self.stage
        if stage not in self._forms:
            cls = stage_named(stage).settings_class()
            hidden = tuple(name for name in self.hide if name in cls.fields())
            self._forms[stage] = form = Form(cls, choices=self.panel.choices_for(stage, cls), hide=hidden)
            form.follow()
            form.on_change(self.panel.look_again)
        self._place.children = [self._forms[stage].view]

    @property
    def stage(self) -> str:
        """The chosen tool."""
        return str(self.choice.value)

    def settings(self) -> Settings:
        """As they stand in its form. Raises: ConfigError."""
        found: Settings = self._forms[self.stage].value()
        return found

    def run(self, opened: Opened) -> Work | None:
        """Try the tool on the picture, or on the part that is shown."""
        manager, stage, settings, label = self.panel.manager, self.stage, self.settings(), opened.label
        if manager is None:
            return None
        progress = self.panel.try_progress()
        return Work(f"trying it on {opened.picture.name}", lambda: manager.try_on(stage, settings, opened.picture.id, label, progress),
                    lambda tried: self.tried([tried]))

    def tried(self, found: Sequence[Tried]) -> str | None:
        """The main button's tool is done. Returns: the sentence for the status line; None: it is said already."""
        self.offer_models()  # one was fetched perhaps
        self.panel.tried_is_over()
        return self.panel.tries.take_in(found, self)

    def offer_models(self) -> None:
        """Offer the models that are here now."""
        for stage, form in self._forms.items():
            for name, choices in self.panel.choices_for(stage, stage_named(stage).settings_class()).items():
                form.offer(name, choices)

    def begin(self) -> None:
        """It is opened, perhaps after models were fetched elsewhere."""
        super().begin()
        self.offer_models()
